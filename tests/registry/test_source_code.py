"""Reading the source of a plugin without importing it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from marsseg_core.registry import source_code
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import ARCHITECTURE, OBSERVER, RECIPE
from marsseg_core.registry.listing import with_summary
from marsseg_core.registry.loading import load
from marsseg_core.registry.source_code import find_source, imported_files, package_file


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package({"nets/ring.py": "…"})` writes a package `thirdparty` that fails when it is imported."""

    def write(files: dict[str, str | bytes]):
        root = tmp_path / "thirdparty"
        for name, text in ({"__init__.py": "raise ImportError('nobody may import this')"} | files).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.syspath_prepend(tmp_path)
        return root

    return write


def entry(target: str, kind=ARCHITECTURE) -> Entry:
    return Entry(kind, "ring", target, "acme", "1.0")


RING = '"""A module."""\n\nimport keras\n\n\nclass Ring:\n    """A ring: [red] round.\n\n    And more.\n    """\n'


def test_the_summary_is_the_first_line_of_the_docstring(package):
    root = package({"nets/__init__.py": "", "nets/ring.py": RING})
    source = find_source(entry("thirdparty.nets.ring:Ring"))
    assert (source.path, source.line, source.summary) == (root / "nets/ring.py", 6, "A ring: [red] round.")
    assert "thirdparty" not in sys.modules


@pytest.mark.parametrize(
    "reexport",
    [
        "from .ring import Ring",
        "from thirdparty.nets.ring import Ring",
        "from .ring import Circle as Ring",
        "from .middle import Ring",
        "from ..nets.ring import Ring",
    ],
)
def test_a_reexported_class_is_found_where_it_is_defined(package, reexport):
    root = package(
        {
            "nets/__init__.py": reexport,
            "nets/ring.py": RING + "\nclass Circle:\n    'A ring: [red] round.'\n",
            "nets/middle.py": "from .ring import Ring",
        }
    )
    source = find_source(entry("thirdparty.nets:Ring"))
    assert (source.path, source.summary) == (root / "nets/ring.py", "A ring: [red] round.")


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({}, "thirdparty.nets:Ring"),
        ({}, "not_installed_anywhere.nets:Ring"),
        ({}, ":Ring"),
        ({}, "__main__:Ring"),
        ({}, "sys:Ring"),
        ({"nets.py": "class Other: pass"}, "thirdparty.nets:Ring"),
        ({"nets.py": "class Ring("}, "thirdparty.nets:Ring"),
        ({"nets.py": "\0"}, "thirdparty.nets:Ring"),
        ({"nets.py": "from .nets import Ring"}, "thirdparty.nets:Ring"),  # in circles
        ({"nets.py": "from .gone import Ring"}, "thirdparty.nets:Ring"),
    ],
)
def test_a_target_that_cannot_be_read_has_no_source(package, files, target):
    package(files)
    assert find_source(entry(target)) is None


ROUND = '"""Größe."""\n\nclass Ring:\n    """Größe: round."""\n'


@pytest.mark.parametrize(
    "text",
    [ROUND.encode("utf-8-sig"), f"# coding: latin-1\n{ROUND}".encode("latin-1"), ROUND.replace("\n", "\r\n").encode()],
    ids=["BOM", "latin-1", "CRLF"],
)
def test_a_source_is_read_in_its_own_encoding(package, text):
    package({"nets.py": text})
    assert find_source(entry("thirdparty.nets:Ring")).summary == "Größe: round."
    assert find_source(entry("thirdparty.nets", OBSERVER)).summary == "Größe."


@pytest.mark.parametrize("text", [ROUND.encode("latin-1"), b"# coding: nowhere\nclass Ring: pass"])
def test_a_source_that_python_cannot_decode_is_not_found(package, text):
    package({"nets.py": text})
    assert find_source(entry("thirdparty.nets:Ring")) is None
    assert find_source(entry("thirdparty.nets", OBSERVER)) is None


def test_a_class_without_docstring_has_an_empty_summary(package):
    package({"nets.py": "class Ring: pass"})
    assert find_source(entry("thirdparty.nets:Ring")).summary == ""


