"""Plans, and the errors of requests that are refused."""

from __future__ import annotations

import pytest

from marsseg_core.errors import RequestError
from marsseg_core.planning.plan import Plan
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry.session import Session, open_session


def plan(base=None, *, overrides=(), sections=None, catalog=None, **words) -> Plan:
    request = Request(None if base is None else str(base), words, sections or {}, overrides)
    return resolve(request, open_session() if catalog is None else Session(catalog))


def refused(*args, **options) -> RequestError:
    with pytest.raises(RequestError) as caught:
        plan(*args, **options)
    return caught.value
