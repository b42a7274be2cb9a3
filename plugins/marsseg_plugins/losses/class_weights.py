"""Weights of classes from how often they occur in the training subset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marsseg_core.plugin_api import LossSpec, balanced_weights


def class_weights(
    spec: LossSpec, rule: str | Sequence[float], *, cap: float | None, count: str, beta: float
) -> np.ndarray:
    """(K,) float32 weights, 0 for ignored classes.

    - "balanced": n / (K · n_c), at most `cap`. With `count="all"`, n and K take in the ignored classes, as the
      report's do; with "labelled" they do not.
    - "inverse": 1 / n_c.
    - "effective": (1 − β) / (1 − β^n_c) (Cui and others, arXiv 1901.05555).
    - a list of K numbers, taken as it is.

    Of "inverse" and "effective" no weight is more than `cap` times that of the most frequent class, and their mean over
    the labelled classes that occur is 1. A class that never occurs has no frequency: it takes the largest weight.
    ValueError where a list does not fit, or has 0 for every labelled class that occurs.
    """
    labelled = np.array([c not in spec.ignore_classes for c in range(spec.num_classes)])
    n = np.asarray(spec.class_frequencies, np.float64)
    present = labelled & (n > 0)
    if not isinstance(rule, str):
        if len(rule) != spec.num_classes:
            raise ValueError(f"{len(rule)} class weights do not fit {spec.num_classes} classes")
        given = np.where(labelled, np.asarray(rule, np.float32), np.float32(0))
        if not given[present if present.any() else labelled].any():
            raise ValueError(
                "the class weights are 0 for every class that counts and occurs: there is nothing to learn"
            )
        return given
    if not present.any():
        return labelled.astype(np.float32)
    weights = np.zeros(spec.num_classes)
    if rule == "balanced":
        counted = range(spec.num_classes) if count == "all" else np.flatnonzero(labelled)
        weights[present] = np.minimum(balanced_weights(n, counted)[present], np.inf if cap is None else cap)
    else:
        raw = 1 / n[present] if rule == "inverse" else (1 - beta) / -np.expm1(n[present] * np.log(beta))
        ratios = np.minimum(raw / raw.min(), np.inf if cap is None else cap)
        weights[present] = ratios / ratios.mean()
    weights[labelled & ~present] = weights[present].max()
    return weights.astype(np.float32)
