"""The plan: its layers, the origin of each value, and writing and reading it as TOML."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass, make_dataclass
from types import ModuleType

import pytest
from helpers.paths import REPOSITORY
from helpers.plans import plan, refused
from hypothesis import given, strategies as st

from marsseg_core.components.interfaces import Dataset, Loss
from marsseg_core.errors import PluginError
from marsseg_core.planning.plan import Plan
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import Catalog, installed
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.parameters import param
from marsseg_core.registry.session import open_session

pytestmark = pytest.mark.usefixtures("without_reports")


def origin(plan: Plan, setting: str) -> tuple[str, str]:
    """Return (value, origin) of a setting."""
    ((value, came_from),) = [row[1:] for row in plan.rows() if row[0] == setting]
    return value, came_from


# --- layers


def test_an_empty_request_is_the_default_recipe():
    assert {row[2] for row in plan().rows()} == {"default"}
    assert plan().name == "unet"


def test_each_layer_overrides_the_one_before_and_is_recorded_as_origin(file):
    base = file('arch = "dense:width=0.5"\n[training]\nepochs = 3\nbatch = 4\nseed = 5\n')
    layered = plan(
        base,
        arch="dense:momentum=0.8",
        sections={"training": {"batch": "6"}},
        overrides=["arch.dense.dropout=0.1", "training.seed=7"],
    )
    assert origin(layered, "arch") == ("dense", "command line")
    assert origin(layered, "arch.dense.width") == ("0.5", f"file {base}")  # the same component keeps its values
    assert origin(layered, "arch.dense.momentum") == ("0.8", "command line")
    assert origin(layered, "arch.dense.dropout") == ("0.1", "--set")
    assert origin(layered, "arch.dense.normalisation") == ("batch", "default")
    assert origin(layered, "training.epochs") == ("3", f"file {base}")
    assert origin(layered, "training.batch") == ("6", "command line")
    assert origin(layered, "training.seed") == ("7", "--set")
    assert origin(layered, "training.workers") == ("1", "default")


def test_each_layer_overrides_all_layers_before(file):
    base = file('[arch]\nname = "dense"\nwidth = 0.1\n')
    assert plan(base).one(kinds.ARCHITECTURE).width == 0.1
    assert plan(base, arch="dense:width=0.2").one(kinds.ARCHITECTURE).width == 0.2
    assert plan(base, arch="dense:width=0.2", overrides=["arch.dense.width=0.3"]).one(kinds.ARCHITECTURE).width == 0.3


def test_another_component_starts_from_its_own_defaults(file):
    assert plan(file('arch = "dense:width=0.5"'), arch="unet").one(kinds.ARCHITECTURE).width == 1.0


def test_a_list_replaces_the_earlier_list_and_components_in_both_keep_their_values(file):
    base = file('bottleneck = "transformer:heads=2,aspp"')
    turned = plan(base, bottleneck="aspp,transformer")
    assert [type(each).__name__ for each in turned.components(kinds.BOTTLENECK)] == ["ASPP", "Transformer"]
    assert origin(turned, "bottleneck.transformer.heads") == ("2", f"file {base}")
    assert plan(base, bottleneck="aspp").components(kinds.BOTTLENECK) == plan(bottleneck="aspp").components(
        kinds.BOTTLENECK
    )


def test_none_removes_the_components_of_a_kind():
    nothing = plan("report", bottleneck="none", augment="none")
    assert nothing.components(kinds.BOTTLENECK) == ()
    assert origin(nothing, "bottleneck") == ("none", "command line")
    assert origin(nothing, "augment") == ("none", "command line")


def test_a_component_may_occur_twice():
    twice = plan(bottleneck="transformer:heads=2,transformer", overrides=["bottleneck.2.heads=4"])
    assert [each.heads for each in twice.components(kinds.BOTTLENECK)] == [2, 4]
    assert origin(twice, "bottleneck.1.heads") == ("2", "command line")
    assert origin(twice, "bottleneck.2.heads") == ("4", "--set")


@pytest.mark.parametrize("path", ["bottleneck.aspp", "bottleneck.2", "bottleneck.marsseg/aspp"])
def test_set_finds_a_component_by_name_and_by_position(path):
    there = plan(bottleneck="transformer,aspp", overrides=[f"{path}.rates=2,4"])
    assert there.components(kinds.BOTTLENECK)[1].rates == (2, 4)


def test_set_accepts_the_name_of_a_kind_instead_of_its_option():
    assert plan(overrides=["architecture.unet.width=0.5"]).one(kinds.ARCHITECTURE).width == 0.5


def test_losses_have_a_weight_and_augmentations_a_probability():
    weighted = plan(loss="ssce:weight=0.7,wssce:weight=0.3", augment="hflip:p=0.25")
    assert [chosen.options.weight for chosen in weighted.resolved[kinds.LOSS]] == [0.7, 0.3]
    assert weighted.resolved[kinds.AUGMENTATION][0].options.p == 0.25


def test_a_name_may_be_prefixed_by_its_distribution():
    assert plan(arch="marsseg/dense").name == "dense"


# --- plan files


def test_a_plan_file_may_contain_texts_tables_and_lists(file):
    mixed = plan(file('arch = "dense"\nloss = ["ssce", {name = "wssce", weight = 2}]\n[[bottleneck]]\nname = "aspp"'))
    assert [chosen.entry.name for chosen in mixed.resolved[kinds.LOSS]] == ["ssce", "wssce"]
    assert mixed.resolved[kinds.LOSS][1].options.weight == 2.0
    assert [chosen.entry.name for chosen in mixed.resolved[kinds.BOTTLENECK]] == ["aspp"]


def test_a_run_folder_can_be_used_as_a_plan(file, tmp_path):
    file(plan("report").to_toml(), "plan.toml")
    assert plan(tmp_path).resolved[kinds.ARCHITECTURE][0].component == plan("report").one(kinds.ARCHITECTURE)


def same(left: Plan, right: Plan) -> bool:
    """Equal except for the origins."""
    chosen = [
        {kind: [(c.entry, c.component, c.options) for c in several] for kind, several in plan.resolved.items()}
        for plan in (left, right)
    ]
    return chosen[0] == chosen[1] and (left.split, left.training) == (right.split, right.training)


@st.composite
def requests(draw) -> Request:
    unit = st.floats(0.01, 1).map(str)
    bottlenecks = st.sampled_from(["transformer", "aspp", "transformer:heads=2", "aspp:rates=3", "aspp:out=classes"])
    losses = st.builds("{}:weight={}".format, st.sampled_from(["ssce", "wssce", "wssce:cap=none"]), unit)
    return Request(
        base=draw(st.sampled_from([None, "report", "default"])),
        compositions={
            "arch": draw(st.builds("{}:width={}".format, st.sampled_from(["dense", "unet"]), unit)),
            "bottleneck": draw(st.lists(bottlenecks, max_size=3).map(lambda several: ",".join(several) or "none")),
            "loss": draw(st.lists(losses, min_size=1, max_size=3).map(",".join)),
            "augment": draw(st.sampled_from(["none", "hflip", "hflip:p=0.1,hflip"])),
        },
        sections={
            "training": {
                "seed": draw(st.integers(0, 2**32 - 1)),
                "patience": draw(st.none() | st.integers(1, 99)),
                "learning_rate": draw(st.floats(1e-9, 1e3)),
                "deterministic": draw(st.booleans()),
            }
        },
        overrides=draw(st.sampled_from([[], ["split.test=0.3"], ["arch.1.filters=8,16"], ["data.1.count=30"]])),
    )


@given(requests())
def test_a_plan_written_as_toml_resolves_to_an_equal_plan(tmp_path_factory, asked):
    first = resolve(asked, open_session())
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(first.to_toml(), encoding="utf-8")
    second = resolve(Request(base=str(path)), open_session())
    assert same(first, second)
    assert second.to_toml() == first.to_toml()


def test_a_written_plan_has_distributions_and_every_value():
    document = tomllib.loads(plan("report").to_toml())
    assert document["arch"]["distribution"] == "marsseg"
    assert document["arch"]["version"] == installed().find(kinds.ARCHITECTURE, "dense").version
    written = {f"training.{key}" for key in document["training"]} | {f"split.{key}" for key in document["split"]}
    assert written == {row[0] for row in plan().rows() if row[0].startswith(("training.", "split."))}


@pytest.mark.parametrize("name", ["default", "fast", "small", "best", "pretrained"])
def test_only_the_recipe_pretrained_begins_with_weights_of_other_images(name):
    weights = [encoder.options.weights for encoder in plan(name).resolved[kinds.ENCODER]]
    assert weights == (["imagenet"] if name == "pretrained" else [])


def test_the_recipe_report_has_the_values_of_the_reports_final_run():
    report = plan("report")
    arch, (transformer, aspp), (loss,) = (
        report.one(kinds.ARCHITECTURE),
        report.components(kinds.BOTTLENECK),
        report.components(kinds.LOSS),
    )
    assert (report.name, arch.filters, arch.width) == ("dense", (32, 64, 128, 256), 1.0)
    assert (transformer.filters, transformer.heads, transformer.key_size) == (512, 8, 512)
    assert (transformer.mlp, transformer.layers, transformer.dropout) == (1024, 4, 0.3)
    assert (transformer.norm, transformer.positions, transformer.shared) == ("post", "none", True)
    assert (aspp.filters, aspp.rates, aspp.normalisation) == (512, (6, 12), "none")
    assert (aspp.out, aspp.activation) == ("classes", "softmax")
    assert (loss.weights, loss.cap, loss.count, loss.normalise) == ("balanced", 10.0, "all", "pixels")
    assert [type(each).__name__ for each in report.components(kinds.AUGMENTATION)] == ["HFlip"]
    schedule = report.one(kinds.SCHEDULE)
    assert (schedule.factor, schedule.patience, schedule.min_delta) == (0.1, 40, 1e-5)
    training = report.training
    assert (training.epochs, training.batch, training.learning_rate, training.patience) == (300, 64, 1e-3, 50)
    assert (report.split.validation, report.split.seed) == (0.2, 42)


# --- data: names and paths


def test_data_is_a_name_or_a_path(tiny_file, monkeypatch):
    assert plan(data="synthetic:count=30").one(kinds.DATASET).count == 30
    assert plan(data=str(tiny_file)).one(kinds.DATASET).path == str(tiny_file)
    assert plan(data=f"npz:path={tiny_file}").one(kinds.DATASET).path == str(tiny_file)
    monkeypatch.chdir(tiny_file.parent)
    assert plan(data=tiny_file.name).one(kinds.DATASET).path == str(
        tiny_file
    )  # the plan is valid in any working directory


def test_a_data_set_name_is_preferred_to_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "synthetic").mkdir()
    monkeypatch.chdir(tmp_path)
    assert type(plan(data="synthetic").one(kinds.DATASET)).__name__ == "Synthetic"
    assert refused(data="./synthetic").what == "No data set recognises './synthetic'."
    assert refused(data="").what == "The data have no name."


@pytest.mark.parametrize("name", ["a,b.npz", "a:b=c.npz", "a b.npz", "[red].npz"])
def test_a_path_may_contain_commas_and_colons(tmp_path, name):
    (tmp_path / name).touch()
    assert plan(data=str(tmp_path / name)).one(kinds.DATASET).path == str(tmp_path / name)


def test_a_data_set_without_its_path_is_refused():
    assert refused(data="npz").what == "path must be given."


# --- plugins


@pytest.fixture
def with_plugin(monkeypatch):
    """`with_plugin(cls, name)` → the installed catalog and this class as a component of the distribution acme."""

    def add(cls, name="extra", distribution="acme") -> Catalog:
        module = ModuleType(f"plugin_{distribution}_{cls.__name__.lower()}")
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        extra = Entry(cls.kind, name, f"{module.__name__}:{cls.__name__}", distribution, "1.0")
        return Catalog([*installed().entries, extra])

    return add


@pytest.mark.parametrize("taken", ["weight", "name", "distribution", "version"])
def test_a_parameter_with_a_reserved_name_is_a_plugin_error(with_plugin, taken):
    fields = [(taken, float, param(1.0, help="mine"))]
    cls = make_dataclass(
        f"Taken_{taken}", fields, bases=(Loss,), namespace={"build": lambda self, spec: None}, frozen=True
    )
    with pytest.raises(PluginError, match=f"'extra' of acme 1.0 has a parameter called '{taken}'"):
        plan(loss="extra", catalog=with_plugin(cls))


@dataclass(frozen=True)
class Tiles(Dataset):
    """A data set that recognises .npz files too."""

    path: str = param(help="the file")

    @classmethod
    def recognises(cls, path):
        return path.suffix == ".npz"

    def load(self): ...


def test_a_path_that_two_data_sets_recognise_is_refused(with_plugin, tiny_file):
    catalog = with_plugin(Tiles, "tiles")
    error = refused(data=str(tiny_file), catalog=catalog)
    assert error.what == f"Several data sets recognise '{tiny_file}': marsseg/npz, acme/tiles."
    assert error.hint == f"Name one, as in --data marsseg/npz:path={tiny_file}."
    assert isinstance(plan(data=f"tiles:path={tiny_file}", catalog=catalog).one(kinds.DATASET), Tiles)


def test_a_data_set_for_any_source_comes_after_the_others(with_plugin, tmp_path):
    @dataclass(frozen=True)
    class Photos(Tiles):
        @classmethod
        def recognises(cls, path):
            return (path / "images").is_dir()

    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    assert type(plan(data=str(tmp_path)).one(kinds.DATASET)).__name__ == "Folder"
    assert isinstance(plan(data=str(tmp_path), catalog=with_plugin(Photos, "photos")).one(kinds.DATASET), Photos)


def test_a_data_set_that_fails_to_recognise_is_ignored(with_plugin, tiny_file):
    @dataclass(frozen=True)
    class Failing(Tiles):
        @classmethod
        def recognises(cls, path):
            raise RuntimeError("no")

    assert plan(data=str(tiny_file), catalog=with_plugin(Failing)).one(kinds.DATASET).path == str(tiny_file)


def test_a_data_set_that_cannot_be_used_recognises_nothing(with_plugin, tiny_file):
    *others, extra = sorted(with_plugin(Tiles, "tiles").entries, key=lambda entry: entry.distribution == "acme")
    unusable = Entry(extra.kind, extra.name, extra.target, "acme", "1.0", status="incompatible", reason="it is old")
    catalog = Catalog([*others, unusable])
    assert plan(data=str(tiny_file), catalog=catalog).one(kinds.DATASET).path == str(tiny_file)
    assert "it is old" in refused(data=f"tiles:path={tiny_file}", catalog=catalog).what


@pytest.mark.parametrize("arch", ["deeplabv3plus", "fpn"])
def test_an_architecture_that_needs_an_encoder_is_refused_without_one(arch):
    for encoder in ({}, {"encoder": "none"}):
        error = refused(arch=arch, **encoder)
        assert error.what == f"The architecture '{arch}' needs an encoder."
        assert error.where == "--encoder"
        assert "efficientnet_lite0" in error.hint
    assert plan(arch=arch, encoder="efficientnet_lite0").one(kinds.ENCODER)


RUN = REPOSITORY / "tests" / "frozen" / "finished"


@pytest.mark.parametrize(
    ("inner", "option", "what"),
    [
        (
            "dense",
            {"encoder": "efficientnet_lite0"},
            "The architecture 'dense' inside 'refine' does not take an encoder.",
        ),
        ("fpn", {}, "The architecture 'fpn' inside 'refine' needs an encoder."),
    ],
)
def test_an_architecture_inside_another_must_fit_the_encoder(inner, option, what):
    error = refused(arch=f"refine:run={RUN}:inner={inner}", **option)
    assert (error.what, error.where) == (what, " ".join(["--encoder", *option.values()]))
    assert plan(arch=f"refine:run={RUN}:inner=fpn", encoder="efficientnet_lite0").one(kinds.ENCODER)


def test_an_encoder_of_a_recipe_is_named_with_the_recipe():
    error = refused(base="pretrained", arch="dense")
    assert error.where == "encoder efficientnet_lite0, recipe pretrained"
    assert error.hint.startswith("Leave it out: --encoder none.")


def test_an_architecture_with_an_encoder_of_its_own_needs_none():
    assert plan(arch="segformer").components(kinds.ENCODER) == ()


def test_a_bottleneck_is_refused_if_the_architecture_takes_none(monkeypatch):
    from marsseg_plugins.architectures.unet import UNet

    monkeypatch.setattr(UNet, "takes_bottleneck", False)
    error = refused(arch="unet", bottleneck="aspp")
    assert "does not take a bottleneck" in error.what
    assert plan(arch="unet").components(kinds.BOTTLENECK) == ()