def test_a_recipe_is_a_toml_file_in_a_package(package):
    root = package({"recipes/big.toml": 'summary = "A big one"\n'})
    big = entry("thirdparty.recipes.big", RECIPE)
    assert package_file(big) == root / "recipes/big.toml"
    assert find_source(big).summary == "A big one"


@pytest.mark.parametrize("text", ["summary = ", "", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")])
def test_a_recipe_that_cannot_be_read_has_an_empty_summary(package, text):
    package({"recipes/big.toml": text})
    assert find_source(entry("thirdparty.recipes.big", RECIPE)).summary == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"class Ring: (", "nets.py cannot be parsed: '(' was never closed (nets.py, line 1)"),
        (b"class Ring:\x00 pass", "nets.py cannot be parsed: source code string cannot contain null bytes"),
        (b"'\xff'", "nets.py cannot be parsed: "),
        (b"# coding: nowhere", "nets.py cannot be parsed: "),
        (b"a = 1" + b"+1" * 100_000, "nets.py cannot be parsed: its values are nested too deeply"),
        (b"a = " + b"-" * 100_000 + b"1", "nets.py cannot be parsed: it needs more memory than there is"),
        (b"#" * (2**22 + 1), "nets.py cannot be parsed: it is larger than 4,194,304 bytes"),
    ],
)
@pytest.mark.parametrize("kind", [ARCHITECTURE, OBSERVER])
def test_a_source_that_cannot_be_parsed_makes_its_entry_invalid(package, kind, text, says):
    package({"nets.py": text})
    broken = entry("thirdparty.nets" + (":Ring" if kind == ARCHITECTURE else ""), kind)
    listed, summary = with_summary(broken)
    assert (listed.status, summary) == ("invalid", "")
    assert listed.reason.startswith(says)
    assert find_source(broken) is None
    assert imported_files(["thirdparty.nets"], ("thirdparty",)).keys() == {"thirdparty.nets"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"summary = ", "big.toml is not valid TOML: "),
        (b'summary = "\xff"', "big.toml is not valid TOML: "),
        (b"a = " + b"[" * 10_000, "big.toml is not valid TOML: its values are nested too deeply"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_invalid(package, text, says):
    package({"recipes/big.toml": text})
    listed, summary = with_summary(entry("thirdparty.recipes.big", RECIPE))
    assert (listed.status, summary) == ("invalid", "")
    assert listed.reason.startswith(says)


def test_a_recipe_without_its_file_is_invalid(package):
    package({})
    listed, _ = with_summary(entry("thirdparty.recipes.gone", RECIPE))
    assert (listed.status, listed.reason) == ("invalid", "its file is missing")


def test_an_entry_that_cannot_be_used_keeps_its_own_reason(package):
    package({"nets.py": "("})
    disabled = replace(entry("thirdparty.nets:Ring"), status="disabled", reason="by --disable")
    assert with_summary(disabled) == (disabled, "")


@pytest.mark.parametrize("target", ["thirdparty.recipes.gone", "not_installed_anywhere.big", "", "__main__"])
def test_a_missing_recipe_has_no_source(package, target):
    package({})
    assert find_source(entry(target, RECIPE)) is None


def test_every_installed_component_has_a_summary_and_a_source_line():
    for found in installed().entries:
        source = find_source(found)
        assert source.summary, found
        if found.kind != RECIPE:
            assert source.summary == load(found).__doc__.strip().partition("\n")[0]
            assert f"class {found.attribute}" in source.path.read_text(encoding="utf-8").splitlines()[source.line - 1]


def test_a_module_with_many_components_is_parsed_once(package, monkeypatch):
    classes = "\n".join(f'class Ring{number}:\n    """Ring {number}."""\n' for number in range(20))
    package({"rings.py": classes})
    parse, parsed = source_code.ast.parse, []
    monkeypatch.setattr(source_code.ast, "parse", lambda *words: parsed.append(words) or parse(*words))
    summaries = [find_source(entry(f"thirdparty.rings:Ring{number}")).summary for number in range(20)]
    assert summaries == [f"Ring {number}." for number in range(20)]
    assert len(parsed) == 1
