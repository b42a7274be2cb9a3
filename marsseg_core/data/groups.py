"""Items that belong together."""

from __future__ import annotations

Group = tuple[int, ...]
