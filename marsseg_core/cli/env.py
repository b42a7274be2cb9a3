"""`marsseg env`: print what a report of a bug needs."""

from __future__ import annotations

import os
import platform
from typing import Annotated, Final

import typer

from ..errors import MarssegError
from ..networks.machine import processors, versions
from ..networks.startup import chosen_backend
from ..registry.catalog import installed
from ..registry.distribution import DISTRIBUTION
from ..registry.entries import Entry
from .configured import configured
from .loading import load_keras
from .output import print_json, print_table

# What changes results, speed or messages. The others are requirements of these.
_DISTRIBUTIONS: Final = (
    DISTRIBUTION,
    *("keras", "tensorflow", "jax", "numpy", "scipy", "h5py", "opencv-python-headless", "pillow", "matplotlib"),
    *("typer", "rich", "pluggy", "optuna", "submitit", "ray", "mlflow", "mlflow-skinny", "tensorboard"),
    *("onnx", "onnxruntime", "tf2onnx", "ai-edge-litert", "openvino", "rasterio"),
)


def env(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print versions, devices, folders and plugins, for a bug report.

    This starts Keras to list its devices, which takes a few seconds. What is wrong, such as a configuration file, is
    printed with the rest.
    """
    facts = {
        **_machine(),
        **versions(_DISTRIBUTIONS),
        **_folders(),
        **_plugins(configured(context).problem),
        **_devices(),
    }
    if json:
        print_json(environment=facts)
    else:
        print_table(("what", "value"), list(facts.items()))


def _machine() -> dict[str, str]:
    """Return the interpreter, the operating system and the processors that this process may use."""
    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "processors": str(processors()),
    }


def _folders() -> dict[str, str]:
    """Return the cache folder, the configuration files, and the variables of marsseg and Keras that are set."""
    from ..files.cache_folder import root
    from ..files.configuration import project_file, user_file

    try:
        cache = str(root())
    except MarssegError as error:
        cache = f"none: {error.what}"
    user, project = user_file(), project_file()
    files = {
        "user configuration": "none" if user is None else str(user) if user.exists() else f"none ({user})",
        "project configuration": "none" if project is None else str(project),
    }
    chosen = {name: value for name, value in sorted(os.environ.items()) if name.startswith(("MARSSEG_", "KERAS_"))}
    return {"cache": cache, **files, **chosen}


def _plugins(problem: MarssegError | None) -> dict[str, str]:
    """Return what each distribution other than marsseg's own provides, and all problems, from `problem` on."""
    problems = [] if problem is None else [str(problem)]
    try:
        catalog = installed()
    except MarssegError as error:  # in a list of disabled names, perhaps in a file that cannot be read at all
        problems.append(str(error))
        catalog = installed(())
    problems += catalog.problems
    found: dict[str, list[Entry]] = {}
    for entry in catalog.everything:
        if entry.distribution != DISTRIBUTION:
            found.setdefault(entry.provider, []).append(entry)
    plugins = {
        f"plugin {provider}": ", ".join(entry.label + ("" if entry.usable else " (broken)") for entry in entries)
        for provider, entries in sorted(found.items())
    }
    found_problems = {f"problem {number}": text for number, text in enumerate(dict.fromkeys(problems), start=1)}
    return (plugins or {"plugins": "none"}) | found_problems


def _devices() -> dict[str, str]:
    """Return Keras' backend and its devices; if it cannot be started, why."""
    try:
        load_keras()
        import keras

        devices = ", ".join(keras.distribution.list_devices())
    except MarssegError as error:
        devices = f"none: {error.what}"
    return {"backend": chosen_backend(), "devices": devices}
