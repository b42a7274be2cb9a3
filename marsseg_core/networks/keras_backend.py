"""Functions that depend on Keras' backend, and Keras' global settings."""

from __future__ import annotations

import logging
import os
import platform
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, RLock, local
from typing import Any, Final

import keras
import numpy as np

from .machine import processors, versions
from .processes import Processes

# Keras draws initial weights and the seeds of layers from Python's global random generator, and stores dtype policies
# and layer names in a global session. So only one thread may build networks at a time.
_build_lock = RLock()

# A process that has not been heard of for so many seconds counts as dead.
_SILENCE: Final = 30


def avoid_importing_tensorflow() -> None:
    """Make sure that Keras does not import TensorFlow where another backend is used.

    Keras would do so to seed TensorFlow and to serialise its types.
    """
    # Keras tries to import TensorFlow once, and stores whether this worked. None in `sys.modules` makes it fail.
    with _build_lock:
        if keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
            return
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
        try:
            keras.saving.serialize_keras_object(keras.layers.ReLU())
        finally:
            del sys.modules["tensorflow"]


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


def connect_processes(processes: Processes) -> None:
    """Let JAX find the other processes, unless it has already. Nothing may have been computed before."""
    import jax

    if jax.distributed.is_initialized():
        return
    # It would take over SIGTERM, which interrupts a run.
    jax.config.update("jax_enable_preemption_service", False)  # type: ignore[no-untyped-call]
    # A queue's description of the job is left out: the environment says all.
    jax.distributed.initialize(
        processes.coordinator,
        processes.count,
        processes.index,
        cluster_detection_method="deactivate",
        heartbeat_timeout_seconds=_SILENCE,
    )


def part_processes() -> None:
    """Wait for the other processes, and leave them."""
    import jax

    jax.distributed.shutdown()  # type: ignore[no-untyped-call]


def from_first_process(array: Any) -> Any:
    """Return the array that process 0 passes. All processes must pass one of the same shape and type."""
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(array)


def from_all_processes(array: Any) -> np.ndarray:
    """Return the arrays of all processes, stacked in the order of the processes."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array))


def choose_compiler(model: keras.Model) -> None:
    """Switch XLA off for TensorFlow on a CPU, where it makes training steps slower."""
    if keras.backend.backend() == "tensorflow" and not has_gpu():
        model.jit_compile = False


def has_gpu() -> bool:
    """Return whether the backend computes on a GPU or TPU."""
    return bool(accelerators())


def add_biases_in_float32(network: keras.Model) -> None:
    """Let the bfloat16 layers of a network add their biases in float32, for TensorFlow on a CPU.

    Its gradient of a bias is a sum over all cells of the batch, which it computes in bfloat16. Such a sum stops growing
    at 256 times its summands, and in a large batch most of the gradient is lost. The kernels for GPUs sum in float32,
    and so does the step that TensorFlow fuses for a plain convolution, which is left as it is for its speed.
    """
    if keras.backend.backend() != "tensorflow" or has_gpu():
        return
    for layer in network._flatten_layers():
        bias = getattr(layer, "bias", None) if type(layer).__module__.startswith("keras.") else None
        fused = isinstance(layer, keras.layers.Conv2D) and tuple(layer.dilation_rate) == (1, 1)
        # Keras adds a bias of several axes, as in attention, by another function, whose gradient is right.
        if bias is not None and layer.compute_dtype == "bfloat16" and not fused and sum(n > 1 for n in bias.shape) <= 1:
            bias._autocast = False


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return the value of a scalar function at the tensor `at`, and its gradient, which has the shape of `at`.

    Keras has no function for this.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return value, tape.gradient(value, at, unconnected_gradients=tensorflow.UnconnectedGradients.ZERO)
    import jax

    result: tuple[Any, Any] = jax.value_and_grad(function)(at)
    return result


def compile_call(network: keras.Model, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a network, in inference mode, for images of one shape, (B, H, W, C) float32, to float32 logits.

    The compiled function reads the network's variables at each call.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        function = tensorflow.function(
            lambda images: network(images, training=False), jit_compile=network.jit_compile, autograph=False
        )
        with temporary_gradients():
            traced = function.get_concrete_function(tensorflow.TensorSpec(shape, tensorflow.float32))
        return lambda images: np.asarray(traced(tensorflow.constant(images)), np.float32)
    import jax

    jitted = jax.jit(lambda trained, other, images: network.stateless_call(trained, other, images, training=False)[0])

    def call(images: np.ndarray) -> np.ndarray:
        variables = (network.trainable_variables, network.non_trainable_variables)
        return np.asarray(jitted(*([v.value for v in group] for group in variables), images), np.float32)

    return call


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors that reads and assigns variables, compiled where the backend can: on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow

    graph = tensorflow.function(function, autograph=False, jit_compile=False, reduce_retracing=True)

    def call(*tensors: Any) -> Any:
        with temporary_gradients():
            return graph(*map(tensorflow.convert_to_tensor, tensors))

    return call


_own_gradients = local()  # in each thread: the names of the gradients that TensorFlow has registered


def with_own_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `keras.ops.custom_gradient(function)`, whose gradients `temporary_gradients` forgets."""
    decorated: Callable[..., Any] = keras.ops.custom_gradient(function)
    if keras.backend.backend() != "tensorflow":
        return decorated
    import tensorflow

    def call(*tensors: Any) -> Any:
        result = decorated(*tensors)
        if tensorflow.is_symbolic_tensor(result) and (names := getattr(_own_gradients, "names", None)) is not None:
            names.append(result.op.get_attr("_gradient_op_type").decode())
        return result

    return call


