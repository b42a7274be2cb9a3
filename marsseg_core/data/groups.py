"""Define the type of a group of items."""

from __future__ import annotations

ItemGroup = tuple[int, ...]
"""The indices of items that belong together, such as copies of one image."""
