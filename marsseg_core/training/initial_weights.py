"""Give a network the weights of another run."""

from __future__ import annotations

from pathlib import Path

import keras

from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..networks.transfer import Transfer, copy_weights
from ..planning.options import TrainingOptions
from ..registry.session import Session
from ..runs.load import load


def take_over(training: TrainingOptions, network: keras.Model, session: Session) -> Transfer | None:
    """Give `network` the weights of the run that a plan starts from, if it names one.

    Raises RequestError where that run is gone, its network is another one by now, or nothing of it fits.
    """
    if training.init is None:
        return None
    where = f"training.init={training.init}"
    if not Path(training.init).is_dir():
        raise RequestError(
            "The run whose weights the plan starts from is gone.", where=where, hint="--init names another one."
        )
    if training.init_hash not in (None, RunFolder.open(training.init).network_hash()):
        raise RequestError(
            "The network that the plan starts from has changed since the plan was made.",
            where=where,
            hint=f"To start from what it is now: --init {training.init}",
        )
    return copy_weights(load(training.init, session), network, source=training.init)
