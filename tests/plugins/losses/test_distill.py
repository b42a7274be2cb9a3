"""Distillation: a loss by which finished runs teach a network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers.loss_cases import CLASSES, SPEC, counted, sample
from helpers.paths import FROZEN
from keras import ops

import marsseg
from marsseg_core.components.interfaces import Loss
from marsseg_core.data.splits import split_data
from marsseg_core.errors import RequestError
from marsseg_core.networks.build import build_network
from marsseg_core.networks.frozen import FrozenNetwork
from marsseg_core.networks.load import load
from marsseg_core.registry.kinds import LOSS
from marsseg_core.registry.session import open_session
from marsseg_core.testing.losses import LossContract, measure
from marsseg_core.training.assembly import build_task
from marsseg_core.training.objective import build_objective
from marsseg_core.training.objective_checks import check_objective
from marsseg_plugins.losses.distill import Distill

RUN = FROZEN / "finished"
DATA = "synthetic:count=12:height=16:width=32"


@dataclass(frozen=True)
class ToImages(Loss):
    """The mean square of the difference of logits and images at the labelled pixels."""

    wants_images = True

    def build(self, spec):
        from marsseg_plugins.losses.cross_entropy import valid_pixels

        def loss(labels, logits, *, images):
            valid = valid_pixels(labels, spec.ignore_classes)[..., None]
            return ops.mean(ops.where(valid, ops.square(ops.cast(logits, "float32") - images), 0.0))

        return loss


def test_the_contract_of_losses_passes_images_on():
    class Contract(LossContract):
        component = ToImages()

    Contract().test_the_gradient_is_exactly_zero_where_no_pixel_counts("every label")
    Contract().test_it_trains_in_a_compiled_step()


def teacher(factor):
    return lambda images: factor * ops.cast(images, "float32")


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class TestTheFormula:
    @pytest.mark.parametrize("pixels", ["all", "labelled"])
    @pytest.mark.parametrize("temperature", [1.0, 3.0])
    def test_is_the_divergence_from_the_mean_of_the_teachers(self, temperature, pixels):
        labels, logits = sample()
        images = np.random.default_rng(1).normal(size=logits.shape).astype(np.float32)
        spec = replace(SPEC, open_run={"a": teacher(2.0), "b": teacher(-1.0)}.__getitem__)
        loss = Distill(runs=("a", "b"), temperature=temperature, pixels=pixels)
        value, gradient = measure(loss, spec, labels, logits, images)
        p = softmax(logits[..., 1:].astype(np.float64) / temperature)
        q = (softmax(2.0 * images[..., 1:] / temperature) + softmax(-images[..., 1:] / temperature)) / 2
        chosen = counted(labels) if pixels == "labelled" else np.ones(labels.shape, bool)
        divergence = (q * (np.log(q) - np.log(p))).sum(axis=-1)[chosen].mean()
        assert value == pytest.approx(temperature**2 * divergence, rel=1e-4)
        expected = temperature * (p - q) * chosen[..., None] / chosen.sum()
        np.testing.assert_allclose(gradient[..., 1:], expected, rtol=1e-3, atol=1e-6)
        assert (gradient[~chosen] == 0).all()
        assert (gradient[..., 0] == 0).all()  # an ignored class

    def test_is_0_for_the_teachers_own_logits_and_where_no_pixel_counts(self):
        labels, logits = sample()
        spec = replace(SPEC, open_run=lambda path: teacher(1.0))
        loss = Distill(runs=("a",))
        assert measure(loss, spec, labels, logits, logits)[0] == pytest.approx(0, abs=1e-6)
        void = np.full_like(labels, 255)
        value, gradient = measure(Distill(runs=("a",), pixels="labelled"), spec, void, logits, -logits)
        assert value == 0
        assert (gradient == 0).all()


@pytest.fixture
def copies(tmp_path):
    """Two copies of a finished run, the second one with a + in its name."""
    return [shutil.copytree(RUN, tmp_path / name) for name in ("one", "unet++")]


def planned(runs, loss="ssce,distill:runs={}:weight=0.5", **words):
    return marsseg.plan(
        loss=loss.format("+".join(map(str, runs))), arch="unet:width=0.125:depth=1:convolutions=1", data=DATA, **words
    )


class TestInARun:
    def test_the_plan_records_the_teachers(self, copies, tmp_path):
        plan = planned(copies)
        distill = plan.components(LOSS)[1]
        assert distill.runs == tuple(map(str, copies))
        assert len(distill.run_hashes) == 2
        assert distill.run_components == ("arch.marsseg/unet",)
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        for copy in copies:
            shutil.rmtree(copy)
        assert marsseg.plan(tmp_path / "plan.toml").to_toml() == plan.to_toml()

    def test_a_comma_between_runs_is_an_error_that_says_how_to_join_them(self, tmp_path):
        with pytest.raises(RequestError, match=f"There is no loss '{tmp_path}'") as caught:
            marsseg.plan(loss=f"distill:runs={RUN},{tmp_path}", data=DATA)
        assert caught.value.hint.startswith("Installed loss names")  # any other folder is a wrong name
        with pytest.raises(RequestError, match=f"There is no loss '{RUN}'") as caught:
            marsseg.plan(loss=f"distill:runs={RUN},{RUN}", data=DATA)
        assert caught.value.hint == "A comma begins another component: join several runs with +."

    def test_the_teachers_see_the_images_of_the_batch(self):
        plan = planned([RUN])
        data = marsseg.dataset(DATA)
        split = split_data(data, 0.2, 0.2, 0)
        objective = build_objective(plan, data, split)
        network = build_network(plan, data.images.shape[1:], data.num_classes)
        task = build_task(plan, network, objective)
        check_objective(task, objective, data.images.shape[1:])
        images, masks = data.images[:4].astype(np.float32) / 255, data.masks[:4]
        first = load(RUN, open_session())
        logits = first(images, training=False)
        values = task.loss_values(masks, logits, images)
        assert float(values["distill"]) == pytest.approx(0, abs=1e-5)
        assert float(task.loss_values(masks, logits, images[::-1])["distill"]) > 1e-4
        assert len(task.trainable_variables) == len(network.trainable_variables)
        assert not [layer for layer in task._flatten_layers() if isinstance(layer, FrozenNetwork)]

    def test_a_teacher_that_has_changed_or_is_gone_is_refused(self, copies):
        plan = planned(copies[:1])
        data = marsseg.dataset(DATA)
        split = split_data(data, 0.2, 0.2, 0)
        with (copies[0] / "network.keras").open("ab") as file:
            file.write(b"more")
        with pytest.raises(RequestError, match="has changed since the plan was made"):
            build_objective(plan, data, split)
        shutil.rmtree(copies[0])
        with pytest.raises(RequestError, match="is gone"):
            build_objective(plan, data, split)

    def test_crops_and_keras_own_training_are_refused(self):
        data = marsseg.dataset(DATA)
        with pytest.raises(RequestError, match="needs whole images"):
            build_objective(planned([RUN], crop=(8, 8)), data, split_data(data, 0.2, 0.2, 0))
        with pytest.raises(RequestError, match="needs the images"):
            marsseg.loss(f"distill:runs={RUN}", num_classes=CLASSES)


@pytest.mark.usefixtures("without_observers")
def test_a_run_learns_from_a_teacher_and_its_network_is_its_own(tmp_path):
    options = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": DATA, "epochs": 1}
    run = marsseg.run(**options, loss=f"distill:runs={RUN}", out=tmp_path / "run")
    assert run.history[-1]["val_loss"] > 0
    assert run.network.count_params() == marsseg.network(options["arch"], height=16, width=32).count_params()
