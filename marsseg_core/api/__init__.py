"""The Python interface: functions that build, train and score networks by the names of their components.

Notebooks and scripts call these functions as `marsseg.run(…)`. The command line is a thin layer over them.
"""

from __future__ import annotations

from typing import Any

from ..shown import set_html_renderer
from .building import (
    dataset as dataset,
    list_components as list_components,
    loss as loss,
    network as network,
)
from .plans import plan as plan
from .results import (
    compare as compare,
    evaluate as evaluate,
    load as load,
    predict as predict,
)
from .sweeping import ablate as ablate, sweep as sweep
from .training import (
    extend as extend,
    report as report,
    resume as resume,
    run as run,
    series as series,
)


def _html(result: Any) -> str:
    from ..figures.notebook import html_of
    from ..sweeps import notebook  # noqa: F401, it adds what shows a sweep

    return html_of(result)


set_html_renderer(_html)
