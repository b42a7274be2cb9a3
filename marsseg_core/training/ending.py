"""End a run: score its best network, and write metrics.json."""

from __future__ import annotations

import keras

from ..files.run_folder import FINISHED
from ..messages import log_waiting
from ..networks.read import load_network
from ..networks.wiring import same_wiring
from ..planning.options import ARGMAX, LAST
from ..runs.run import Run
from .chosen_decoding import choose_decoding
from .ended import score_subsets
from .task import SegmentationTask


def write_end(run: Run, status: str, task: SegmentationTask, *, score_test: bool) -> None:
    """Score the best network and write metrics.json. The test subset is scored only if the training is finished."""
    run.metrics = {"schema": 2, "status": status, "epochs": len(run.history)}
    if run.unlabelled is not None and run.unlabelled.transductive:
        run.metrics["transductive"] = True
    training = run.plan.training
    if training.keep == LAST:
        run.metrics["kept"] = LAST
    run.metrics |= {"best_epoch": run.best_epoch, "best_by": run.best_by, "subsets": {}}
    if run.best_epoch is not None:
        run.network = _best_network(run, status, task)
        with_offsets = training.decoding != ARGMAX
        if with_offsets:
            run.decoding = choose_decoding(run)
        run.scores, plain = score_subsets(run, ("validation", "test")[: 1 + (score_test and status == FINISHED)])
        run.metrics["subsets"] = {subset: confusion.to_json() for subset, confusion in run.scores.items()}
        if with_offsets:
            run.metrics["decoding"] = training.decoding
            run.metrics["argmax"] = {subset: confusion.to_json() for subset, confusion in plain.items()}
    run.folder.write_json(run.folder.metrics, run.metrics)
    log_waiting()
    run.folder.log(status)


def _best_network(run: Run, status: str, task: SegmentationTask) -> keras.Model:
    """Load the best network of the run.

    If the training is finished, this is the trained network with the stored weights, because it is compiled already.
    """
    stored = load_network(run.folder)
    # An interruption inside a step may have left variables that JAX has deleted.
    if status != FINISHED or not same_wiring(task.scored, stored):
        return stored
    for weight, best in zip(task.scored.weights, stored.weights, strict=True):
        weight.assign(best)
    return task.scored
