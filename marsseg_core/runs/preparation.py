"""Find out how the data set of a run brought images to the scale of its items."""

from __future__ import annotations

from ..errors import PluginError, RequestError
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..planning.invoke import call_component
from ..planning.request import Request
from ..planning.resolved import ResolvedComponent
from ..planning.resolver import resolve
from ..registry.kinds import DATASET
from ..registry.session import Session

_logger = get_logger(__name__)


def preparation_of(run: RunFolder, session: Session, unknown: str) -> tuple[ResolvedComponent | None, str]:
    """Return a run's data set, and what it did to images: an empty text if it left them as they are.

    Where the data set is not installed, it is None. Then a warning ends with `unknown`, which says what follows.
    """
    try:
        (dataset,) = resolve(Request(base=str(run.path)), session, only=(DATASET,)).resolved[DATASET]
        return dataset, str(call_component(dataset, dataset.component.preparation))
    except (RequestError, PluginError) as error:
        _logger.warning(f"{run.title}: {error.what} {unknown}")
        return None, ""
