"""What the tests of images without labels share: a tiny plan, its data, and a network."""

from __future__ import annotations

import keras
import numpy as np

from marsseg_core.data.split import Split

DATA = "synthetic:count=16:height=16:width=16"


WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": DATA,
    "unlabelled": "synthetic:count=24:height=16:width=16",
    "batch": 4,
    "epochs": 2,
}


SPLIT = Split(tuple(range(10)), (10, 11, 12), (13, 14, 15))


def small_network():
    """Return a network whose graph is made in half the time of that of `WORDS`."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 1), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="convolution")(image)
    x = keras.layers.Dropout(0.2, name="dropout")(keras.layers.BatchNormalization(name="norm")(x))
    return keras.Model(image, keras.layers.Conv2D(5, 1, name="logits")(x), name="small")


def labels_in(folder):
    """Return the labels of the images without labels that a run folder has."""
    with np.load(folder.labels) as archive:
        return archive["labels"]
