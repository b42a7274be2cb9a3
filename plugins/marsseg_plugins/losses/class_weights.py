"""Weights of classes from how often they occur in the training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marsseg_core.components import LossSpec
from marsseg_core.data.statistics import balanced_weights


def class_weights(
    spec: LossSpec, rule: str | Sequence[float], *, cap: float | None, count: str, beta: float
) -> np.ndarray:
    """(K,) float32 weights, 0 for ignored classes.

    - "balanced": n / (K · n_c). With `count="all"`, n and K take in the ignored classes, as the report's do; with
      "labelled" they do not.
    - "inverse": 1 / n_c, scaled to a mean of 1 over the labelled classes.
    - "effective": (1 − β) / (1 − β^n_c), scaled likewise (Cui and others, arXiv 1901.05555).
    - a list of K numbers, taken as it is.

    No weight of a rule exceeds `cap`. A class that never occurs has no frequency: it takes the largest weight.
    """
    labelled = np.array([c not in spec.ignored for c in range(spec.num_classes)])
    if not isinstance(rule, str):
        if len(rule) != spec.num_classes:
            raise ValueError(f"{len(rule)} class weights do not fit {spec.num_classes} classes")
        return np.where(labelled, np.asarray(rule, np.float32), np.float32(0))
    n = np.asarray(spec.class_frequencies, np.float64)
    present = labelled & (n > 0)
    if not present.any():
        return labelled.astype(np.float32)
    weights = np.zeros(spec.num_classes)
    if rule == "balanced":
        counted = range(spec.num_classes) if count == "all" else np.flatnonzero(labelled)
        weights[present] = balanced_weights(n, counted)[present]
    elif rule == "inverse":
        weights[present] = 1 / n[present]
        weights /= weights[present].mean()
    else:
        weights[present] = (1 - beta) / -np.expm1(n[present] * np.log(beta))
        weights /= weights[present].mean()
    if cap is not None:
        weights = np.minimum(weights, cap)
    weights[labelled & ~present] = weights[present].max()
    return weights.astype(np.float32)
