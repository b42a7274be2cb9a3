"""Compute class weights from the numbers of pixels of the classes in the training subset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marsseg_core.plugin_api import LossSpec, balanced_weights


def class_weights(
    spec: LossSpec, rule: str | Sequence[float], *, cap: float | None, count: str, beta: float
) -> np.ndarray:
    """Return the weights of the classes, (K,) float32, 0 for ignored classes.

    The `rule` is one of these, with n_c the number of pixels of class c and n the sum of all n_c:

    - "balanced": n / (K · n_c), at most `cap`. With `count="all"`, n and K include the ignored classes, as in the
      report; with "labelled" they do not.
    - "inverse": 1 / n_c.
    - "effective": (1 − β) / (1 − β^n_c) (Cui and others, arXiv 1901.05555).
    - A list of K numbers, which are used as they are.

    With "inverse" and "effective", no weight is more than `cap` times that of the most frequent class, and the mean
    over the classes that occur and are not ignored is 1. A class that never occurs gets the largest weight.

    Raises ValueError where a list has the wrong length, or has 0 for each class that occurs and is not ignored.
    """
    labelled = np.array([c not in spec.ignore_classes for c in range(spec.num_classes)])
    n = np.asarray(spec.class_frequencies, np.float64)
    present = labelled & (n > 0)
    if not isinstance(rule, str):
        if len(rule) != spec.num_classes:
            raise ValueError(f"{len(rule)} class weights do not fit {spec.num_classes} classes")
        fixed = np.where(labelled, np.asarray(rule, np.float32), np.float32(0))
        if not fixed[present if present.any() else labelled].any():
            raise ValueError(
                "the class weights are 0 for all classes that occur and are not ignored: there is nothing to learn"
            )
        return fixed
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
