"""What the tests share: small data, the real tiles, and the command line in this process or in a fresh one."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import marsseg_core  # noqa: F401 (TensorFlow, imported later, reads the environment that marsseg sets)

pytest.register_assert_rewrite("helpers")  # before any of them is imported: a failure shows its values

from helpers.paths import REPOSITORY  # noqa: E402
from helpers.processes import PLAIN_TERMINAL, Answer, run_process  # noqa: E402
from helpers.with_keras import MARSSEG, run_with_keras  # noqa: E402

# A shell that starts the tests in the background lets them, and all processes that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("MPLBACKEND", "Agg")

# Two busy cores: an example that takes long says nothing about the code.
hypothesis.settings.register_profile("marsseg", deadline=None)
hypothesis.settings.load_profile("marsseg")


def pytest_collection_finish() -> None:
    """Leave what the tests import out of all later searches for garbage: each one would read a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Path:
    """Prepared data sets are kept apart from the user's, and go with the tests."""
    path = tmp_path_factory.mktemp("cache")
    os.environ["MARSSEG_CACHE"] = str(path)
    return path


@pytest.fixture(scope="session", autouse=True)
def no_configuration_of_the_user() -> None:
    """The defaults of whoever runs the tests are not those of the tests."""
    os.environ["MARSSEG_CONFIG"] = os.devnull


@pytest.fixture(scope="session", autouse=True)
def compiled_by_jax(tmp_path_factory) -> None:
    """What a process compiles with JAX, later ones read: to load a small network takes them 1 second instead of 14."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(shared / "compiled-by-jax")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


@pytest.fixture
def cli(tmp_path, monkeypatch) -> Callable[..., Answer]:
    """`cli("run", "--dry-run")` → Answer: the command in this process, in an empty folder (`tmp_path`), piped.

    An exception that is not one of marsseg's own fails the test.
    """
    from typer.testing import CliRunner

    from marsseg_core.cli.main import app

    monkeypatch.chdir(tmp_path)

    def call(*words: str, **environment: str) -> Answer:
        result = CliRunner(env=PLAIN_TERMINAL | environment).invoke(app, [*words], catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def python(tmp_path) -> Callable[..., Answer]:
    """`python("print(1)")` → Answer: the code in a fresh process, in an empty folder."""

    def call(code: str, *words: str, **environment: str | None) -> Answer:
        return run_process(sys.executable, "-c", code, *words, cwd=tmp_path, **environment)

    return call


@pytest.fixture
def marsseg(tmp_path) -> Callable[..., Answer]:
    """`marsseg("list")` → Answer: the command in a fresh process, in an empty folder."""

    def call(*words: str, **environment: str) -> Answer:
        return run_process(sys.executable, "-c", MARSSEG, *words, cwd=tmp_path, **environment)

    return call


@pytest.fixture
def python_with_keras(tmp_path) -> Callable[..., Answer]:
    """`python`, in a process that has imported Keras already. It starts 4 processor seconds earlier."""
    return partial(run_with_keras, cwd=tmp_path)


@pytest.fixture
def marsseg_with_keras(tmp_path) -> Callable[..., Answer]:
    """`marsseg`, in a process that has imported Keras already. It starts 4 processor seconds earlier."""
    return partial(run_with_keras, MARSSEG, cwd=tmp_path)


@pytest.fixture(scope="module")
def without_observers() -> Iterator[None]:
    """The runs of a module draw no figures and write no page: that takes a third of the time of a small one."""
    from marsseg_core import hooks

    load = hooks.load_hooks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "load_hooks", lambda observers=None: load(observers=[]))
        yield


@pytest.fixture(scope="module")
def without_reports() -> Iterator[None]:
    """The runs of a module write no report, as with `--disable report`; other observers are called."""
    from marsseg_core.plugin_api import hookimpl
    from marsseg_plugins.observers import report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "marsseg_run_finished", hookimpl(lambda run: None))
        yield


@pytest.fixture(scope="session")
def tiny():
    """24 synthetic images of 16 × 32 pixels with all five classes."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    return Synthetic(count=24, height=16, width=32).load()


@pytest.fixture(scope="session")
def tiny_file(tiny, tmp_path_factory) -> Path:
    """`tiny` as an .npz file in the course's layout: float64 images and masks in one array."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    together = np.stack([tiny.images[..., 0], tiny.masks], axis=1)
    np.savez(path, training_set=together.astype(np.float64), test_set=np.zeros((3, 16, 32)))
    return path


@pytest.fixture(scope="session")
def real_tiles() -> Path:
    """The file of real Mars tiles: $MARSSEG_TILES, or the one beside the repository."""
    given = os.environ.get("MARSSEG_TILES")
    path = Path(given) if given else REPOSITORY.parent / "shared" / "data" / "ai4mars_tiles_64x128.npz"
    if not path.is_file():
        pytest.skip(f"no real Mars tiles: set MARSSEG_TILES ({path} is no file)")
    return path
