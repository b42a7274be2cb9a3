"""What `--vary` means: paths, values, and which settings play a part in a trial. Nothing here is trained."""

from __future__ import annotations

import pytest

from marsseg_core.errors import RequestError
from marsseg_core.planning.request import Request
from marsseg_core.registry.parameters import Parameter
from marsseg_core.registry.session import open_session
from marsseg_core.sweeps.draw import check_sampler, drawn, plan_of, warnings_of
from marsseg_core.sweeps.options import SweepOptions
from marsseg_core.sweeps.space import make_space, read_space
from marsseg_core.sweeps.values import Choices, Range, parse_values

BASE = Request(compositions={"data": "synthetic:count=16", "arch": "unet"})
FREE = Request(compositions={"data": "synthetic:count=16"})


def space_of(*varied, request=FREE):
    return make_space(varied, request, open_session())


def refusal(*varied, request=FREE):
    with pytest.raises(RequestError) as caught:
        space_of(*varied, request=request)
    return caught.value


def parse(*texts, type=float):
    return parse_values(texts, [Parameter("x", type, None, "")], "training.x")


class TestValues:
    def test_commas_separate_choices_of_a_scalar(self):
        assert parse("0.25, 0.5", "1", "0.5") == Choices((0.25, 0.5, 1.0))
        assert parse("none,3", type=int | None) == Choices((None, 3))

    def test_each_text_is_one_choice_of_a_list(self):
        assert parse("8,8", "16,16", type=tuple[int, ...] | None) == Choices(((8, 8), (16, 16)))

    @pytest.mark.parametrize(
        ("text", "type", "expected"),
        [
            ("1e-4..1e-2", float, Range(1e-4, 1e-2, False, True)),
            ("1..9.9", float, Range(1, 9.9, False, False)),
            ("1..9:log", float, Range(1, 9, False, True)),
            ("1..1000:linear", float, Range(1, 1000, False, False)),
            ("-1..1000", float, Range(-1, 1000, False, False)),
            (".5...75", float, Range(0.5, 0.75, False, False)),
            ("4..64", int, Range(4, 64, True, True)),
            ("2..5", int | None, Range(2, 5, True, False)),
        ],
    )
    def test_a_range_is_logarithmic_where_it_spans_a_decade(self, text, type, expected):
        assert parse(text, type=type) == expected

    def test_a_text_is_no_range(self):
        assert parse("a..b", type=str) == Choices(("a..b",))

    @pytest.mark.parametrize("texts", [("9..1",), ("1..2", "3"), ("1..x",), ("-1..1:log",), ("a",)])
    def test_wrong_values_are_refused(self, texts):
        with pytest.raises(RequestError, match=r"training\.x"):
            parse(*texts)

    def test_whole_numbers_are_drawn_from_first_to_last(self):
        import random

        values = {Range(1, 3, True, log).draw(random.Random(seed)) for seed in range(50) for log in (False, True)}
        assert values == {1, 2, 3}


class TestPaths:
    @pytest.mark.parametrize(
        ("varied", "hint"),
        [
            ("los=wssce", "Did you mean 'loss'?"),
            ("loss=wsce", "Did you mean 'wssce'?"),
            ("learning_rate=1..2", "Did you mean 'training.learning_rate'?"),
            ("training.epoch=1,2", "Did you mean 'epochs'?"),
            ("arch.unet.widht=1,2", "Did you mean 'width'?"),
            ("arch.unt.width=1,2", "Did you mean 'unet'?"),
            ("arch=unet,dense", "Each --vary is one choice: --vary arch=unet --vary arch=dense"),
            ("loss.weight=1,2", "loss.NAME.KEY"),
            ("training.monitor=miou,dice", "--monitor"),
        ],
    )
    def test_a_wrong_one_is_refused_with_the_right_one(self, varied, hint):
        request = FREE if varied.startswith("arch=") else BASE
        assert hint in (refusal(varied, request=request).hint or "")

    def test_nothing_is_set_and_varied(self):
        assert "arch is set and varies" in str(refusal("arch=dense", request=BASE))
        request = Request(sections={"training": {"epochs": "3"}})
        assert "training.epochs is set and varies" in str(refusal("training.epochs=1,2", request=request))

    def test_a_wrong_request_is_not_blamed_on_what_varies(self):
        error = refusal("loss=wssce", "loss=dice", request=Request(compositions={"arch": "unett"}))
        assert error.where == "--arch unett"


