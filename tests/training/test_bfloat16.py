"""A run with `precision=auto` where the machine has bfloat16: trained, interrupted, resumed elsewhere, and used."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import RunError
from marsseg_core.experiments import series
from marsseg_core.networks import precision
from marsseg_core.training.callbacks import FiniteLoss

pytestmark = pytest.mark.usefixtures("without_observers")


class StopInTheSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_bfloat16_from_the_first_step_to_the_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "choose_precision", lambda: ("mixed_bfloat16", "this processor has bf16"))
    run = marsseg.run(
        arch="unet:width=0.125:depth=1:convolutions=1:upsampling=transposed",
        bottleneck="none",
        loss="wssce,lovasz",
        data="synthetic:count=16:height=16:width=16",
        batch=4,
        epochs=2,
        precision="auto",
        overrides=["training.averaging=ema"],
        callbacks=[StopInTheSecondEpoch()],
        out=tmp_path / "run",
    )
    assert run.interrupted
    training = tomllib.loads((run.path / "plan.toml").read_text())["training"]
    assert (training["precision"], training["precision_from"]) == ("mixed_bfloat16", "auto")
    assert "precision=auto: mixed_bfloat16, as this processor has bf16." in (run.path / "log.txt").read_text()

    # Another machine would have chosen float32.
    monkeypatch.setattr(precision, "choose_precision", lambda: ("float32", "this processor has none"))
    run = marsseg.resume(run.path)
    assert len(run.history) == 2
    assert run.plan.training.precision == "mixed_bfloat16"
    assert all(np.isfinite([*record.values()]).all() for record in run.history)

    network = marsseg.load(run.path)
    assert "bfloat16" in {layer.compute_dtype for layer in network.layers}
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in network.weights} == {"float32"}
    assert network.output.dtype == "float32"
    # The network scores the same after loading as in the training.
    best = run.history[run.best_epoch - 1]
    assert marsseg.evaluate(run, subset="validation").miou == pytest.approx(best["val_miou"], abs=1e-6)
    (probabilities,) = marsseg.predict(run, run.data.images[:1], probabilities=True)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)


def test_a_series_records_what_auto_became_before_its_first_run(tmp_path, monkeypatch):
    written = []

    def run_members(folder, plans, data):
        written.extend([(folder.path / series.SERIES_PLAN).read_text(), *(plan.to_toml() for plan in plans.values())])

    monkeypatch.setattr(series, "run_members", run_members)
    monkeypatch.setattr(precision, "choose_precision", lambda: ("mixed_bfloat16", "this processor has bf16"))
    plan = api.plan(data="synthetic:count=16:height=16:width=16", precision="auto")
    series.run_series("seeds", series.seed_plans(plan, 2), out=tmp_path / "series")
    assert len(written) == 3
    assert all('precision = "mixed_bfloat16"' in text and 'precision_from = "auto"' in text for text in written)


@pytest.mark.parametrize(("policy", "overflows"), [("mixed_bfloat16", False), ("mixed_float16", True)])
def test_only_float16_is_blamed_for_an_overflow(policy, overflows):
    callback = FiniteLoss(policy)
    network = SimpleNamespace(trainable_variables=[np.array([np.inf])])
    optimizer = SimpleNamespace(learning_rate=0.5)
    callback.set_model(SimpleNamespace(optimizer=optimizer, network=network, loss_names=["ssce"]))
    callback.on_epoch_begin(1)
    with pytest.raises(RunError) as error:
        callback.on_train_batch_end(0, {"loss": np.nan})
    assert ("overflows easily" in str(error.value)) is overflows
    assert "smaller learning rate" in str(error.value)
