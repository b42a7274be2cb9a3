"""The catalog: names from package metadata without an import, and loading the class of a component."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import pytest
from helpers.messages import warned_of
from helpers.packages import Package
from hypothesis import given, strategies as st

import marsseg_core.registry.loading
from marsseg_core import version
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.registry.catalog import Catalog, installed, rescan
from marsseg_core.registry.disabled import DisabledName, disabled_names
from marsseg_core.registry.discovery import entries_from
from marsseg_core.registry.entries import CONFLICT, DISABLED, INCOMPATIBLE, INVALID, OK, Entry
from marsseg_core.registry.kinds import ARCHITECTURE, BOTTLENECK, COMPONENT_KINDS, LOSS, OBSERVER, RECIPE
from marsseg_core.registry.loading import load
from marsseg_core.registry.session import open_session

pytestmark = pytest.mark.usefixtures("without_reports")


def catalog(*points: EntryPoint) -> Catalog:
    return Catalog(entries_from(points))


ACME, OTHER = Package("acme"), Package("Other_Nets", "2.0")


def test_an_entry_point_becomes_an_entry_and_nothing_is_imported():
    (entry,) = catalog(ACME.point("ringnet", "acme_nowhere.nets:RingNet")).entries
    assert entry == Entry(ARCHITECTURE, "ringnet", "acme_nowhere.nets:RingNet", "acme", "1.0")
    assert (entry.status, entry.provider, entry.qualified_name) == (OK, "acme 1.0", "acme/ringnet")
    assert (entry.module, entry.attribute) == ("acme_nowhere.nets", "RingNet")
    assert "acme_nowhere" not in sys.modules


def test_entry_points_of_other_groups_are_ignored():
    assert catalog(EntryPoint("x", "y:Z", "console_scripts")._for(ACME)).entries == ()


@pytest.mark.parametrize(
    ("names", "module", "canonical"),
    [
        (["unet3+", "unet3plus"], "nets.unet3plus", "unet3plus"),
        (["unet3+", "unet3plus"], "nets.all", "unet3plus"),  # the name that is an identifier
        (["resunet++", "resunetpp"], "nets.resunetpp", "resunetpp"),
        (["aaa", "ring"], "nets.ring", "ring"),  # the name of the module
        (["b", "a"], "nets.all", "a"),
    ],
)
def test_several_names_of_one_object_become_one_entry_with_aliases(names, module, canonical):
    (entry,) = catalog(*(ACME.point(name, f"{module}:Net") for name in names)).entries
    assert entry.name == canonical
    assert {entry.name, *entry.aliases} == set(names)


def test_an_alias_finds_the_same_entry():
    found = catalog(ACME.point("unet3+", "nets.unet3plus:Net"), ACME.point("unet3plus", "nets.unet3plus:Net"))
    assert found.find(ARCHITECTURE, "unet3+") == found.find(ARCHITECTURE, "unet3plus")
    assert found.find(ARCHITECTURE, "acme/unet3+").name == "unet3plus"


def test_the_same_name_in_two_distributions_is_a_conflict():
    both = catalog(ACME.point("ring", "acme.ring:Ring"), OTHER.point("ring", "other.ring:Ring"))
    assert [entry.status for entry in both.entries] == [CONFLICT, CONFLICT]
    assert both.entries[0].reason == "also provided by other-nets; use acme/ring"
    assert both.names(ARCHITECTURE) == []
    with pytest.raises(RequestError) as caught:
        both.find(ARCHITECTURE, "ring", where="--arch ring")
    assert caught.value.what == "Two distributions provide the architecture 'ring': acme 1.0, other-nets 2.0."
    assert caught.value.hint == "Use acme/ring or other-nets/ring."
    assert both.find(ARCHITECTURE, "acme/ring").module == "acme.ring"
    assert both.find(ARCHITECTURE, "Other_Nets/ring").module == "other.ring"


def test_an_alias_that_another_distribution_uses_is_a_conflict():
    both = catalog(
        ACME.point("ring", "acme.ring:Ring"), ACME.point("ring+", "acme.ring:Ring"), OTHER.point("ring+", "o.r:Ring")
    )
    assert [entry.status for entry in both.entries] == [CONFLICT, CONFLICT]
    assert both.find(ARCHITECTURE, "ring").distribution == "acme"  # no other distribution has this name


def test_the_same_name_in_two_kinds_is_not_a_conflict():
    both = catalog(ACME.point("ring", "a.b:C", ARCHITECTURE), OTHER.point("ring", "d.e:F", BOTTLENECK))
    assert [entry.status for entry in both.entries] == [OK, OK]


@pytest.mark.parametrize("requirement", ["marsseg>=99", "marsseg<0.0.1", "MarsSeg ==99.*", "marsseg @@ 1"])
def test_a_distribution_that_requires_another_version_is_incompatible(requirement):
    wanting = Package("acme", requires=("numpy>=1", requirement))
    found = catalog(wanting.point("ring", "acme.ring:Ring"))
    assert found.entries[0].status == INCOMPATIBLE
    with pytest.raises(RequestError, match=r"architecture 'ring' of acme 1\.0 cannot be used: it"):
        found.find(ARCHITECTURE, "ring")
    with pytest.raises(RequestError, match="cannot be used"):
        found.find(ARCHITECTURE, "acme/ring")


@pytest.mark.parametrize(
    "requirement",
    ["marsseg", "marsseg>=0", f"marsseg=={version()}", "marsseg-extras>=99", "marsseg>=99; extra == 'dev'"],
)
def test_a_distribution_that_allows_this_version_is_ok(requirement):
    assert catalog(Package("acme", requires=(requirement,)).point("ring", "a.b:C")).entries[0].status == OK


def test_an_incompatible_entry_does_not_conflict_with_a_usable_one():
    outdated = Package("outdated", requires=("marsseg>=99",))
    both = catalog(outdated.point("ring", "o.r:Ring"), ACME.point("ring", "acme.ring:Ring"))
    assert {entry.distribution: entry.status for entry in both.entries} == {"acme": OK, "outdated": INCOMPATIBLE}
    assert both.find(ARCHITECTURE, "ring").distribution == "acme"


@pytest.mark.parametrize("name", ["Ring", "ring net", "+ring", "ring:x", "ring,x", "ring[red]", "ünet", "a/b", ""])
def test_a_name_with_forbidden_characters_is_invalid(name):
    (entry,) = catalog(ACME.point(name, "acme.ring:Ring")).entries
    assert entry.status == INVALID
    assert name in entry.reason


def test_a_name_that_one_distribution_uses_twice_is_invalid():
    found = catalog(ACME.point("ring", "acme.a:A"), ACME.point("ring", "acme.b:B"), ACME.point("disc", "acme.c:C"))
    assert [(entry.name, entry.status) for entry in found.entries] == [
        ("disc", OK),
        ("ring", INVALID),
        ("ring", INVALID),
    ]
    with pytest.raises(RequestError, match="acme uses the name 'ring' twice"):
        found.find(ARCHITECTURE, "ring")


def test_a_preferred_distribution_resolves_a_conflict():
    both = catalog(ACME.point("ring", "acme.ring:Ring"), OTHER.point("ring", "other.ring:Ring"))
    assert both.find(ARCHITECTURE, "ring", prefer="other-nets").distribution == "other-nets"
    with pytest.raises(RequestError, match="Two distributions"):
        both.find(ARCHITECTURE, "ring", prefer="third")
    assert catalog(ACME.point("ring", "a.b:C")).find(ARCHITECTURE, "ring", prefer="third").distribution == "acme"


def test_added_entries_may_cause_a_conflict():
    one = catalog(ACME.point("ring", "acme.ring:Ring"))
    more = one.with_more(entries_from([OTHER.point("ring", "o.r:Ring"), OTHER.point("disc", "o.d:Disc")]))
    assert {entry.qualified_name: entry.status for entry in more.entries} == {
        "acme/ring": CONFLICT,
        "other-nets/ring": CONFLICT,
        "other-nets/disc": OK,
    }
    assert one.entries[0].status == OK


# --- observers


def test_observers_are_separate_and_never_in_conflict():
    found = catalog(
        ACME.point("told", "acme.told", OBSERVER), OTHER.point("told", "o.t", OBSERVER), ACME.point("ring", "a.b:C")
    )
    assert [entry.qualified_name for entry in found.entries] == ["acme/ring"]
    assert [(entry.qualified_name, entry.status) for entry in found.observers] == [
        ("acme/told", OK),
        ("other-nets/told", OK),
    ]
    assert found.everything == found.entries + found.observers


# --- disabled names


def disable(*words):
    points = [
        ACME.point("ring", "acme.ring:Ring"),
        ACME.point("disc", "acme.disc:Disc", LOSS),
        ACME.point("told", "acme.told", OBSERVER),
        ACME.point("told", "acme.told", RECIPE),
        OTHER.point("ring", "other.ring:Ring"),
    ]
    found = Catalog(entries_from(points, [DisabledName(word, "--disable") for word in words]))
    return {f"{entry.kind} {entry.qualified_name}" for entry in found.everything if entry.status == DISABLED}, found


@pytest.mark.parametrize(
    ("words", "disabled"),
    [
        (["disc"], {"loss acme/disc"}),
        (["ring"], {"architecture acme/ring", "architecture other-nets/ring"}),
        (["other_nets/ring"], {"architecture other-nets/ring"}),
        (["Other.Nets"], {"architecture other-nets/ring"}),
        (["told"], {"observer acme/told"}),  # a recipe is disabled only with its distribution
        (["acme"], {"architecture acme/ring", "loss acme/disc", "observer acme/told", "recipe acme/told"}),
        (["disc", "told"], {"loss acme/disc", "observer acme/told"}),
    ],
)
def test_a_name_a_qualified_name_or_a_distribution_can_be_disabled(words, disabled):
    assert disable(*words)[0] == disabled


def test_a_disabled_component_is_refused_with_the_reason():
    with pytest.raises(RequestError, match=r"loss 'disc' of acme 1\.0 is disabled by --disable"):
        disable("disc")[1].find(LOSS, "disc")


def test_disabling_a_distribution_ends_a_conflict():
    assert disable("other-nets")[1].find(ARCHITECTURE, "ring").distribution == "acme"


def test_an_unknown_disabled_name_is_refused_with_the_nearest_name():
    with pytest.raises(RequestError, match=r"'dics' cannot be disabled.*\[--disable\] Did you mean 'disc'\?"):
        disable("dics")


def test_disabled_names_come_from_the_option_the_variable_and_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARSSEG_DISABLE", " b ,,c")
    (tmp_path / "marsseg.toml").write_text('disable = ["d"]')
    names = [(name.word, name.origin) for name in disabled_names(["a,b"])]
    assert names == [
        ("a", "--disable"),
        ("b", "--disable"),
        ("b", "MARSSEG_DISABLE"),
        ("c", "MARSSEG_DISABLE"),
        ("d", "marsseg.toml"),
    ]
    assert len(disabled_names()) == 3


def test_the_catalog_follows_the_disabled_names(monkeypatch):
    monkeypatch.setenv("MARSSEG_DISABLE", "dense")
    assert "dense" not in installed().names(ARCHITECTURE)
    session = open_session(disable=["unet,parallel"])
    assert not {"unet", "parallel", "dense"} & set(session.catalog.names(ARCHITECTURE))
    assert [name.word for name in session.disabled] == ["unet", "parallel", "dense"]
    assert "unet" in installed().names(ARCHITECTURE), "disabled names apply to one session only"
    monkeypatch.delenv("MARSSEG_DISABLE")
    assert {"dense", "unet"} <= set(installed().names(ARCHITECTURE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("disable = 3", "'disable' must be a list of names"),
        ("disable = [3]", "'disable' must be a list of names"),
        ("disabled = []", r"no setting 'disabled'.*Did you mean 'disable'\?"),
        ("disable = [", "is not valid TOML"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "marsseg.toml").write_text(text)
    with pytest.raises(RequestError, match=said) as caught:
        disabled_names()
    assert "marsseg.toml" in str(caught.value)


@pytest.mark.parametrize("words", [["list", "--disable", "unett"], ["run", "--dry-run", "--disable", "unett"]])
def test_the_command_line_refuses_an_unknown_disabled_name(cli, words):
    answer = cli(*words)
    assert answer.code == 2
    assert "Did you mean 'unet'?" in answer.err


def test_a_command_cannot_use_a_disabled_component(cli):
    assert "\tdisabled: by --disable" in cli("list", "dense", "--disable", "dense").out
    assert cli("run", "--arch", "dense", "--dry-run", "--disable", "dense").code == 2
    assert cli("run", "--arch", "dense", "--dry-run").code == 0  # the next command is not affected


def test_a_component_of_a_recipe_may_be_disabled_if_it_is_replaced(cli):
    assert cli("run", "--dry-run", "--disable", "unet").code == 2
    assert cli("run", "--arch", "dense", "--dry-run", "--disable", "unet").code == 0


# --- distributions on the path


@pytest.fixture
def path(tmp_path, monkeypatch):
    """`path("first", "acme", "1.0", "ring = a:A")` installs a distribution into a folder that is put on the path."""

    def install(folder: str, name: str, version: str, *points: str) -> None:
        metadata = tmp_path / folder / f"{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text("\n".join(["[marsseg.losses]", *points]))
        monkeypatch.syspath_prepend(tmp_path / folder)
        rescan()

    yield install
    rescan()


def losses(distribution: str) -> list[tuple[str, str]]:
    return [(e.name, e.version) for e in installed().of_kind(LOSS) if e.distribution == distribution]


def test_a_distribution_that_is_twice_on_the_path_is_listed_once(path):
    path("later", "acme", "1.0", "ring = acme:Ring", "gone = acme:Gone")
    path("first", "Acme", "2.0", "ring = acme:Ring")
    assert losses("acme") == [("ring", "2.0")]  # Python imports the first on the path
    assert installed().find(LOSS, "ring").status == OK


def test_unreadable_metadata_is_reported_and_others_still_work(path, cli, tmp_path):
    path("broken", "broken", "1.0", "no equals sign")
    path("sound", "sound", "1.0", "ring = sound:Ring")
    assert losses("sound") == [("ring", "1.0")]
    (problem,) = installed().problems
    assert str(tmp_path / "broken") in problem
    answer = cli("list", "ring")
    assert answer.code == 0
    assert str(tmp_path / "broken") in answer.err


def test_an_unknown_group_is_reported_with_the_nearest_name(path, cli):
    path("typo", "rings", "1.0", "ring = acme:Ring", "[marsseg.loss]", "oval = acme:Oval", "[acme.loss]", "x = y")
    said = "rings has entry points in the group 'marsseg.loss', which marsseg does not know."
    assert [f"{said} Did you mean 'marsseg.losses'?"] == list(installed().problems)
    assert losses("rings") == [("ring", "1.0")]
    for words in (["run", "--loss", "oval", "--dry-run"], ["show", "oval"], ["doctor", "oval"], ["list"]):
        assert said in cli(*words).err, words


def test_a_missing_target_is_reported_with_the_nearest_name(path, cli, tmp_path):
    path("acme", "acme", "1.0", "ring = acme_ring:Rng")
    (tmp_path / "acme" / "acme_ring.py").write_text("from dataclasses import dataclass\nclass Ring: pass\n")
    answer = cli("show", "ring")
    assert answer.code == 3
    assert "has no attribute 'Rng'" in answer.err
    assert "Did you mean 'Ring'? Correct the entry point in its pyproject.toml" in answer.err


@pytest.mark.parametrize("name", ["none", "3"])
def test_a_reserved_name_is_invalid(name):
    (entry,) = catalog(ACME.point(name, "acme.ring:Ring")).entries
    assert entry.status == INVALID
    assert f"'{name}' is not a valid name" in entry.reason


def test_output_of_a_plugin_during_import_goes_to_standard_error(path, cli, tmp_path):
    path("noisy", "noisy", "1.0", "noisy = noisy_module:Noisy")
    (tmp_path / "noisy" / "noisy_module.py").write_text(
        "print('Thank you!')\nfrom dataclasses import dataclass\nfrom marsseg_core.plugin_api import Loss\n"
        "@dataclass(frozen=True)\nclass Noisy(Loss):\n    def build(self, spec): return None\n"
    )
    answer = cli("show", "noisy", "--json")
    assert json.loads(answer.out)["components"][0]["name"] == "noisy"
    assert answer.err == "Thank you!\n"


def test_an_invalid_name_does_not_affect_others():
    found = catalog(ACME.point("Bad Name", "acme.bad:Bad"), ACME.point("ring", "acme.ring:Ring"))
    assert found.names(ARCHITECTURE) == ["ring"]


POINTS = [
    distribution.point(name, f"{name.rstrip('+')}.module:Net", kind)
    for distribution in (ACME, OTHER, Package("broken", requires=("marsseg>=99",)))
    for name in ("ring", "ring+", "net", "Bad")
    for kind in (ARCHITECTURE, LOSS, RECIPE, OBSERVER)
]


@given(st.permutations(POINTS))
def test_the_order_of_the_metadata_changes_nothing(points):
    assert catalog(*points).everything == catalog(*POINTS).everything


def test_a_wrong_name_is_refused_with_the_nearest_name():
    with pytest.raises(RequestError, match=r"There is no architecture 'dnse'.*Did you mean 'dense'\?"):
        installed().find(ARCHITECTURE, "dnse")


def test_a_wrong_name_without_a_near_one_is_refused_with_all_names():
    with pytest.raises(RequestError, match=r"Installed architecture names: .*dense.*unet"):
        installed().find(ARCHITECTURE, "zzzz")


def test_a_name_of_another_kind_is_refused_with_its_option():
    with pytest.raises(RequestError, match="'dense' is an architecture: use --arch"):
        installed().find(LOSS, "dense")


def test_every_component_of_marsseg_can_be_loaded():
    own = [entry for entry in installed().entries if entry.distribution == "marsseg"]
    assert {entry.kind for entry in own} == {*COMPONENT_KINDS, RECIPE}
    for entry in own:
        assert entry.status == OK
        assert entry.kind == RECIPE or load(entry).kind == entry.kind


# --- loading a broken plugin


def plugin(tmp_path, monkeypatch, source: str, attribute: str = "Net") -> Entry:
    """An entry for a module of this source."""
    name = f"plugin_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return catalog(ACME.point("ring", f"{name}:{attribute}")).entries[0]


BUILDS = "    def build(self, spec): return None\n"
GOOD = f"""
from dataclasses import dataclass
from dataclasses import field
from marsseg_core.plugin_api import Architecture, param
@dataclass(frozen=True)
class Net(Architecture):
    "A net."
{BUILDS}"""


def test_a_valid_plugin_loads(tmp_path, monkeypatch):
    assert load(plugin(tmp_path, monkeypatch, GOOD)).__doc__ == "A net."


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no [red] driver')", "cannot be loaded: RuntimeError: no [red] driver"),
        ("import module_that_is_not_there", "cannot be loaded: ModuleNotFoundError: No module named"),
        ("import sys; sys.exit('bye')", "cannot be loaded: SystemExit: bye"),
        ("class Net(", "cannot be loaded: SyntaxError:"),
        ("Ring = 3", "cannot be loaded: module"),
        ("Net = 3", "cannot be used: it is not a class, but of type int."),
        (GOOD.replace("(frozen=True)", ""), "cannot be used: its dataclass is not frozen."),
        (f"{GOOD}    size: list = ()", "cannot be used: A parameter cannot be of type"),
        (f"{GOOD}    size: 'Nowhere' = 1", "cannot be used: The annotations of Net cannot be evaluated"),
        (f"{GOOD}\nclass Sub(Net): pass\nNet = Sub", "cannot be used: it is not a dataclass."),
        ("class Net: pass", "cannot be used: it is not a subclass of Architecture."),
        (GOOD.replace("Architecture", "Bottleneck"), "cannot be used: it is not a subclass of Architecture."),
        (GOOD.replace("@dataclass(frozen=True)", ""), "cannot be used: it is not a dataclass."),
        (GOOD.replace(BUILDS, ""), "cannot be used: it does not define build."),
        (f"{GOOD}    rate: float = None", "cannot be used: The default of its parameter 'rate', none, is not valid"),
        (f"{GOOD}    n: int = param(0, help='n', above=0)", "cannot be used: The default of its parameter 'n'"),
        (
            f"{GOOD}    n: int = param(1, help='n', absent=0.5)",
            "cannot be used: The value for older plans of its parameter 'n', 0.5",
        ),
        (f"{GOOD}    n: int = field(default_factory=dict().popitem)", "cannot be used: KeyError"),
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution_and_the_cause(tmp_path, monkeypatch, source, said):
    entry = plugin(tmp_path, monkeypatch, source)
    with pytest.raises(PluginError) as caught:
        load(entry)
    assert caught.value.what.startswith(f"The architecture 'ring' of acme 1.0 {said}")
    assert caught.value.where.startswith(f"{entry.target} ({tmp_path / entry.module}.py")
    assert caught.value.exit_code == 3


def test_the_line_that_failed_is_named(tmp_path, monkeypatch):
    entry = plugin(tmp_path, monkeypatch, "import json\n\ndef read():\n    json.loads('{')\n\nread()\n")
    with pytest.raises(PluginError) as caught:
        load(entry)
    assert caught.value.where.endswith(f"{entry.module}.py:4)")  # not a line of json


def test_a_target_without_an_attribute_is_a_broken_plugin():
    (entry,) = catalog(ACME.point("ring", "marsseg_core.errors")).entries
    with pytest.raises(
        PluginError, match=r"architecture 'ring' of acme 1\.0 cannot be used: it is not a class, but of type module"
    ):
        load(entry)


def test_a_slow_import_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(marsseg_core.registry.loading, "SLOW_SECONDS", 0.0)
    entry = plugin(tmp_path, monkeypatch, f"{GOOD}\n# slow")
    with warned_of(r"The architecture 'ring' of acme 1\.0 took \d+\.\d s to import"):
        assert load(entry).__doc__ == "A net."


def test_ctrl_c_during_an_import_is_not_a_plugin_error(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        load(plugin(tmp_path, monkeypatch, "raise KeyboardInterrupt"))
