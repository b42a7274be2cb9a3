"""Check what can be known without Keras of whether a finished run can be trained for more epochs."""

from __future__ import annotations

from ..errors import RequestError, counted
from ..files.documents import read_toml
from ..files.run_folder import RunFolder


def check_extensible(folder: RunFolder, epochs: int) -> int:
    """Check that a run is finished, has a checkpoint, and has fewer epochs than it shall have.

    Args:
        folder: the folder of the run
        epochs: the new total number of epochs

    Returns:
        The number of epochs that the run was planned with.

    Raises:
        RequestError: if it is not so, or the run is that of a pack
    """
    folder.check_not_of_pack()
    if not folder.finished:
        raise RequestError(
            "The run is not finished.",
            where=str(folder.path),
            hint=f"Resume it first: marsseg run --resume {folder.path}",
        )
    if not folder.checkpoint.is_file():
        raise RequestError(
            "The run no longer has a checkpoint, so its training cannot continue.",
            where=str(folder.checkpoint),
            hint=f"To start a new run from its best network: marsseg run --plan {folder.path} --init {folder.path}",
        )
    planned: int = read_toml(folder.plan)["training"]["epochs"]
    if epochs <= planned:
        raise RequestError(
            f"The run has {counted(planned, 'epoch')} already.",
            where="--epochs",
            hint=f"Pass the new total number of epochs, at least {planned + 1}.",
        )
    return planned
