"""Items that belong together."""

from __future__ import annotations

ItemGroup = tuple[int, ...]
