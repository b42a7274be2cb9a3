"""Read a folder of images without masks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .base import Found, Wanted
from .walk import holds_picture, list_folder

LOOKS_FOR: Final = "images in a folder and its subfolders, without masks"


def recognises(root: Path) -> bool:
    """Return whether there is an image in a folder or its subfolders."""
    return root.is_dir() and holds_picture(root)


def find(root: Path, wanted: Wanted) -> Found:
    """Find all images in a folder and its subfolders. None has labels."""
    listing = list_folder(root, suffixes=wanted.suffixes)
    return Found((), left_out=listing.left_out, unlabelled=listing.files)
