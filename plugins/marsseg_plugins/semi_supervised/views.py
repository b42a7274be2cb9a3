"""The default views of the built-in methods."""

from __future__ import annotations

WEAK = "hflip"
WEAK_HELP = "augmentations of the weak view, which move pixels, or none"

STRONG = "brightness:p=0.8:strength=0.25,contrast:p=0.8:strength=0.5,blur:p=0.5:sigma=1.5,noise:p=0.5"
STRONG_HELP = "augmentations that make the strong view of the weak one; they change values, and move no pixels"