class TestSpace:
    def test_a_parameter_of_a_component_that_is_not_chosen_plays_no_part(self):
        space = space_of("arch=unet", "arch=dense", "arch.unet.depth=1..3", "arch.width=0.25,0.5")
        assert space.count == 3 * 2 + 2
        assignments = [space.grid(number) for number in range(8)]
        assert len({tuple(each.items()) for each in assignments}) == 8
        assert {"arch.unet.depth" in each for each in assignments if each["arch"] == "dense"} == {False}
        plan = plan_of(space, assignments[3], FREE, open_session())
        assert (plan.name, plan.rows()[1][1:]) == ("unet", ("0.5", "--set"))
        assert "('arch.unet.depth', '2', '--set')" in str(plan.rows())
        with pytest.raises(IndexError):
            space.grid(8)

    def test_a_position_is_a_component_too(self):
        space = space_of("loss=dice", "loss=wssce,dice", "loss.2.weight=0.5,2", "loss.dice.weight=1,3")
        assert space.count == 2 + 2 * 2
        with pytest.raises(RequestError, match="is set twice"):  # both mean the same in the second choice
            plan_of(space, space.grid(5), FREE, open_session())

    def test_a_parameter_that_a_component_needs_can_vary(self):
        varied = ("weighting=fixed", "weighting=scheduled", "weighting.scheduled.start=0.2,0.8")
        assert "end must be given" in str(refusal("loss=wssce,dice", *varied))
        space = space_of("loss=wssce,dice", *varied, "weighting.scheduled.end=0.5,0.5", "weighting.scheduled.end=1,2")
        assert space.count == 1 + 2

    def test_impossible_combinations_are_skipped_and_counted(self):
        space = space_of("arch=segformer", "arch=unet", "bottleneck=none", "bottleneck=aspp", "encoder=none")
        assert len(space.combinations) + len(space.impossible) == 4
        space = space_of("arch=dense", "arch=unet", "encoder=none", "encoder=resnet50")
        assert [dict(each.choices) for each in space.combinations][1:] == [
            {"arch": "unet", "encoder": "none"},
            {"arch": "unet", "encoder": "resnet50"},
        ]
        assert space.impossible == ("arch=dense, encoder=resnet50: The architecture 'dense' does not take an encoder.",)

    def test_a_choice_that_goes_nowhere_is_refused(self):
        error = refusal("encoder=none", "encoder=resnet50", request=Request(compositions={"arch": "dense"}))
        assert (error.where, error.what) == (
            "--vary encoder=resnet50",
            "The architecture 'dense' does not take an encoder.",
        )

    def test_a_file_has_the_same_words(self, tmp_path):
        file = tmp_path / "space.toml"
        file.write_text(
            'loss = ["wssce", "wssce,dice"]\n"arch.width" = "0.25,0.5"\n[training]\ncrop = [[8, 8], [16, 16]]\n'
            'batch = [4, 8]\nlearning_rate = "1e-4..1e-2"\n'
        )
        assert read_space(file) == [
            "loss=wssce",
            "loss=wssce,dice",
            "arch.width=0.25,0.5",
            "training.crop=8,8",
            "training.crop=16,16",
            "training.batch=4",
            "training.batch=8",
            "training.learning_rate=1e-4..1e-2",
        ]
        file.write_text("loss = []")
        with pytest.raises(RequestError, match="loss has no values"):
            read_space(file)


class TestDraws:
    RANGES = ("loss=wssce", "loss=dice", "loss.dice.weight=0.5..2", "training.learning_rate=1e-4..1e-2")

    def test_a_trial_depends_on_the_seed_and_its_number_alone(self):
        space = space_of(*self.RANGES)
        draws = [drawn(space, "random", 1, number) for number in range(20)]
        assert draws[13] == drawn(space_of(*self.RANGES), "random", 1, 13)
        assert draws != [drawn(space, "random", 2, number) for number in range(20)]
        assert {"loss.dice.weight" in each for each in draws if each["loss"] == "wssce"} == {False}
        assert all(1e-4 <= each["training.learning_rate"] <= 1e-2 for each in draws)
        # Another setting that varies changes no value of the others.
        more = drawn(space_of(*self.RANGES, "training.batch=4..8"), "random", 1, 13)
        assert draws[13].items() <= more.items()

    def test_random_search_draws_no_combination_twice(self):
        space = space_of("loss=wssce", "loss=dice", "training.batch=2,4,8")
        draws = [drawn(space, "random", 0, number) for number in range(6)]
        assert len({tuple(each.items()) for each in draws}) == 6
        assert drawn(space, "random", 0, 6) is drawn(space, "grid", 0, 6) is None

    def test_many_combinations_are_each_drawn_once(self):
        space = space_of("training.batch=1..50")
        draws = [drawn(space, "random", 0, number)["training.batch"] for number in range(50)]
        assert sorted(draws) == list(range(1, 51)) != draws

    def test_a_grid_does_not_list_the_values_of_a_range(self):
        """Of some ranges, the list would take all memory."""
        assert isinstance(parse("1..3", type=int).values, range)
        space = space_of("training.seed=0..4294967295")
        assert drawn(space, "grid", 0, 2**32 - 1) == {"training.seed": 2**32 - 1}

    def test_a_grid_has_no_ranges_of_numbers_that_are_not_whole(self):
        with pytest.raises(RequestError, match=r"single values of .*training\.learning_rate"):
            check_sampler("grid", space_of(*self.RANGES))
        check_sampler("grid", space_of("training.batch=1..3"))
        with pytest.raises(RequestError, match="no sampler 'gird'"):
            check_sampler("gird", space_of("training.batch=1..3"))


@pytest.mark.parametrize(
    ("sampler", "trials", "warned"),
    [("grid", 5, True), ("grid", 6, False), ("grid", None, False), ("random", 5, False)],
)
def test_a_grid_says_when_it_does_not_come_to_its_end(sampler, trials, warned):
    varied = ("loss=wssce", "loss=dice", "training.batch=2,4,8")
    lines = warnings_of(SweepOptions(varied, sampler, trials=trials), space_of(*varied))
    assert any("6 combinations, and only the first 5 are trained. training.batch" in line for line in lines) is warned


@pytest.mark.parametrize(("setting", "warned"), [("split.seed=0,1", True), ("split.labelled=1,0.5", False)])
def test_a_setting_that_decides_which_items_are_scored_is_warned_of(setting, warned):
    assert any("scored on different items" in line for line in space_of(setting).warnings) is warned
