"""Deal the GPUs of this machine among processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"

# NVIDIA's driver has one folder here for each GPU.
_DRIVER: Final = Path("/proc/driver/nvidia/gpus")


def gpu_of(slot: int, slots: int) -> dict[str, str]:
    """Return the environment variables that give one GPU to process `slot` of several, counted from 0.

    Processes that share a GPU take its memory only as they need it. A single process, or one on a machine without
    GPUs of NVIDIA, gets no variables.
    """
    gpus = _gpus()
    if slots == 1 or not gpus:
        return {}
    shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {_VISIBLE: gpus[slot % len(gpus)], **(shared if slots > len(gpus) else {})}


def _gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA numbers or names them."""
    if _VISIBLE in os.environ:
        return [name for name in os.environ[_VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(_DRIVER.iterdir())] if _DRIVER.is_dir() else []
