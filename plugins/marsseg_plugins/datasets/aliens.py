"""The aliens of the course: a grey figure pasted on a scene, with one mask of two saucers for all of them."""

from __future__ import annotations

import numpy as np

from .fields import Size, lowest, pixels
from .terrain import BACKGROUND, BEDROCK, SAND, SOIL, Image

# Shares of the pixels in the alien mask of the course, which has 64 × 128 pixels.
BEAM, DOME, SAUCER = (pixel_count / (64 * 128) for pixel_count in (1578, 792, 1476))


def mask(size: Size) -> Image:
    """Return the mask (H, W) of all aliens: two saucers of sand with domes of bedrock and beams of soil."""
    row, column = pixels(size)
    y = (row + 0.5) / size[0] - 0.4
    x = np.abs((column + 0.5) / size[1] - 0.5) - 0.25
    labels = np.zeros(size, np.uint8)
    saucer = (x / 0.22) ** 2 + (y / 0.13) ** 2
    dome = np.where(y < 0, (x / 0.12) ** 2 + ((y + 0.08) / 0.2) ** 2, np.inf)
    # A beam becomes wider towards the bottom.
    beam = np.where(y > 0, np.abs(x) / (0.07 + 0.16 * y), np.inf)
    for label, share, outline in ((SAND, SAUCER, saucer), (BEDROCK, DOME, dome), (SOIL, BEAM, beam)):
        labels[lowest(outline, share * labels.size, labels == BACKGROUND)] = label
    return labels


def paste(image: Image, rng: np.random.Generator) -> Image:
    """Return the image (H, W) with a grey alien at a random place, rotated and scaled at random."""
    height, width = image.shape
    row, column = pixels(image.shape)
    half = rng.uniform(0.32, 0.6) * min(height, width) / 1.5
    turn = rng.uniform(-0.7, 0.7)
    down = (row - rng.uniform(0.35, 0.65) * height) / half
    right = (column - rng.uniform(0.2, 0.8) * width) / half
    x, y = right * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - right * np.sin(turn)

    # A skull that is wide at the top and narrow at the chin, on a thin neck and sloping shoulders.
    head = (x / (0.62 - 0.3 * np.clip(y + 0.35, 0, 1))) ** 2 + ((y + 0.35) / np.where(y < -0.35, 0.55, 0.8)) ** 2
    body = np.where(y > 0.3, np.abs(x) / (0.14 + 0.5 * np.sqrt(np.clip(y - 0.62, 0, 1))), np.inf)
    eye_x, eye_y = np.abs(x) - 0.3, y + 0.2
    eyes = ((eye_x - 0.5 * -eye_y) / 0.2) ** 2 + ((eye_y + 0.3 * eye_x) / 0.14) ** 2
    mouth = (x / 0.1) ** 2 + ((y - 0.22) / 0.03) ** 2
    figure = (head < 1) | ((body < 1) & (y < 1.2))

    skin = rng.uniform(140, 190) * (1 - 0.3 * np.clip(np.minimum(head, body**2), 0, 1) + 0.12 * x)
    glint = ((x - np.sign(x) * 0.3 + 0.05) / 0.045) ** 2 + ((eye_y + 0.04) / 0.045) ** 2 < 1
    face = np.where(eyes < 1, np.where(glint, 230, 18), np.where(mouth < 1, 50, skin))
    return np.where(figure, np.clip(face, 0, 255), image).astype(np.uint8)
