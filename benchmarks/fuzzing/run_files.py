"""The text files of run folders and series, and the record of an entry of the cache.

The files are those of a small folder that is made here; only one of them is damaged at a time.
"""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.kind import FileKind
from fuzzing.mutations import mutate_json, mutate_toml
from marsseg_core import api
from marsseg_core.data import cache as data_cache
from marsseg_core.data.cleaning import clean
from marsseg_core.data.cleaning_options import CleaningOptions
from marsseg_core.data.split import Split
from marsseg_core.errors import RequestError
from marsseg_core.experiments.comparison import compare_runs
from marsseg_core.files.cache_folder import root
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.planning.plan import Plan
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry.session import open_session
from marsseg_core.runs.metric_values import metric_values
from marsseg_core.runs.recorded_data import recorded_scaling, recorded_split
from marsseg_core.runs.records import read_record
from marsseg_plugins.datasets.synthetic import Synthetic

# Of these inputs, one is compared with a sound run. That takes longer, as two plans are read.
COMPARED = 400

CLASSES = ("background", "soil", "bedrock", "sand", "big_rock")

_rng = random.Random(0)


@cache
def plan(seed: int) -> Plan:
    return api.plan(arch="unet:width=0.125", data="synthetic:count=8:height=8:width=8", seed=seed)


@cache
def data():
    return Synthetic(count=8, height=8, width=8).load()


def metrics(status: str = "finished") -> dict[str, Any]:
    per_class = dict.fromkeys(CLASSES[1:], 0.25)
    scores: dict[str, Any] = {
        "images": 3,
        "miou": 0.5,
        "miou_an2dl": 0.4,
        "miou_all": 0.3,
        "miou_per_image": 0.45,
        "accuracy": 0.75,
    }
    scores |= {"iou": per_class, "support": dict.fromkeys(per_class, 40), "confusion": [[3] * 5] * 5, "dice": 0.5}
    scores |= {"per_class": {"dice": per_class | {"sand": None}}}
    subsets = {"validation": scores, "test": scores}
    return {"schema": 2, "status": status, "epochs": 2, "best_epoch": 1, "best_by": "val_miou", "subsets": subsets}


def old_metrics() -> dict[str, Any]:
    content = metrics()
    return {"schema": 1, "status": "finished", "epochs": 2, "parts": content["subsets"]}


def split(scaling: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"schema": 1, "fingerprint": data().fingerprint(), "source": data().source, "classes": list(CLASSES)}
    content |= {"ignored": [0], "scaling": scaling, "names": None}
    return content | Split((0, 1, 2, 3), (4, 5), (6, 7)).to_json()


def summary() -> dict[str, Any]:
    spread = {"mean": 0.5, "std": 0.1, "n": 2}
    subsets = {"validation": {"miou": spread, "iou_sand": None}, "test": {"miou": spread | {"std": None, "n": 1}}}
    runs = {"seed-0": "finished", "seed-1": None}
    return {"schema": 2, "series": "seeds", "status": "failed", "std": "sample", "runs": runs, "subsets": subsets}


def environment() -> dict[str, Any]:
    versions = {"marsseg": "0.2.0", "keras": "3.15.1"}
    content = {"schema": 1, "python": "3.11.7", "backend": "tensorflow", "devices": ["cpu:0"], "threads": 2}
    return content | {"versions": versions, "command": ["marsseg", "run"], "keras": {"epsilon": 1e-7}, "process": 7}


def cleaning() -> dict[str, Any]:
    report = clean(data(), CleaningOptions(drop_duplicates=True, fill_margin=1)).cleaning
    assert report is not None
    return report.to_json()


def encoded(*contents: dict[str, Any]) -> list[bytes]:
    return [json.dumps(content).encode() for content in contents]


def make_run(path: Path, seed: int) -> RunFolder:
    """Write the text files of a run."""
    folder = RunFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    folder.write_text(folder.plan, plan(seed).to_toml())
    folder.write_json(folder.split, split())
    folder.write_json(folder.metrics, metrics())
    folder.write_json(folder.environment, environment())
    folder.write_json(folder.cleaning, cleaning())
    return folder


@cache
def run(parent: Path) -> RunFolder:
    """Return the run whose files are damaged. It has no manifest, which would show every damage at once."""
    make_run(parent / "sound", 1)
    folder = make_run(parent / "run", 0)
    folder.manifest.unlink()
    return folder


def compared(folder: RunFolder) -> None:
    """Compare the run with a sound one, which must never fail."""
    comparison = compare_runs([folder.path, folder.path.parent / "sound"])
    assert any(run.path.name == "sound" for group in comparison.groups for run in group.runs)
    comparison.to_json()


