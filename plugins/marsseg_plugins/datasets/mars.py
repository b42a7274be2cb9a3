"""The classes of Mars terrain, as the course and AI4Mars label them."""

from __future__ import annotations

MARS_CLASSES = ("background", "soil", "bedrock", "sand", "big_rock")

# Background is what nobody labelled: sky, rover parts, far terrain, unclear ground. Losses and scores ignore it.
IGNORED = (0,)
