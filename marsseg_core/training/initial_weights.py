"""Start a network from the weights of another run."""

from __future__ import annotations

from pathlib import Path

import keras

from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..networks.load import load
from ..networks.transfer import Transfer, copy_weights
from ..planning.options import TrainingOptions
from ..registry.session import Session


def copy_initial_weights(training: TrainingOptions, network: keras.Model, session: Session) -> Transfer | None:
    """Copy the weights of the run or pack that `training.init` names into `network`.

    Returns None where the plan names no such run. Raises RequestError where the run no longer exists, its
    network has changed since the plan was made, or no layer matches.
    """
    if training.init is None:
        return None
    where = f"training.init={training.init}"
    if not Path(training.init).exists():
        raise RequestError(
            "The run whose weights the plan starts from is gone.",
            where=where,
            hint="Name another one with --init.",
        )
    if training.init_hash not in (None, RunFolder.open(training.init).network_hash()):
        raise RequestError(
            "The network that the plan starts from has changed since the plan was made.",
            where=where,
            hint=f"To start from the changed network: --init {training.init}",
        )
    return copy_weights(load(training.init, session), network, source=training.init)
