"""Log the plan, the scores of each epoch and the files of a run to MLflow.

The observer is active only if the variable MARSSEG_OBSERVERS names it: `MARSSEG_OBSERVERS=mlflow marsseg run …`. It
needs `pip install "marsseg[mlflow]"`. MLflow's own variables set the destination: MLFLOW_TRACKING_URI, and
MLFLOW_EXPERIMENT_NAME (by default `marsseg`). A resumed run continues its MLflow run, whose id is in `mlflow.json` in
the run folder.
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

# The limits of MLflow: items in one call, and characters of one value.
_BATCH: Final = 100
_MAX_LENGTH: Final = 6000

# The parts of a run folder that only marsseg needs, or that are large and useless elsewhere.
_NOT_UPLOADED: Final = ("checkpoint", "mlflow.json", "tensorboard")


@hookimpl
def marsseg_plan_resolved() -> None:
    """Check the names in MARSSEG_OBSERVERS."""
    check_request(NAME)


@hookimpl
def marsseg_network_built(run: Run) -> None:
    """Create the MLflow run and log the settings; for a resumed run, continue its MLflow run."""
    if not asked_for(NAME):
        return
    from mlflow import MlflowClient

    client = MlflowClient()
    if not _resumed(client, run):
        tags = {"marsseg.folder": str(run.path.absolute()), "marsseg.data": run.data.source}
        created = client.create_run(_experiment(client), tags=tags, run_name=run.path.name)
        _log(client, created.info.run_id, params=_parameters(run))
        run.folder.write_json(_file(run), {"schema": 1, "run": created.info.run_id})


@hookimpl
def marsseg_epoch_finished(run: Run, record: Mapping[str, float | None]) -> None:
    """Log the values of an epoch."""
    _log_scalars(run, scalars(record), step=int(record["epoch"] or 0))


@hookimpl(trylast=True)  # so that the report exists when the files are uploaded
def marsseg_run_finished(run: Run) -> None:
    """Log the final scores, upload the files and end the MLflow run."""
    if not _is_logged(run):
        return
    from mlflow import MlflowClient

    if run.best_epoch is not None:
        _log_scalars(run, final_scalars(run), step=run.best_epoch)
    client, run_id = MlflowClient(), _logged_run(run)
    for path in sorted(run.path.iterdir()):
        if path.name in _NOT_UPLOADED or path.name.startswith("."):
            continue
        if path.is_dir():
            client.log_artifacts(run_id, str(path), artifact_path=path.name)
        else:
            client.log_artifact(run_id, str(path))
    client.set_terminated(run_id, "FINISHED" if run.metrics["status"] == FINISHED else "KILLED")


@hookimpl
def marsseg_run_failed(run: Run) -> None:
    """Mark the MLflow run as failed."""
    if _is_logged(run):
        from mlflow import MlflowClient

        MlflowClient().set_terminated(_logged_run(run), "FAILED")


def _file(run: Run) -> Path:
    return run.path / "mlflow.json"


def _is_logged(run: Run) -> bool:
    return asked_for(NAME) and _file(run).is_file()


def _logged_run(run: Run) -> str:
    """Return the id of the MLflow run."""
    return str(run.folder.read_json(_file(run))["run"])


def _resumed(client: MlflowClient, run: Run) -> bool:
    """Continue the MLflow run of a resumed run; return False if there is none, or MLflow does not know it."""
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
    """Return the id of the experiment; create it if it does not exist."""
    name = os.environ.get(_EXPERIMENT, "marsseg")
    experiment = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if experiment is None else experiment.experiment_id)


def _parameters(run: Run) -> list[Any]:
    """Return the settings of the plan as `--dry-run` prints them; several values of a setting are joined by commas."""
    from mlflow.entities import Param

    settings: dict[str, str] = {}
    for setting, value, _ in run.plan.rows():
        settings[setting] = f"{settings[setting]},{value}" if setting in settings else value
    settings["parameters"] = str(run.network.count_params())
    return [Param(_key(setting), value[:_MAX_LENGTH]) for setting, value in settings.items()]


def _log_scalars(run: Run, values: Mapping[str, float], step: int) -> None:
    if not _is_logged(run):
        return
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(_key(name), value, now, step) for name, value in values.items()]
    _log(MlflowClient(), _logged_run(run), metrics=metrics)


def _log(client: MlflowClient, run_id: str, *, params: Sequence[Any] = (), metrics: Sequence[Any] = ()) -> None:
    for batch in _batches(params):
        client.log_batch(run_id, params=batch)
    for batch in _batches(metrics):
        client.log_batch(run_id, metrics=batch)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _key(name: str) -> str:
    """Replace the characters that MLflow does not allow in a name."""
    return re.sub(r"[^\w.\-: /]", "_", name)
