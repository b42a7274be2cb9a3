"""Auxiliary heads are trained and not stored; layers of nested components are found when a network is loaded."""

import keras
import numpy as np
import pytest
from keras import ops

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.networks.build import build_network
from marsseg_core.networks.heads import presence_loss, scored_network, split_heads
from marsseg_core.training.assembly import build_task
from marsseg_core.training.objective import build_objective

pytestmark = pytest.mark.usefixtures("without_reports")

GUIDED = "unet3plus:width=0.0625:depth=3:convolutions=1:deep_supervision=true:guided=true"
DATA = "synthetic:count=24:height=16:width=32"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "guided"
    return marsseg.run(arch=GUIDED, data=DATA, epochs=1, batch=4, out=out)


def test_the_stored_network_returns_logits_only(run):
    network = marsseg.load(run.path)
    assert tuple(network.output_shape) == (None, 16, 32, 5)
    images = run.data.images[:2] / np.float32(255)
    np.testing.assert_array_equal(network.predict_on_batch(images), run.network.predict_on_batch(images))


def test_each_head_has_half_the_weight_of_the_one_before(run):
    network = build_network(run.plan, (16, 32, 1), 5)
    task = build_task(run.plan, network, build_objective(run.plan, run.data, run.split))
    images, masks = run.data.images[:4] / np.float32(255), run.data.masks[:4]
    outputs = network(images)
    logits, auxiliary = split_heads(outputs)
    assert list(auxiliary) == ["aux_2", "aux_3", "presence"]
    expected = float(task.objective(task.loss_values(masks, logits)))
    for weight, name in ((0.5, "aux_2"), (0.25, "aux_3")):
        expected += weight * float(task.objective(task.loss_values(masks, auxiliary[name])))
    expected += 0.125 * float(presence_loss(masks, auxiliary["presence"], (0,)))
    assert float(task.compute_loss(images, masks, outputs)) == pytest.approx(expected, rel=1e-5)


def test_the_plan_can_set_the_weights_of_the_heads(run):
    plan = plan_with(run, "training.head_weights=0.3,0,2")
    network = build_network(plan, (16, 32, 1), 5)
    task = build_task(plan, network, build_objective(plan, run.data, run.split))
    images, masks = run.data.images[:4] / np.float32(255), run.data.masks[:4]
    outputs = network(images)
    logits, auxiliary = split_heads(outputs)
    main, second = (float(task.objective(task.loss_values(masks, each))) for each in (logits, auxiliary["aux_2"]))
    presence = float(presence_loss(masks, auxiliary["presence"], (0,)))
    expected = main + 0.3 * second + 2 * presence
    assert float(task.compute_loss(images, masks, outputs)) == pytest.approx(expected, rel=1e-5)


def test_weights_for_another_number_of_heads_are_refused(run):
    plan = plan_with(run, "training.head_weights=1,1")
    network = build_network(plan, (16, 32, 1), 5)
    with pytest.raises(RequestError, match=r"2 head_weights do not fit the network's 3 auxiliary heads"):
        build_task(plan, network, build_objective(plan, run.data, run.split))


def plan_with(run, setting):
    return api.plan(run.path, overrides=[setting])


def test_training_changes_the_weights_of_every_head(run):
    network = build_network(run.plan, (16, 32, 1), 5)
    task = build_task(run.plan, network, build_objective(run.plan, run.data, run.split))
    task.compile(optimizer="sgd")
    before = {weight.path: np.array(weight) for weight in network.trainable_weights}
    task.train_on_batch(run.data.images[:8] / np.float32(255), run.data.masks[:8])
    heads = [path for path in before if path.startswith(("logits", "aux_", "presence"))]
    moved = {weight.path for weight in network.trainable_weights if (np.array(weight) != before[weight.path]).any()}
    assert len(heads) >= 6
    assert {path for path in heads if path.endswith("kernel")} <= moved


def test_a_network_with_one_output_is_scored_as_it_is():
    network = marsseg.network("unet:width=0.06:depth=1")
    assert scored_network(network) is network


def presence(labels, logits):
    return float(presence_loss(np.asarray(labels, np.uint8), ops.convert_to_tensor(logits), (0,)))


def test_presence_loss_against_numpy():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3, 255], (2, 4, 4)).astype(np.uint8)
    labels[1][labels[1] == 3] = 1
    logits = rng.normal(size=(2, 5)).astype(np.float32)
    counted = [1, 2, 3, 4]
    present = np.array([[(image == c).any() for c in counted] for image in labels], float)
    labelled = np.isin(labels, counted).mean(axis=(1, 2))
    weight = np.where(present, 1, labelled[:, None])
    p = 1 / (1 + np.exp(-logits[:, counted]))
    entropy = -(present * np.log(p) + (1 - present) * np.log(1 - p))
    assert presence(labels, logits) == pytest.approx((weight * entropy).sum() / weight.sum(), rel=1e-5)


def test_in_completely_labelled_images_presence_is_the_published_mean():
    labels = np.array([[[1, 2]], [[3, 3]]])
    logits = np.array([[9, 1, -2, 0.5, 3], [9, 0, 1, 2, -1]], np.float32)
    present = np.array([[1, 1, 0, 0], [0, 0, 1, 0]])
    p = 1 / (1 + np.exp(-logits[:, 1:]))
    expected = -(present * np.log(p) + (1 - present) * np.log(1 - p)).mean()
    assert presence(labels, logits) == pytest.approx(expected, rel=1e-5)


def test_an_image_without_labels_does_not_count():
    """It was once counted like a completely labelled image without the class."""
    sure = np.full((1, 5), 10, np.float32)
    for label in (0, 255):
        assert presence(np.full((1, 4, 4), label), sure) == 0
        both = np.stack([np.full((4, 4), 1), np.full((4, 4), label)])
        assert presence(both, np.repeat(sure, 2, axis=0)) == pytest.approx(presence(both[:1], sure), rel=1e-6)


def test_bottlenecks_in_a_components_fields_are_checked_with_the_plan():
    with pytest.raises(RequestError, match="transfomer"):
        api.plan(arch="dual:first_bottleneck=transfomer")


def test_layers_of_bottlenecks_in_a_components_fields_are_found_when_loading(tmp_path, python_with_keras):
    arch = "dual:width=0.1:first_bottleneck=transformer:second_bottleneck=swin"
    run = marsseg.run(arch=arch, data=DATA, epochs=1, batch=8, out=tmp_path / "run")
    assert isinstance(run.network, keras.Model)
    code = "import sys, marsseg_core; print(marsseg_core.load(sys.argv[1]).output_shape)"
    result = python_with_keras(code, str(run.path))
    assert "(None, 16, 32, 5)" in result.out


def test_a_network_whose_only_head_is_the_main_one_is_scored():
    inputs = keras.Input((8, 8, 1))
    network = keras.Model(inputs, {"logits": keras.layers.Conv2D(5, 1)(inputs)})
    assert scored_network(network).output.shape == (None, 8, 8, 5)
