"""The plan, the scores of each epoch and what a run leaves behind, for MLflow.

It does so where MARSSEG_OBSERVERS names it: `MARSSEG_OBSERVERS=mlflow marsseg run …`. It needs `pip install
"marsseg[mlflow]"`. Where to is MLflow's to know: MLFLOW_TRACKING_URI, and MLFLOW_EXPERIMENT_NAME (else `marsseg`).
A resumed run goes on with its MLflow run, which `mlflow.json` in the run folder names.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from marsseg_core.plugin_api import FINISHED, hookimpl

from .on_request import asked_for, check_request, final_scalars, scalars

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from marsseg_core.plugin_api import Run

NAME: Final = "mlflow"

_EXPERIMENT: Final = "MLFLOW_EXPERIMENT_NAME"

# What MLflow takes at most, in one call and for one value.
_AT_ONCE: Final = 100
_LONGEST: Final = 6000

# What is in a run folder for marsseg alone, or large and of no use elsewhere.
_NOT_HANDED_ON: Final = ("checkpoint", "mlflow.json", "tensorboard")


@hookimpl
def marsseg_plan_resolved() -> None:
    check_request(NAME)


@hookimpl
def marsseg_network_built(run: Run) -> None:
    if not asked_for(NAME):
        return
    from mlflow import MlflowClient

    client = MlflowClient()
    if not _resumed(client, run):
        tags = {"marsseg.folder": str(run.path.absolute()), "marsseg.data": run.data.source}
        begun = client.create_run(_experiment(client), tags=tags, run_name=run.path.name)
        _log(client, begun.info.run_id, params=_parameters(run))
        run.folder.write_json(_file(run), {"schema": 1, "run": begun.info.run_id})


@hookimpl
def marsseg_epoch_finished(run: Run, record: Mapping[str, float | None]) -> None:
    _log_scalars(run, scalars(record), step=int(record["epoch"] or 0))


@hookimpl(trylast=True)  # the report is among what is handed on
def marsseg_run_finished(run: Run) -> None:
    if not _is_logged(run):
        return
    from mlflow import MlflowClient

    if run.best_epoch is not None:
        _log_scalars(run, final_scalars(run), step=run.best_epoch)
    client, name = MlflowClient(), _logged_run(run)
    for path in sorted(run.path.iterdir()):
        if path.name in _NOT_HANDED_ON or path.name.startswith("."):
            continue
        if path.is_dir():
            client.log_artifacts(name, str(path), artifact_path=path.name)
        else:
            client.log_artifact(name, str(path))
    client.set_terminated(name, "FINISHED" if run.metrics["status"] == FINISHED else "KILLED")


@hookimpl
def marsseg_run_failed(run: Run) -> None:
    if _is_logged(run):
        from mlflow import MlflowClient

        MlflowClient().set_terminated(_logged_run(run), "FAILED")


def _file(run: Run) -> Path:
    return run.path / "mlflow.json"


def _is_logged(run: Run) -> bool:
    return asked_for(NAME) and _file(run).is_file()


def _logged_run(run: Run) -> str:
    return str(run.folder.read_json(_file(run))["run"])


def _resumed(client: MlflowClient, run: Run) -> bool:
    """Go on with the MLflow run of a run that is resumed; one that the store does not know is begun anew."""
    from mlflow.exceptions import MlflowException

    if not _file(run).is_file():
        return False
    try:
        client.update_run(_logged_run(run), status="RUNNING")
    except MlflowException as cause:
        if cause.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return True


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get(_EXPERIMENT, "marsseg")
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _parameters(run: Run) -> list[Any]:
    """The plan's settings as `--dry-run` prints them; of several losses the names stand together."""
    from mlflow.entities import Param

    settings: dict[str, str] = {}
    for setting, value, _ in run.plan.rows():
        settings[setting] = f"{settings[setting]},{value}" if setting in settings else value
    settings["parameters"] = str(run.network.count_params())
    return [Param(_key(setting), value[:_LONGEST]) for setting, value in settings.items()]


def _log_scalars(run: Run, values: Mapping[str, float], step: int) -> None:
    if not _is_logged(run):
        return
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(_key(name), value, now, step) for name, value in values.items()]
    _log(MlflowClient(), _logged_run(run), metrics=metrics)


def _log(client: MlflowClient, name: str, *, params: Sequence[Any] = (), metrics: Sequence[Any] = ()) -> None:
    for some in _pieces(params):
        client.log_batch(name, params=some)
    for some in _pieces(metrics):
        client.log_batch(name, metrics=some)


def _pieces(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _key(name: str) -> str:
    """With only the signs that MLflow takes in a name."""
    return re.sub(r"[^\w.\-: /]", "_", name)
