"""The devices of Keras' backend, and how networks run on them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import keras

from ..machine import processors


def ask_for_determinism() -> None:
    """Make the backend use deterministic kernels, which give the same numbers in each run."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class Accelerator:
    """A GPU or TPU that the backend uses.

    Attributes:
        kind: "GPU" or "TPU"
        name: what the backend calls it
        capability: NVIDIA's compute capability, such as (8, 0); None for other devices, and where it is unknown
    """

    kind: str
    name: str
    capability: tuple[int, ...] | None = None


def accelerators() -> list[Accelerator]:
    """Return the GPUs and TPUs on which the backend runs networks; none where it runs them on the processor."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        found = []
        for device in tensorflow.config.get_visible_devices():
            if device.device_type in ("GPU", "TPU"):
                details = tensorflow.config.experimental.get_device_details(device)
                name, capability = details.get("device_name", device.name), details.get("compute_capability")
                found.append(Accelerator(device.device_type, name, capability and tuple(capability)))
        return found
    import jax

    # JAX also says cuda and rocm for gpu. Only NVIDIA's devices have a capability of digits.
    devices = [device for device in jax.devices() if device.platform != "cpu"]
    capabilities = [str(getattr(device, "compute_capability", "")).split(".") for device in devices]
    return [
        Accelerator(
            "TPU" if device.platform == "tpu" else "GPU",
            device.device_kind,
            tuple(map(int, numbers)) if all(map(str.isdecimal, numbers)) else None,
        )
        for device, numbers in zip(devices, capabilities, strict=True)
    ]


def has_gpu() -> bool:
    """Return whether the backend computes on a GPU or TPU."""
    return bool(accelerators())


def choose_compiler(model: keras.Model) -> None:
    """Switch XLA off for TensorFlow on a CPU, where it makes training steps slower."""
    if keras.backend.backend() == "tensorflow" and not has_gpu():
        model.jit_compile = False


def thread_count() -> int:
    """Return the number of threads of a training step.

    It determines the order in which numbers are summed, and so the last bits of the results.
    """
    configured = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        configured = tensorflow.config.threading.get_intra_op_parallelism_threads()
        variable = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # TensorFlow reads it if nothing else is configured
        configured = configured or (int(variable) if variable.isdecimal() else 0)
    return configured or processors()
