"""Limit the threads of a process that does tasks."""

from __future__ import annotations

from typing import Final

# What limits the threads of TensorFlow, and of the libraries that NumPy uses. They read it when they are imported.
_VARIABLES: Final = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limited_to(threads: int) -> dict[str, str]:
    """Return the environment variables for this number of threads."""
    return dict.fromkeys(_VARIABLES, str(threads))
