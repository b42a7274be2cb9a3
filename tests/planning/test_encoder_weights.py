"""A plan records which weights its encoder begins with, without importing Keras or downloading anything."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.files.hashed import file_hash
from marsseg_core.registry import kinds
from marsseg_plugins.encoders.efficientnet_lite0 import EfficientNetLite0

NAME = "efficientnet_lite0"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def published(self, name):
        raise AssertionError("weights are read when a network begins to be trained, and not before")

    monkeypatch.setattr(EfficientNetLite0, "published", published)


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "a.npz", **{"conv/kernel": np.zeros(1)})
    return tmp_path / "a.npz"


def options(base=None, weights=None, **more):
    encoder = {} if weights is None else {"encoder": f"{NAME}:weights={weights}"}
    return api.plan(base, arch="unet", **encoder, **more).resolved[kinds.ENCODER][0].options


def test_the_hash_of_published_weights_is_left_open():
    assert (options(weights="imagenet").weights, options(weights="imagenet").weights_hash) == ("imagenet", None)
    assert options(weights="none").weights is None


def test_a_file_is_recorded_with_its_whole_path_and_its_hash(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    found = options(weights="a.npz")
    assert (found.weights, found.weights_hash) == (str(file), file_hash(file))


def test_a_plan_is_read_without_the_file_that_it_names(file, tmp_path):
    """Loading a finished network needs its plan, but not the weights that it began with."""
    plan = api.plan(arch="unet", encoder=f"{NAME}:weights={file}")
    (tmp_path / "plan.toml").write_text(plan.to_toml())
    file.unlink()
    assert api.plan(tmp_path / "plan.toml").to_toml() == plan.to_toml()


def test_other_weights_do_not_keep_the_old_hash(file, tmp_path):
    (tmp_path / "plan.toml").write_text(api.plan(arch="unet", encoder=f"{NAME}:weights={file}").to_toml())
    other = shutil.copy(file, tmp_path / "b.npz")
    with open(other, "ab") as appended:
        appended.write(b"more")
    plan = tmp_path / "plan.toml"
    assert options(plan, other).weights_hash == file_hash(other)
    assert options(plan, "imagenet").weights_hash is None
    assert options(plan, overrides=[f"encoder.{NAME}.weights=none"]).weights_hash is None
    assert options(plan, overrides=[f"encoder.{NAME}.output_stride=8"]).weights_hash == file_hash(file)


@pytest.mark.parametrize(
    ("weights", "message", "hint"),
    [
        ("imagnet", "There are no weights 'imagnet'", "Did you mean 'imagenet'?"),
        ("there/run", "There are no weights 'run', and no run folder", "Known: imagenet, none."),
        ("there/a.npz", "There is no file of weights", f"[encoder {NAME}]"),
        ("aa.npz", "There is no file of weights", "Did you mean 'a.npz'?"),
        (".", "is not a run folder", "no plan.toml"),
        ("a.txt", "is not a file of weights", "ends in .weights.h5, .npz or .safetensors"),
    ],
)
def test_wrong_weights_are_one_error_with_the_nearest_right_thing(file, weights, message, hint, monkeypatch):
    monkeypatch.chdir(file.parent)
    file.with_suffix(".txt").touch()
    with pytest.raises(RequestError, match=message) as error:
        options(weights=weights)
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (None, "The network of that run was trained without --encoder"),
        ("resnet50", f"The network of that run has the encoder resnet50, not {NAME}"),
        (NAME, None),
    ],
)
def test_a_run_must_have_the_same_encoder(tmp_path, encoder, message):
    (tmp_path / "plan.toml").write_text(api.plan(arch="unet", encoder=encoder).to_toml())
    (tmp_path / "network.keras").write_bytes(b"weights")
    if message is None:
        assert options(weights=tmp_path).weights == str(tmp_path)
        return
    with pytest.raises(RequestError, match=message) as error:
        options(weights=tmp_path)
    assert "--init" in error.value.hint


def test_a_hash_needs_weights():
    with pytest.raises(RequestError, match="weights_hash needs weights"):
        options(overrides=[f"encoder.{NAME}.weights_hash=abc"], encoder=NAME)


def test_the_dry_run_shows_them_and_imports_no_keras(python):
    code = "import sys; from marsseg_core.cli.main import app; app(sys.argv[1:], standalone_mode=False)\n"
    code += "print({'keras', 'tensorflow', 'h5py'} & {*sys.modules})"
    answer = python(code, "run", "--arch", "unet", "--encoder", f"{NAME}:weights=imagenet", "--dry-run")
    assert f"encoder.{NAME}.weights\timagenet\tcommand line" in answer.out
    assert answer.out.endswith("set()\n")
