"""What the tests of losses share: labels with every trap in them, and values."""

from __future__ import annotations

import keras
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from marsseg_core.components.specs import LossSpec

VOID = 255
CLASSES = 5
FREQUENCIES = (2431, 3390, 2328, 1838, 13)
SPEC = LossSpec(CLASSES, (0,), FREQUENCIES)

labels_and_logits = st.tuples(
    hnp.arrays(np.uint8, (2, 3, 4), elements=st.sampled_from([0, 1, 2, 3, 4, VOID])),
    hnp.arrays(np.float32, (2, 3, 4, CLASSES), elements=st.floats(-30, 30, width=32)),
)


def value(loss, labels, logits, spec=SPEC) -> float:
    result = loss.build(spec)(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits))
    assert result.shape == ()
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    return float(result)


def counted(labels) -> np.ndarray:
    return (labels != 0) & (labels != VOID)


def sample(seed=0, shape=(2, 4, 6)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice([0, 1, 2, 3, 4, VOID], shape).astype(np.uint8)
    return labels, random.normal(size=(*shape, CLASSES)).astype(np.float32) * 3
