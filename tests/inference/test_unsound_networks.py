"""A network whose output is not finite is neither scored nor used: the error names the item and the next step."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers.messages import no_warning

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.errors import RunError
from marsseg_core.evaluation.decoding import ARGMAX
from marsseg_core.evaluation.evaluate import evaluate
from marsseg_core.inference.prediction import Summary, predict_source
from marsseg_core.inference.scored_data import ScoredImages
from marsseg_core.inference.scoring import _Subject
from marsseg_core.networks.predictor import Predictor
from marsseg_core.planning.metrics import metric_table
from marsseg_core.training.callbacks import Scoring

pytestmark = pytest.mark.usefixtures("without_reports")

SIZE = (8, 16)


@pytest.fixture(params=[np.nan, np.inf, -np.inf], ids=["nan", "inf", "-inf"])
def value(request):
    return request.param


@pytest.fixture
def unsound(value):
    """A network whose logit of class 2 is `value` where an image is white; all its other logits are finite."""
    image = keras.Input((*SIZE, 1))
    logits = keras.layers.Conv2D(3, 1)(image)
    white = keras.ops.cast(image > 0.9, "float32") * keras.ops.convert_to_tensor([0.0, 0.0, 1.0])
    outputs = keras.ops.where(white > 0, value, logits)
    return keras.Model(image, outputs)


@pytest.fixture
def images():
    """Four images, of which number 2 has one white pixel."""
    images = np.full((4, *SIZE, 1), 100, np.uint8)
    images[2, 3, 4] = 255
    return images


@pytest.fixture
def data(images):
    masks = np.ones(images.shape[:3], np.uint8)
    return SegmentationData(images, masks, ("ground", "soil", "rock"), (0,), source="four tiles")


def scorer(networks):
    return _Subject((), networks, (), metric_table(), ARGMAX, tta=True, batch=2)


def test_scoring_names_the_item(unsound, data, value):
    assert evaluate(unsound, data, np.array([0, 1, 3]), 2).to_json()["images"] == 3
    with pytest.raises(RunError, match=rf"predicts {value} for item 2 of four tiles.*smaller learning rate"):
        evaluate(unsound, data, np.arange(4), 3)
    with pytest.raises(RunError, match="item 2 of four tiles"):
        scorer([unsound]).confusion(ScoredImages(data, np.array([0, 3, 2])))
    with pytest.raises(RunError, match="item 2 of four tiles"):
        scorer([unsound, unsound]).confusion(ScoredImages(data, np.array([0, 3, 2])))


def test_scoring_names_the_item_by_its_name(unsound, data):
    named = replace(data, names=["a.png", "b.png", "site/c.png", "d.png"])
    with pytest.raises(RunError, match=r"for site/c\.png of four tiles"):
        evaluate(unsound, named, np.arange(4), 3)
    with pytest.raises(RunError, match=r"for site/c\.png of four tiles"):
        scorer([unsound]).confusion(ScoredImages(named, np.array([0, 3, 2])))


@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("probabilities", [False, True])
def test_prediction_names_the_image(unsound, images, monkeypatch, networks, tta, probabilities):
    """Alone, and in an ensemble with a network whose output is finite."""
    inputs = keras.Input((*SIZE, 1))
    sound = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    classes = type("Classes", (), {"ignore_classes": (0,)})
    monkeypatch.setattr("marsseg_core.inference.ensemble.open_runs", lambda runs: (runs, classes))
    monkeypatch.setattr("marsseg_core.inference.ensemble.scaling_of", lambda runs: None)
    monkeypatch.setattr("marsseg_core.runs.decoding.recorded_decoding", lambda run: ARGMAX)
    networks_of = [unsound, sound][:networks]
    monkeypatch.setattr("marsseg_core.inference.ensemble.load_networks", lambda runs, session, engine: networks_of)
    predictions = marsseg.predict("run", images, tta=tta, probabilities=probabilities)
    next(predictions), next(predictions)
    with pytest.raises(RunError, match="for image 2: "):
        next(predictions)


def test_a_large_image_is_refused_where_one_tile_is_unsound(unsound, monkeypatch):
    large = np.full((40, 50, 1), 100, np.uint8)
    large[30, 40] = 255
    shares = np.concatenate(list(next(Predictor([unsound]).predict([large]))))
    assert np.isnan(shares[30, 40]).all()
    assert np.isfinite(shares[0, 0]).all()


def test_files_are_not_written_for_the_image_that_is_named(unsound, images, tmp_path):
    from marsseg_core.inference.ensemble import Classes
    from marsseg_core.inference.image_sources import ImageSource
    from marsseg_core.inference.outputs import Outputs

    source = ImageSource("four images", ("a", "b", "c", "d"), lambda place: images[place])
    outputs = Outputs(tmp_path / "out", Classes(("ground", "soil", "rock"), (0,)), probabilities=True)
    summary = Summary.empty(3)
    arguments = {"ignore_classes": (0,), "outputs": outputs, "submission": None, "summary": summary}
    with pytest.raises(RunError, match="for c: "), no_warning():
        predict_source(source, Predictor([unsound], batch=1), progress=lambda done: None, **arguments)
    assert sorted(path.name for path in (tmp_path / "out" / "probabilities").iterdir()) == ["a.npy", "b.npy"]
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["a.png", "b.png"]


def test_a_network_that_blew_up_ends_the_training_with_the_likely_cause(tmp_path, monkeypatch):
    """Its weights are finite in the last step, but not when it is scored."""

    def blow_up(self, epoch, logs=None):
        self.model.network.weights[0].assign(np.full(self.model.network.weights[0].shape, np.nan))
        score(self, epoch, logs)

    score = Scoring.on_epoch_end
    monkeypatch.setattr(Scoring, "on_epoch_end", blow_up)
    words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": "synthetic:count=24:height=16:width=32"}
    refused = pytest.raises(
        RunError, match=r"unusable after epoch 1: .*nan for item \d+.*a smaller learning rate than 0"
    )
    with refused, no_warning():
        marsseg.run(**words, batch=4, epochs=2, out=tmp_path / "run")


def test_images_without_a_label_do_not_make_val_loss_small():
    """Void images were once counted with a loss of 0, so that half the images void meant half the loss."""
    from marsseg_core.data.split import Split
    from marsseg_core.networks.build import build_network
    from marsseg_core.training.assembly import build_task
    from marsseg_core.training.objective import build_objective

    masks = np.ones((4, 16, 32), np.uint8)
    masks[2:] = 255
    images = np.random.default_rng(0).integers(0, 255, (4, 16, 32, 1)).astype(np.uint8)
    data = SegmentationData(images, masks, ("ground", "soil", "rock"), (0,))
    plan = api.plan(arch="unet:width=0.125:depth=1:convolutions=1", loss="ssce")
    split = Split((0,), (0, 1, 2, 3), (3,))
    task = build_task(plan, build_network(plan, (16, 32, 1), 3), build_objective(plan, data, split))
    task.compile(optimizer="sgd")

    def val_loss(items, batch):
        logs = {}
        scoring = Scoring(data, np.array(items), batch)
        scoring.set_model(task)
        scoring.on_epoch_end(0, logs)
        return logs["val_loss"]

    assert val_loss([0, 1], 2) > 0
    for batch in (1, 2, 4):
        assert val_loss([0, 1, 2, 3], batch) == pytest.approx(val_loss([0, 1], 2), rel=1e-5)
    assert math.isnan(val_loss([2, 3], 2))
