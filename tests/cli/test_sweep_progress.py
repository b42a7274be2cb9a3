from __future__ import annotations

import pytest

from marsseg_core.cli.sweep_progress import _ROWS, SweepProgress
from marsseg_core.sweeps.summary import Summary, TrialRecord


@pytest.mark.parametrize(("running", "ended"), [(0, 3), (0, 20), (5, 20), (_ROWS, 20), (_ROWS + 3, 20)])
def test_the_live_table_has_the_running_trials_and_the_last_that_ended(tmp_path, running, ended):
    trials = [TrialRecord(i, "finished" if i < ended else "running", {}) for i in range(ended + running)]
    summary = Summary("running", "val_miou", True, trials)
    table = SweepProgress(tmp_path, summary)._table(summary)
    shown = max(running, min(_ROWS, ended + running))
    assert [str(cell) for cell in table.columns[0].cells] == [trial.name for trial in trials[-shown:]]
