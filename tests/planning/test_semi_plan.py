"""A plan with a semi-supervised method: what it records and refuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from helpers.semi import DATA, WORDS

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.planning.options import SemiOptions
from marsseg_core.registry import kinds
from marsseg_plugins.semi_supervised.pseudo import Pseudo

pytestmark = pytest.mark.usefixtures("without_observers")


class TestPlan:
    def test_has_no_method_by_default_and_leaves_it_out_of_its_file(self):
        plan = marsseg.plan()
        assert plan.resolved[kinds.METHOD] == ()
        assert "semi" not in plan.to_toml()
        assert ("semi", "none", "default") in plan.rows()

    def test_with_a_method_is_read_again(self, tmp_path):
        plan = marsseg.plan(semi="mean_teacher:ramp=3", unlabelled=DATA)
        file = tmp_path / "plan.toml"
        file.write_text(plan.to_toml())
        again = marsseg.plan(file)
        assert again.one(kinds.METHOD) == plan.one(kinds.METHOD)
        assert again.resolved[kinds.METHOD][0].options == SemiOptions(ramp=3.0)
        assert again.training.unlabelled == DATA
        assert marsseg.plan(file, semi=None).resolved[kinds.METHOD] == ()

    def test_takes_one_method(self):
        with pytest.raises(RequestError, match="one method"):
            marsseg.plan(semi="mean_teacher,mean_teacher")

    def test_has_the_absolute_path_of_the_images(self, tiny_file, monkeypatch):
        monkeypatch.chdir(tiny_file.parent)
        plan = marsseg.plan(semi="mean_teacher", unlabelled=tiny_file.name)
        assert plan.training.unlabelled == f"marsseg/npz:path={tiny_file.resolve()}"

    def test_keeps_the_word_for_unused_images(self, tmp_path):
        """Whatever source a plan named before."""
        file = tmp_path / "plan.toml"
        file.write_text(marsseg.plan(semi="mean_teacher", unlabelled=DATA).to_toml())
        plan = marsseg.plan(file, unlabelled="unused")
        assert plan.training.unlabelled == "unused"
        file.write_text(plan.to_toml())
        assert marsseg.plan(file).training.unlabelled == "unused"
        assert marsseg.plan(file, unlabelled=DATA).training.unlabelled == DATA

    def test_keeps_the_word_for_the_training_subset(self, tiny_file, tmp_path, monkeypatch):
        """Alone, or after the others, whose path becomes absolute."""
        monkeypatch.chdir(tiny_file.parent)
        file = tmp_path / "plan.toml"
        for value, expected in (
            ("training", "training"),
            ("own,training", "own,training"),
            ("training, unused", "unused,training"),
            (f"{tiny_file.name},training", f"marsseg/npz:path={tiny_file.resolve()},training"),
        ):
            file.write_text(marsseg.plan(semi="fixmatch", unlabelled=value).to_toml())
            assert marsseg.plan(file).training.unlabelled == expected

    def test_keeps_how_images_are_read_that_are_elsewhere(self, tmp_path):
        """The word for the training subset is no part of this: a new value names all images."""
        file = tmp_path / "plan.toml"
        file.write_text(marsseg.plan(semi="fixmatch", unlabelled=f"{DATA}:seed=3,training").to_toml())
        plan = marsseg.plan(file, unlabelled="synthetic:count=3")
        assert plan.training.unlabelled == "synthetic:count=3:height=16:width=16:seed=3"

    @pytest.mark.parametrize("value", [f"{DATA},{DATA}", f"{DATA},own", "own,unused", "own,"])
    def test_has_one_source_beside_the_training_subset(self, value):
        with pytest.raises(RequestError) as caught:
            marsseg.plan(semi="fixmatch", unlabelled=value)
        assert caught.value.hint == "Name one data set or path. After a comma, only the word training may follow."

    def test_refuses_a_source_that_is_not_there(self):
        with pytest.raises(RequestError, match=r"no file or folder 'no\.npz'"):
            marsseg.plan(semi="mean_teacher", unlabelled="no.npz")

    def test_names_its_images(self):
        with pytest.raises(RequestError, match="have no name"):
            marsseg.plan(semi="fixmatch", unlabelled="")

    def test_has_rounds_that_divide_the_epochs(self, tmp_path):
        words = {"semi": "pseudo:runs=none:rounds=3", "unlabelled": DATA}
        plan = marsseg.plan(epochs=6, **words)
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        assert marsseg.plan(tmp_path / "plan.toml").one(kinds.METHOD) == plan.one(kinds.METHOD)
        with pytest.raises(RequestError, match="7 epochs cannot be divided into 3 equal rounds, but 6 or 9 can"):
            marsseg.plan(epochs=7, **words)
        with pytest.raises(RequestError, match="set rounds=2 or more"):
            marsseg.plan(semi="pseudo:runs=none", unlabelled=DATA)

    def test_has_such_rounds_whatever_a_plugin_checks(self):
        @dataclass(frozen=True)
        class Unequal(Pseudo):
            def check(self, epochs):
                pass

        words = WORDS | {"semi": Unequal(None, rounds=3), "epochs": 7}
        with pytest.raises(RequestError, match="7 epochs cannot be divided into 3 equal rounds"):
            marsseg.plan(**words)

    def test_says_that_images_have_no_effect_without_a_method(self):
        assert any("--semi" in remark for remark in marsseg.plan(unlabelled=DATA).remarks)


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_path_that_a_composition_cannot_hold_is_refused(tmp_path, name):
    np.savez(tmp_path / f"{name}.npz", images=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(RequestError, match="has a colon or a comma"):
        marsseg.plan(semi="mean_teacher", unlabelled=str(tmp_path / f"{name}.npz"))
