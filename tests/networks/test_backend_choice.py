"""An unsupported backend is refused at once, with the reason and the next step; commands without Keras still work."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.networks import startup

pytestmark = pytest.mark.usefixtures("without_reports")

RUN = ("run", "--epochs", "1", "--out", "run")


@pytest.fixture
def unstarted(monkeypatch, tmp_path):
    """As if Keras were not imported, in an empty KERAS_HOME."""
    monkeypatch.delitem(startup.sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    return tmp_path / "keras" / "keras.json"


@pytest.mark.parametrize("name", ["torch", "openvino", "theano"])
def test_another_backend_is_refused_wherever_it_is_set(unstarted, monkeypatch, name):
    unstarted.write_text(json.dumps({"backend": name}))
    with pytest.raises(RequestError, match=rf"works on TensorFlow and on JAX; Keras' backend is '{name}'.*keras\.json"):
        startup.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # takes precedence, as in Keras
    startup.check_backend()
    unstarted.unlink()
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(RequestError, match=rf"KERAS_BACKEND={name}\] Set KERAS_BACKEND=tensorflow"):
        startup.check_backend()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"floatx": "float16"}', None])
def test_without_a_choice_it_is_tensorflow(unstarted, text):
    if text is not None:
        unstarted.write_text(text)
    assert startup.chosen_backend() == "tensorflow"
    startup.check_backend()


def test_a_backend_that_is_not_installed_is_named_with_the_command_to_install_it(unstarted, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(startup.sys.modules, "jax", raising=False)
    monkeypatch.setattr(startup, "find_spec", lambda name: None)
    with pytest.raises(
        RequestError, match=r"'jax', which is not installed.*pip install jax; or set KERAS_BACKEND=tens"
    ):
        startup.check_backend()


@pytest.fixture
def on_torch(monkeypatch):
    monkeypatch.setattr(startup, "chosen_backend", lambda: "torch")


@pytest.mark.usefixtures("on_torch")
@pytest.mark.parametrize(
    "words",
    [
        RUN,
        ("run", "--seeds", "2"),
        ("run", "--resume", "nowhere"),
        ("run", "--extend", "nowhere", "--epochs", "9"),
        ("report", "nowhere"),
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
        lambda: marsseg.extend("nowhere", epochs=9),
        lambda: marsseg.report("nowhere"),
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
    ("settings", "environment", "message"),
    [
        ({"backend": "torch"}, {}, "Keras' backend is 'torch'"),
        ({}, {"KERAS_BACKEND": "nonsense"}, "Keras' backend is 'nonsense'"),
        ({"floatx": "float8"}, {}, "Keras cannot be loaded: Invalid `floatx`"),
    ],
)
def test_in_a_new_process_it_is_one_error_and_no_files_are_left(marsseg, tmp_path, settings, environment, message):
    home = tmp_path / "keras"
    home.mkdir()
    (home / "keras.json").write_text(json.dumps(settings))
    answer = marsseg(*RUN, KERAS_HOME=str(home), **environment)
    assert answer.code == 2
    assert message in answer.err
    assert "keras.json" in answer.err or "KERAS_BACKEND=" in answer.err
    assert "Traceback" not in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["keras"]


PREDICT = """
import json, logging, sys
import numpy as np
import marsseg_core as m
lines = []
handler = logging.Handler(logging.WARNING)
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("marsseg").addHandler(handler)
with np.load(sys.argv[2]) as given:
    found = [*m.predict(sys.argv[1], given["images"], probabilities=True)]
    scores = m.evaluate(sys.argv[1]).to_json()
np.savez(sys.argv[3], found=found)
print(json.dumps([scores, sorted(set(lines))]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        {"arch": "unet:width=0.125:depth=2", "bottleneck": "transformer:layers=1,aspp"},
        {"arch": "dense:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "precision": "mixed_bfloat16"},
    ],
)
def test_a_network_gives_the_same_results_on_jax_with_a_warning(tmp_path, python, marsseg, words):
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    data = "synthetic:count=24:height=16:width=32"
    run = api.run(data=data, batch=4, epochs=2, out=tmp_path / "run", **words)
    np.savez(tmp_path / "images.npz", images=run.data.images[:4])
    files = str(run.path), str(tmp_path / "images.npz"), str(tmp_path / "found.npz")
    answer = python(PREDICT, *files, KERAS_BACKEND="jax")
    assert answer.code == 0, answer.err
    scores, warnings = json.loads(answer.out)
    assert warnings == ["The run was trained with tensorflow; this is jax: results differ by rounding only."]
    expected = [*api.predict(run.path, run.data.images[:4], probabilities=True)]
    half = words.get("precision") is not None
    with np.load(files[2]) as found:
        np.testing.assert_allclose(found["found"], expected, atol=0.02 if half else 1e-5)
    if not half:
        assert scores == run.metrics["subsets"]["test"]
        answer = marsseg("evaluate", str(run.path), KERAS_BACKEND="jax")
        assert "Warning: The run was trained with tensorflow; this is jax" in answer.err
        assert f"{scores['miou']:.4f}" in answer.out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no list of users in a file")
def test_a_user_without_a_home_folder_has_a_backend(monkeypatch):
    """As in a container, where the number of the user is in no list."""
    import pwd

    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert startup._settings_file().name == "keras.json"
    startup.check_backend()