def read_metrics(path: Path) -> bool:
    folder = run(path.parent.parent)
    try:
        content = folder.read_metrics()
        for scores in content["subsets"].values():
            metric_values(scores)
        return True
    finally:
        if _rng.randrange(COMPARED) == 0:
            compared(folder)


def read_split(path: Path) -> bool:
    folder = run(path.parent.parent)
    try:
        recorded_scaling(folder)
        folder.classes()
        recorded_split(folder, data())
        return True
    finally:
        if _rng.randrange(COMPARED) == 0:
            compared(folder)


def read_environment(path: Path) -> bool:
    folder = run(path.parent.parent)
    content = folder.read_json(folder.environment)
    assert all(isinstance(version, str) for version in content["versions"].values())
    return True


def read_any(path: Path) -> bool:
    json.dumps(run(path.parent.parent).read_json(path))
    return True


def read_manifest(path: Path) -> bool:
    folder = run(path.parent.parent)
    try:
        folder.changed()
        folder.changed(folder.split)
        return True
    finally:
        folder.manifest.unlink()


def manifests() -> list[bytes]:
    names = ("plan.toml", "split.json", "metrics.json", "checkpoint/last.npz", "plugins/mine.py")
    return encoded({"schema": 1, "files": {name: ["0" * 32, "1" * 32] for name in names}}, {"schema": 1, "files": {}})


@cache
def session():
    return open_session()


def read_plan(path: Path) -> bool:
    folder = run(path.parent.parent)
    readable = False
    for read in (
        lambda: resolve(Request(base=str(folder.path)), session()).to_toml(),
        lambda: read_record(folder.path),
    ):
        try:
            read()
            readable = True
        except RequestError:
            continue
        finally:
            if _rng.randrange(COMPARED) == 0:
                compared(folder)
    return readable


def plans() -> list[bytes]:
    frozen = Path(__file__).parents[2] / "tests" / "frozen"
    old = [(frozen / name / "plan.toml").read_bytes() for name in ("finished", "tiles", "gradnorm-killed")]
    users = b'arch = "unet:width=0.5"\nloss = "wssce,dice:weight=0.5"\naugment = []\n[training]\nepochs = 3\n'
    return [plan(0).to_toml().encode(), *old, users, b'plugin = ["mine.py"]\n[data]\nname = "synthetic"\ncount = 8\n']


def entry() -> Path:
    return root() / "data" / ("0" * 32)


def cache_records() -> list[bytes]:
    entry().mkdir(parents=True)
    np.save(entry() / "images.npy", np.zeros((2, 3)))
    state = data_cache._file_state(entry() / "images.npy")
    record = {"format": data_cache._FORMAT, "name": "a", "arrays": {"images": state}, "notes": {}}
    signed = record | {"checksum": data_cache._record_checksum(record)}
    return encoded(signed, signed | {"notes": {"scaling": None, "doubts": ["x"], "fingerprint": "0" * 32}})


def mutate_record(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a damaged record; half of them have a correct checksum."""
    result = mutate_json(rng, content, other)
    if rng.random() < 0.5:
        try:
            record = json.loads(result)
            result = json.dumps(record | {"checksum": data_cache._record_checksum(record)}).encode()
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass
    return result


def read_cache(path: Path) -> bool:
    shutil.copyfile(path, entry() / "entry.json")
    opened = data_cache._open_entry(entry())
    data_cache.entries()
    return opened is not None


SCALED = {"low": 0, "high": 9.5, "numbers": "floats", "per": "set"}

KINDS = [
    FileKind("plan.toml", plans, mutate_toml, read_plan, 50, "run/plan.toml"),
    FileKind("cache record", cache_records, mutate_record, read_cache, 200),
    FileKind(
        "metrics.json",
        lambda: encoded(metrics(), old_metrics(), metrics("interrupted")),
        mutate_json,
        read_metrics,
        1500,
        "run/metrics.json",
    ),
    FileKind("split.json", lambda: encoded(split(), split(SCALED)), mutate_json, read_split, 2200, "run/split.json"),
    FileKind("cleaning.json", lambda: encoded(cleaning()), mutate_json, read_any, 1100, "run/cleaning.json"),
    FileKind("summary.json", lambda: encoded(summary()), mutate_json, read_any, 1500, "run/summary.json"),
    FileKind(
        "environment.json", lambda: encoded(environment()), mutate_json, read_environment, 1300, "run/environment.json"
    ),
    FileKind("manifest.json", manifests, mutate_json, read_manifest, 1700, "run/manifest.json"),
]
