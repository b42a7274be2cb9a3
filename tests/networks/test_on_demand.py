"""Libraries that are imported at their first use, although another library imports them at its beginning."""

from __future__ import annotations

import sys

import pytest

from marsseg_core.networks.on_demand import imported_on_demand


@pytest.fixture
def big(tmp_path, monkeypatch):
    """A package `big` with a module `plots`, and a library `eager` that imports it at its beginning."""
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "__init__.py").write_text("")
    (tmp_path / "big" / "plots.py").write_text("def draw():\n    return 'drawn'\n")
    (tmp_path / "eager.py").write_text("import big.plots as plots\n\ndef show():\n    return plots.draw()\n")
    text = "try:\n    from big import tool\nexcept ImportError:\n    tool = None\n"
    (tmp_path / "optional.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("big", "big.plots", "eager", "optional"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("big")
def test_the_library_is_imported_when_it_is_used():
    with imported_on_demand("big", "big.plots"):
        import eager
    assert not {"big", "big.plots"} & {*sys.modules}
    assert eager.show() == "drawn"
    assert {"big", "big.plots"} <= {*sys.modules}


@pytest.mark.usefixtures("big")
def test_a_name_that_is_taken_from_it_at_once_is_missing_as_if_it_were_not_installed():
    with imported_on_demand("big"):
        import optional
    assert optional.tool is None


@pytest.mark.usefixtures("big")
def test_a_library_that_is_imported_already_stays():
    import big.plots as before

    with imported_on_demand("big", "big.plots"):
        import eager
    assert eager.plots is before
    assert sys.modules["big.plots"] is before
