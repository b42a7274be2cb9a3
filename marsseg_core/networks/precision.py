"""Decide what `precision=auto` means on this machine, and know how it computes in bfloat16."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import keras

from ..messages import get_logger
from ..planning.plan import Plan
from .keras_backend.devices import Accelerator, accelerators

AUTO: Final = "auto"

# What `auto` can become.
Policy = Literal["float32", "mixed_bfloat16"]

_logger = get_logger(__name__)

# The lists of features in /proc/cpuinfo, by their key, and the features that compute in bfloat16.
_FEATURES: Final = {"flags": ("avx512_bf16", "amx_bf16"), "Features": ("bf16",)}  # x86, ARM

# From this compute capability on, NVIDIA's GPUs compute in bfloat16.
_CAPABILITY: Final = (8, 0)


def settle_precision(plans: Sequence[Plan]) -> list[Plan]:
    """Replace `precision=auto` in the plans by what suits this machine, and log the choice and its reason once.

    A plan with another precision is returned as it is, so a run that is resumed keeps what it began with.
    """
    if all(plan.training.precision != AUTO for plan in plans):
        return list(plans)
    policy, reason = choose_precision()
    _logger.info(f"precision=auto: {policy}, as {reason}.")
    return [_with_precision(plan, policy) if plan.training.precision == AUTO else plan for plan in plans]


def _with_precision(plan: Plan, policy: Policy) -> Plan:
    training = replace(plan.training, precision=policy, precision_from=AUTO)
    origins = {**plan.section_origins.get("training", {}), "precision": AUTO, "precision_from": AUTO}
    return replace(plan, training=training, section_origins={**plan.section_origins, "training": origins})


def choose_precision() -> tuple[Policy, str]:
    """Return the dtype policy that suits this machine, and the reason."""
    devices = accelerators()
    suits, reason = accelerators_suit(devices) if devices else processor_suits(_cpuinfo())
    return "mixed_bfloat16" if suits else "float32", reason


def accelerators_suit(devices: Sequence[Accelerator]) -> tuple[bool, str]:
    """Return whether all of the GPUs or TPUs compute in bfloat16, and the reason."""
    for device in devices:
        if device.kind == "TPU":
            continue
        if device.capability is None:
            return False, f"the compute capability of {device.name} is unknown"
        if device.capability < _CAPABILITY:
            return False, f"{device.name} has no bfloat16 (compute capability {_dotted(device.capability)})"
    return True, f"{devices[0].name} has bfloat16"


def processor_suits(cpuinfo: str | None) -> tuple[bool, str]:
    """Return whether the processor computes in bfloat16, and the reason.

    `cpuinfo` is the text of Linux' /proc/cpuinfo; None if there is none. It lists each core; all must have the feature.
    """
    if cpuinfo is None:
        return False, f"marsseg does not know whether this processor has bfloat16 ({sys.platform}, no /proc/cpuinfo)"
    key, common = _features(cpuinfo)
    if key is None:
        return False, "/proc/cpuinfo does not tell whether this processor has bfloat16"
    present = [feature for feature in _FEATURES[key] if feature in common]
    if present:
        return True, f"this processor has {' and '.join(present)}"
    return False, f"this processor has no bfloat16 ({' or '.join(_FEATURES[key])})"


def sums_in_float32() -> bool:
    """Return whether the backend is known to sum products of bfloat16 in float32, as gradients need it.

    On a processor, TensorFlow does so by its kernels of oneDNN for bfloat16, which need AVX-512 or bfloat16 itself.
    """
    if keras.backend.backend() != "tensorflow" or accelerators():
        return True
    key, common = _features(_cpuinfo() or "")
    return key is not None and not common.isdisjoint((*_FEATURES[key], "avx512f"))


def warn_of_lost_gradients(policy: str) -> None:
    """Warn before a training in bfloat16 whose gradients would be wrong on this machine."""
    if policy == "mixed_bfloat16" and not sums_in_float32():
        _logger.warning(
            "precision=mixed_bfloat16: unless this processor has AVX-512, TensorFlow sums gradients of convolutions in "
            "bfloat16, which loses much of them in large batches. Use float32, or auto."
        )


def _features(cpuinfo: str) -> tuple[str | None, set[str]]:
    """Return the key of the lists of features in the text of /proc/cpuinfo, and the features of all cores."""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    cores = [(key.strip(), set(value.split())) for key, _, value in lines if key.strip() in _FEATURES]
    return (cores[0][0], set.intersection(*(features for _, features in cores))) if cores else (None, set())


def _cpuinfo() -> str | None:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _dotted(capability: Sequence[int]) -> str:
    return ".".join(map(str, capability))
