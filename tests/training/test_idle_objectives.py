"""An objective that cannot be lowered is refused: with the plan, before the training, or after its first epoch."""

import numpy as np
import pytest
from helpers.messages import no_warning, warnings_told

import marsseg_core as marsseg
from marsseg_core.errors import RequestError, RunError

pytestmark = pytest.mark.usefixtures("without_observers")

SMALL = {"arch": "unet:width=0.125:depth=1:convolutions=1", "batch": 4, "epochs": 2}
TINY = "synthetic:count=24:height=16:width=32"


@pytest.fixture
def one_class(tmp_path):
    """An .npz file of images that each show one class and unlabelled pixels."""
    random = np.random.default_rng(0)
    masks = np.where(random.random((60, 16, 32)) < 0.3, 0, np.arange(60)[:, None, None] % 4 + 1)
    path = tmp_path / "one_class.npz"
    images = random.integers(0, 255, masks.shape)
    np.savez(path, training_set=np.stack([images, masks], axis=1).astype(np.float64))
    return path


@pytest.mark.parametrize("loss", ["ssce:weight=0", "wssce:weight=0,dice:weight=0"])
def test_weights_that_are_all_0_are_refused_with_the_plan(cli, loss):
    answer = cli("run", "--loss", loss, "--dry-run")
    assert answer.code == 2
    assert "Every loss has the weight 0" in answer.err
    assert cli("run", "--loss", f"{loss},ssce", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loss", "tversky:false_positives=0:false_negatives=0"), "both 0"),
        (("--loss", "focal_tversky:false_positives=0:false_negatives=0:smooth=1"), "both 0"),
        (("--loss", "wssce", "--set", "loss.wssce.weights=0,0,0,0,0"), "all 0"),
        (("--loss", "dice", "--set", "loss.dice.weights=0,0"), "all 0"),
    ],
)
def test_a_loss_that_is_always_0_is_refused_with_the_plan(cli, arguments, message):
    answer = cli("run", *arguments, "--dry-run")
    assert answer.code == 2
    assert message in answer.err


def test_weights_for_ignored_classes_alone_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RequestError, match="0 for all classes that occur and are not ignored"):
        marsseg.run(loss="wssce", overrides=["loss.wssce.weights=1,0,0,0,0"], data=TINY, out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


CONSTANT = """
from dataclasses import dataclass
from marsseg_core.plugin_api import Loss, param

@dataclass(frozen=True)
class Constant(Loss):
    \"\"\"A loss that does not depend on the prediction.\"\"\"

    value: float = param(0.0, help="what it is")

    def build(self, spec):
        from keras import ops

        return lambda labels, logits: self.value + 0 * ops.sum(logits)
"""


@pytest.mark.parametrize("constant", [0, 3])
def test_a_loss_that_no_network_can_lower_is_refused_before_anything_is_written(tmp_path, constant):
    (tmp_path / "constant.py").write_text(CONSTANT)
    words = SMALL | {"data": TINY, "plugins": [tmp_path / "constant.py"], "out": tmp_path / "run"}
    with pytest.raises(RequestError, match="constant cannot be lowered"):
        marsseg.run(loss=f"constant:value={constant},ssce:weight=0", **words)
    assert not (tmp_path / "run").exists()
    with warnings_told() as warnings:
        marsseg.run(loss=f"constant:value={constant},ssce", **(words | {"epochs": 1}))
    assert warnings == ["The loss 'constant' does not depend on the network's output: nothing is learned from it."]


def test_the_boundary_loss_alone_on_images_of_one_class_ends_after_the_first_epoch(tmp_path, one_class):
    words = SMALL | {"data": str(one_class)}
    with pytest.raises(RunError, match="Nothing was learned in the first epoch: boundary gave exactly 0"), no_warning():
        marsseg.run(loss="boundary", out=tmp_path / "alone", **words)
    with no_warning():
        run = marsseg.run(loss="ssce,boundary", out=tmp_path / "joined", **(words | {"epochs": 1}))
    assert run.history[0]["loss"] > 0


def test_a_ramp_of_weights_excludes_losses_of_weight_0(tmp_path):
    """The ramp could otherwise give all its weight to a loss that does not count."""
    overrides = ["weighting.scheduled.start=1,0", "weighting.scheduled.end=1,0"]
    with pytest.raises(RequestError, match=r"start has 2 weights for 1 losses \(dice\)"):
        marsseg.run(
            loss="ssce:weight=0,dice", weighting="scheduled", out=tmp_path / "run", **(SMALL | {"overrides": overrides})
        )
    assert not (tmp_path / "run").exists()


def test_batches_without_labels_do_not_stop_the_training(tmp_path, one_class):
    """Most of these images are completely void; every fourth one has labels."""
    with np.load(one_class) as archive:
        together = archive["training_set"]
    together[:, 1, :, :] = 255
    together[::4, 1, :8] = 2
    np.savez(tmp_path / "void.npz", training_set=together)
    words = SMALL | {"data": str(tmp_path / "void.npz"), "epochs": 1, "batch": 1}
    warnings = []
    with warnings_told(warnings):
        assert marsseg.run(loss="ssce", out=tmp_path / "run", **words).history[0]["loss"] > 0
    assert warnings[0] == "87.5 % of all pixels are void (255): losses and metrics ignore them."
