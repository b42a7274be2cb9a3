"""What `precision=auto` becomes, where it is recorded, and that bfloat16 keeps the gradients of biases."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from marsseg_core import api
from marsseg_core.experiments.series import seed_plans
from marsseg_core.networks import precision
from marsseg_core.networks.build import build_network
from marsseg_core.networks.keras_backend import kernels, settings
from marsseg_core.networks.keras_backend.devices import Accelerator, accelerators
from marsseg_core.networks.keras_backend.kernels import add_biases_in_float32
from marsseg_core.networks.precision import (
    accelerators_suit,
    choose_precision,
    processor_suits,
    settle_precision,
    sums_in_float32,
    warn_of_lost_gradients,
)

pytestmark = pytest.mark.usefixtures("without_reports")

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
flags\t\t: fpu sse2 avx512f{0}
vmx flags\t: vnmi

processor\t: 1
flags\t\t: fpu sse2 avx512f{1}
"""
ARM = """processor\t: 0
Features\t: fp asimd{0}
CPU part\t: 0xd40

processor\t: 1
Features\t: fp asimd{1}
"""


@pytest.mark.parametrize(
    ("text", "suits", "reason"),
    [
        (X86.format("", ""), False, "this processor has no bfloat16 (avx512_bf16 or amx_bf16)"),
        (X86.format(" avx512_bf16", " avx512_bf16"), True, "this processor has avx512_bf16"),
        (X86.format(*2 * [" avx512_bf16 amx_tile amx_bf16"]), True, "this processor has avx512_bf16 and amx_bf16"),
        (X86.format(" amx_bf16", ""), False, "this processor has no bfloat16"),  # not on all of its cores
        (X86.format(" avx512_bf16x", " bf16"), False, "this processor has no bfloat16"),
        (ARM.format("", ""), False, "this processor has no bfloat16 (bf16)"),
        (ARM.format(" i8mm bf16", " bf16"), True, "this processor has bf16"),
        (ARM.format(" bf16", ""), False, "this processor has no bfloat16"),
        ("", False, "does not tell"),
        ("cpu\t\t: POWER9, altivec supported\n", False, "does not tell"),
        ("\0flags\nflags: \n", False, "this processor has no bfloat16"),
        (None, False, "does not know"),
    ],
)
def test_a_processor_suits_if_all_its_cores_have_bfloat16(text, suits, reason):
    answer = processor_suits(text)
    assert answer[0] is suits
    assert reason in answer[1]


@pytest.mark.parametrize("failure", [PermissionError, FileNotFoundError, OSError])
def test_a_processor_whose_description_cannot_be_read_gets_float32(monkeypatch, failure):
    def unreadable(*args, **words):
        raise failure

    monkeypatch.setattr(precision, "accelerators", list)
    monkeypatch.setattr(precision.Path, "read_text", unreadable)
    policy, reason = choose_precision()
    assert policy == "float32"
    assert "does not know whether this processor has bfloat16" in reason


@pytest.mark.parametrize(
    ("devices", "suits", "reason"),
    [
        ([Accelerator("GPU", "A100", (8, 0))], True, "A100 has bfloat16"),
        ([Accelerator("GPU", "T4", (7, 5))], False, "T4 has no bfloat16 (compute capability 7.5)"),
        ([Accelerator("GPU", "H100", (9, 0)), Accelerator("GPU", "T4", (7, 5))], False, "T4 has no"),
        ([Accelerator("GPU", "Radeon")], False, "compute capability of Radeon is unknown"),
        ([Accelerator("TPU", "TPU v4")], True, "TPU v4 has bfloat16"),
    ],
)
def test_gpus_and_tpus_decide_where_there_are_any(monkeypatch, devices, suits, reason):
    assert accelerators_suit(devices)[0] is suits
    monkeypatch.setattr(precision, "accelerators", lambda: devices)
    policy, text = choose_precision()
    assert policy == ("mixed_bfloat16" if suits else "float32")
    assert reason in text


def test_the_devices_of_tensorflow_have_their_capability(monkeypatch):
    tensorflow = pytest.importorskip("tensorflow")
    devices = [SimpleNamespace(device_type=kind, name=f"/{kind}:0") for kind in ("CPU", "GPU", "GPU", "TPU")]
    given = iter([{"compute_capability": (8, 6), "device_name": "A10"}, {}, {}])
    monkeypatch.setattr(tensorflow.config, "get_visible_devices", lambda: devices)
    monkeypatch.setattr(tensorflow.config.experimental, "get_device_details", lambda device: next(given))
    expected = [Accelerator("GPU", "A10", (8, 6)), Accelerator("GPU", "/GPU:0"), Accelerator("TPU", "/TPU:0")]
    assert accelerators() == expected


def test_the_devices_of_jax_have_their_capability(monkeypatch):
    devices = [
        SimpleNamespace(platform="cpu", device_kind="cpu"),
        SimpleNamespace(platform="gpu", device_kind="NVIDIA T4", compute_capability="7.5"),
        SimpleNamespace(platform="rocm", device_kind="MI300", compute_capability="gfx942"),
        SimpleNamespace(platform="tpu", device_kind="TPU v4"),
    ]
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: devices))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    expected = [Accelerator("GPU", "NVIDIA T4", (7, 5)), Accelerator("GPU", "MI300"), Accelerator("TPU", "TPU v4")]
    assert accelerators() == expected


@pytest.fixture
def chosen(monkeypatch):
    """`precision=auto` becomes mixed_bfloat16, whatever this machine has."""
    monkeypatch.setattr(precision, "choose_precision", lambda: ("mixed_bfloat16", "this processor has bf16"))