@contextmanager
def temporary_gradients() -> Iterator[None]:
    """Forget, when the block ends, the gradients of `with_own_gradient` in graphs that were made inside it.

    TensorFlow registers them in a global table which is never emptied, and which refers to the graphs with all their
    variables. They are only needed while the gradient of a graph is built.
    """
    outer, _own_gradients.names = getattr(_own_gradients, "names", None), []
    try:
        yield
    finally:
        names, _own_gradients.names = _own_gradients.names, outer
        if names:
            from tensorflow.python.framework.ops import gradient_registry

            for name in names:
                gradient_registry._registry.pop(name, None)


def normalise_batch(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any] | None:
    """Normalise a batch (B, H, W, C) over all axes but the last, by the backend's own function, in float32.

    Returns the result and the mean and variance of each channel, (C,). Returns None on a backend without such a
    function, and for an `epsilon` that it does not take. TensorFlow's function takes a third of the time of the
    operations of Keras' layer, which are separate passes over the map.
    """
    if keras.backend.backend() != "tensorflow" or epsilon < 1.001e-5:
        return None
    import tensorflow

    x = keras.ops.cast(x, "float32")
    normalised, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=epsilon)
    count = tensorflow.cast(tensorflow.size(x) // x.shape[-1], "float32")
    # The function returns the estimate of a sample, which divides by count - 1.
    return normalised, mean, variance * (tensorflow.maximum(count - 1, 1) / count)


def depthwise_input_gradient(x: Any, kernel: Any, output_gradient: Any, strides: int, padding: str) -> Any:
    """Return the gradient of the maps x (B, H, W, C) of a depthwise convolution. Only TensorFlow has it."""
    import tensorflow

    return tensorflow.nn.depthwise_conv2d_backprop_input(
        tensorflow.shape(x), kernel, output_gradient, [1, strides, strides, 1], padding.upper()
    )


def concrete(tensor: Any) -> np.ndarray | None:
    """Return the values of a tensor, or None for a symbolic tensor, inside a function that is being compiled."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (NotImplementedError, TypeError):  # raised by TensorFlow and by JAX
        return None


def train_on_one_device(optimizer: keras.optimizers.Optimizer) -> None:
    """Skip the sum of gradients over replicas if there is only one replica.

    TensorFlow registers the gradient of that sum in a global table which is never emptied, and which refers to the
    graph of the training step with all its variables. A process that trains several networks could never free their
    memory.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        if not tensorflow.distribute.has_strategy():
            optimizer._all_reduce_sum_gradients = list


def update_in_one_pass(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Adam and AdamW update each variable by TensorFlow's own operation, which has the same formula.

    Keras' operations read and write the variable and its two averages about ten times, which takes a tenth of a
    training step of a network with many parameters. Trained variables are float32 also in mixed precision; others, of a
    layer that asks for them, are updated by Keras.
    """
    if (
        keras.backend.backend() != "tensorflow"
        or type(optimizer) not in (keras.optimizers.Adam, keras.optimizers.AdamW)
        or optimizer.amsgrad
    ):
        return
    import tensorflow

    if not tensorflow.distribute.has_strategy():
        cls = type(optimizer)
        optimizer.__class__ = type(cls.__name__, (_OnePassUpdates, cls), {})


class _OnePassUpdates(keras.optimizers.Optimizer):
    """What `update_in_one_pass` changes in an optimizer. It comes before the class of the optimizer."""

    def apply(self, *arguments: Any, **options: Any) -> None:
        """Update the variables."""
        self._shared: dict[int, dict[str, Any]] = {}  # by the id of a learning rate: what its variables share
        try:
            super().apply(*arguments, **options)
        finally:
            self._shared.clear()  # the tensors belong to this step

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable."""
        import tensorflow

        if variable.dtype != "float32":
            super().update_step(gradient, variable, learning_rate)
            return
        if id(learning_rate) not in self._shared:  # the first variable of the step with this learning rate
            names = ("beta1", "beta2", "epsilon", "lr")
            values = (self.beta_1, self.beta_2, self.epsilon, learning_rate)
            shared = {name: tensorflow.cast(value, "float32") for name, value in zip(names, values, strict=True)}
            step = tensorflow.cast(self.iterations + 1, "float32")
            shared |= {f"{name}_power": tensorflow.pow(shared[name], step) for name in names[:2]}
            self._shared[id(learning_rate)] = shared
        position = self._get_variable_index(variable)
        tensorflow.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[position].handle,
            v=self._velocities[position].handle,
            grad=tensorflow.cast(tensorflow.convert_to_tensor(gradient), "float32"),
            **self._shared[id(learning_rate)],
        )


@contextmanager
def silence_retracing_warning() -> Iterator[None]:
    """Suppress TensorFlow's warning of functions that are traced again.

    TensorFlow counts the traces of all networks of a process together, so the warning would come without a reason.
    """
    logger = logging.getLogger("tensorflow")

    def is_other_warning(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(is_other_warning)
    try:
        yield
    finally:
        logger.removeFilter(is_other_warning)


# The settings with which networks are built and run, also where keras.json, the environment or a notebook has others:
# name → (read, set, value).
_SETTINGS: Final = {
    "floatx": (keras.config.floatx, keras.config.set_floatx, "float32"),
    "image_data_format": (keras.config.image_data_format, keras.config.set_image_data_format, "channels_last"),
    "epsilon": (keras.config.epsilon, keras.config.set_epsilon, 1e-7),
    "max_epochs": (keras.config.max_epochs, keras.config.set_max_epochs, None),
    "max_steps_per_epoch": (keras.config.max_steps_per_epoch, keras.config.set_max_steps_per_epoch, None),
}

_settings_lock = Lock()
_settings_users = 0
_user_settings: dict[str, Any] = {}


@contextmanager
def fixed_settings() -> Iterator[None]:
    """Use marsseg's values of Keras' global settings inside the block, so that the user's settings change no result.

    The settings belong to the process, and threads may leave this block in another order than they entered it. All
    threads use the same values, and the last thread that leaves restores the user's settings.
    """
    global _settings_users, _user_settings
    with _settings_lock:
        # Read the policy first: if it was never set, Keras derives it from `floatx`, which is changed below.
        policy = keras.config.dtype_policy()
        if not _settings_users:
            _user_settings = {name: read() for name, (read, _, _) in _SETTINGS.items()}
        for _, write, value in _SETTINGS.values():  # also inside another block, as a plugin may have changed them
            write(value)
        _settings_users += 1
    # Each thread has its own policy.
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _settings_lock:
            _settings_users -= 1
            if not _settings_users:
                for name, (_, write, _) in _SETTINGS.items():
                    write(_user_settings[name])


@contextmanager
def precision(policy: str = "float32") -> Iterator[None]:
    """Use a dtype policy inside the block, to build or load a network. Only one thread at a time can be inside."""
    with _build_lock, fixed_settings():
        keras.config.set_dtype_policy(policy)
        yield


@contextmanager
def preserve_random_state() -> Iterator[None]:
    """Restore the states of Python's and NumPy's global random generators when the block ends.

    A run seeds them. Without this, a user's loop that draws random numbers and trains would draw the same numbers in
    each pass.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def clear_session() -> None:
    """Free Keras' global state of the networks built so far, but keep its settings.

    This waits while another thread builds a network, since that thread's dtype policy would be lost.
    """
    with _build_lock:
        policy = keras.config.dtype_policy()
        keras.utils.clear_session()
        keras.config.set_dtype_policy(policy)


def _thread_count() -> int:
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


def environment(distributions: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of environment.json: machine, versions, backend, devices and command of this process.

    `distributions` are the packages, with their versions, that are needed to load the run.
    """
    names = ("marsseg", "keras", "tensorflow", "jax", "numpy", "scipy", "opencv-python-headless")
    return {
        "schema": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "backend": keras.backend.backend(),
        "keras": {name: value for name, (_, _, value) in _SETTINGS.items()},
        "devices": keras.distribution.list_devices(),
        "threads": _thread_count(),
        "versions": {**distributions, **versions(names)},
        "command": sys.argv,
    }
