"""A backend that does not work is refused at once, with the reason and the next step; what needs no Keras goes on."""

from __future__ import annotations

import json

import pytest

import marsseg_core as marsseg
from marsseg_core import starting
from marsseg_core.errors import RequestError

RUN = ("run", "--epochs", "1", "--out", "run")


@pytest.fixture
def unstarted(monkeypatch, tmp_path):
    """As if Keras were not imported, in an empty KERAS_HOME."""
    monkeypatch.delitem(starting.sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    return tmp_path / "keras" / "keras.json"


@pytest.mark.parametrize("name", ["torch", "openvino", "theano"])
def test_another_backend_is_refused_wherever_it_is_said(unstarted, monkeypatch, name):
    unstarted.write_text(json.dumps({"backend": name}))
    with pytest.raises(RequestError, match=rf"works on TensorFlow and on JAX; Keras' backend is '{name}'.*keras\.json"):
        starting.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # takes precedence, as in Keras
    starting.check_backend()
    unstarted.unlink()
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(RequestError, match=rf"KERAS_BACKEND={name}\] Say KERAS_BACKEND=tensorflow"):
        starting.check_backend()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"floatx": "float16"}', None])
def test_without_a_choice_it_is_tensorflow(unstarted, text):
    if text is not None:
        unstarted.write_text(text)
    assert starting.chosen_backend() == "tensorflow"
    starting.check_backend()


def test_a_backend_that_is_not_installed_is_named_with_what_installs_it(unstarted, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(starting.sys.modules, "jax", raising=False)
    monkeypatch.setattr(starting, "find_spec", lambda name: None)
    with pytest.raises(
        RequestError, match=r"'jax', which is not installed.*pip install jax; or say KERAS_BACKEND=tens"
    ):
        starting.check_backend()


@pytest.fixture
def on_torch(monkeypatch):
    monkeypatch.setattr(starting, "chosen_backend", lambda: "torch")


@pytest.mark.usefixtures("on_torch")
@pytest.mark.parametrize(
    "words",
    [
        RUN,
        ("run", "--seeds", "2"),
        ("run", "--resume", "nowhere"),
        ("predict", "nowhere", "nowhere.png", "--out", "masks"),
        ("evaluate", "nowhere"),
        ("show", "unet", "--build"),
        ("show", "unet", "--plot", "unet.png"),
        ("doctor",),
    ],
)
def test_every_command_that_needs_keras_refuses_it_before_anything_else(cli, tmp_path, words):
    answer = cli(*words)
    assert answer.code == 2
    assert "marsseg works on TensorFlow and on JAX; Keras' backend is 'torch'." in answer.err
    assert "Loading" not in answer.err
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("on_torch")
@pytest.mark.parametrize(
    "words",
    [("list",), ("show", "unet"), ("run", "--dry-run"), ("data", "inspect", "synthetic:count=6"), ("--version",)],
)
def test_commands_that_need_no_keras_go_on_working(cli, words):
    assert cli(*words).code == 0


@pytest.mark.usefixtures("on_torch")
@pytest.mark.parametrize(
    "call",
    [
        lambda: marsseg.run(epochs=1),
        lambda: marsseg.series(seeds=2),
        lambda: marsseg.resume("nowhere"),
        lambda: marsseg.network("unet"),
        lambda: marsseg.loss("dice"),
        lambda: marsseg.load("nowhere"),
        lambda: marsseg.predict("nowhere", []),
        lambda: marsseg.evaluate("nowhere"),
    ],
)
def test_every_function_that_needs_keras_refuses_it(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="Keras' backend is 'torch'"):
        call()
    assert not [*tmp_path.iterdir()]


def test_a_file_of_components_that_imports_keras_is_not_blamed_for_the_backend(python, tmp_path):
    (tmp_path / "mine.py").write_text("import keras\n")
    code = "import marsseg_core as m\nm.run(plugins=['mine.py'], loss='mine')"
    answer = python(code, KERAS_BACKEND="torch")
    assert "RequestError: marsseg works on TensorFlow and on JAX" in answer.err


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({"backend": "torch"}, {}, "Keras' backend is 'torch'"),
        ({}, {"KERAS_BACKEND": "nonsense"}, "Keras' backend is 'nonsense'"),
        ({"floatx": "float8"}, {}, "Keras cannot be loaded: Invalid `floatx`"),
    ],
)
def test_in_a_fresh_process_it_is_one_error_and_nothing_is_left(marsseg, tmp_path, settings, environment, said):
    home = tmp_path / "keras"
    home.mkdir()
    (home / "keras.json").write_text(json.dumps(settings))
    answer = marsseg(*RUN, KERAS_HOME=str(home), **environment)
    assert answer.code == 2
    assert said in answer.err
    assert "keras.json" in answer.err or "KERAS_BACKEND=" in answer.err
    assert "Traceback" not in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["keras"]