@pytest.mark.usefixtures("chosen")
class TestRecord:
    def test_a_settled_plan_says_what_it_became_and_that_this_was_chosen(self, caplog):
        (plan,) = settle_precision([api.plan(precision="auto")])
        assert caplog.messages == ["precision=auto: mixed_bfloat16, as this processor has bf16."]
        assert (plan.training.precision, plan.training.precision_from) == ("mixed_bfloat16", "auto")
        assert ("training.precision", "mixed_bfloat16", "auto") in plan.rows()

    def test_it_is_said_once_for_a_series(self, caplog):
        plans = settle_precision([*seed_plans(api.plan(precision="auto"), 3).values()])
        assert len(caplog.messages) == 1
        assert {plan.training.precision for plan in plans} == {"mixed_bfloat16"}

    def test_another_precision_is_left_as_it_is(self):
        plans = [api.plan(), api.plan(precision="mixed_float16")]
        assert settle_precision(plans) == plans

    def test_a_recorded_choice_is_kept_until_another_precision_is_set(self, tmp_path):
        (plan,) = settle_precision([api.plan(precision="auto")])
        file = tmp_path / "plan.toml"
        file.write_text(plan.to_toml())
        assert settle_precision([again := api.plan(file, epochs=2)]) == [again]
        assert (again.training.precision, again.training.precision_from) == ("mixed_bfloat16", "auto")
        for other in ({"precision": "float32"}, {"precision": "auto"}, {"overrides": ["training.precision=float32"]}):
            assert api.plan(file, **other).training.precision_from is None

    def test_a_dry_run_shows_auto_since_another_machine_may_run_the_plan(self, cli):
        answer = cli("run", "--precision", "auto", "--dry-run")
        assert "training.precision\tauto\tcommand line" in answer.out

    def test_the_network_of_a_recipe_with_auto_is_built(self):
        plan = api.plan(arch="unet:width=0.125:depth=1", bottleneck="none", precision="auto")
        assert build_network(plan, (16, 16, 1), 5).layers[1].compute_dtype == "bfloat16"


def gradients(layer, policy):
    """The gradients of a layer's kernel and bias in a compiled step, for a batch with many cells."""
    import tensorflow

    keras.utils.set_random_seed(1)
    inputs = keras.Input((32, 64, 4))
    network = keras.Model(inputs, layer(policy)(inputs))
    add_biases_in_float32(network)
    images = np.random.default_rng(0).random((8, 32, 64, 4), np.float32)

    @tensorflow.function
    def step(images):
        with tensorflow.GradientTape() as tape:
            value = keras.ops.mean(keras.ops.cast(network(images), "float32"))
        return tape.gradient(value, network.trainable_variables)

    return [np.asarray(keras.ops.cast(gradient, "float32")) for gradient in step(images)]


@pytest.mark.parametrize("fuses", [True, False])
def test_biases_stay_in_bfloat16_where_their_gradient_is_right(monkeypatch, fuses):
    """A plain convolution, whose gradient TensorFlow may fuse; attention, which would compute in float32 otherwise."""
    monkeypatch.setattr(kernels, "sums_in_float32", lambda: fuses)
    inputs = keras.Input((4, 4, 6))
    with settings.precision("mixed_bfloat16"):
        x = keras.layers.Conv2D(6, 3, padding="same", name="plain")(inputs)
        network = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x))
    add_biases_in_float32(network)
    biases = {weight.path.removesuffix("/bias"): weight for weight in network.weights if weight.name == "bias"}
    assert [name for name, bias in biases.items() if not bias._autocast] == [
        *([] if fuses else ["plain"]),
        "attention/attention_output",
    ]


@pytest.mark.parametrize(
    "layer",
    [
        lambda policy: keras.layers.Dense(3, dtype=policy),
        lambda policy: keras.layers.Conv2D(3, 3, padding="same", dtype=policy),
        lambda policy: keras.layers.Conv2D(3, 3, padding="same", dilation_rate=2, dtype=policy),
        lambda policy: keras.layers.Conv2DTranspose(3, 2, strides=2, dtype=policy),
    ],
    ids=["dense", "plain", "dilated", "transposed"],
)
def test_the_gradient_of_a_bias_is_the_sum_over_all_cells_in_bfloat16(layer):
    (half_kernel, half), (full_kernel, full) = gradients(layer, "mixed_bfloat16"), gradients(layer, "float32")
    np.testing.assert_allclose(half, full, rtol=0.02, atol=0.01 * np.abs(full).max())
    if sums_in_float32():  # elsewhere a training says that those of kernels are wrong
        np.testing.assert_allclose(half_kernel, full_kernel, rtol=0.02, atol=0.01 * np.abs(full_kernel).max())


@pytest.mark.parametrize(
    ("cpuinfo", "right"),
    [
        ("flags : avx2 avx512f", True),
        ("flags : avx2", False),
        ("Features : bf16", True),
        ("Features : neon", False),
        ("", False),
    ],
)
def test_a_training_says_where_bfloat16_loses_gradients(monkeypatch, caplog, cpuinfo, right):
    monkeypatch.setattr(precision, "accelerators", list)
    monkeypatch.setattr(precision, "_cpuinfo", lambda: cpuinfo)
    assert sums_in_float32() is right
    warn_of_lost_gradients("float32")
    assert not caplog.messages
    warn_of_lost_gradients("mixed_bfloat16")
    assert any("loses much of them" in message for message in caplog.messages) is not right
