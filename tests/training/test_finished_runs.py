"""A run must not use a network that learned its held-out images; of initial weights that did, it warns."""

import shutil

import pytest
from helpers.paths import FROZEN

import marsseg_core as marsseg
from marsseg_core.data.split import Split
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.registry.kinds import ARCHITECTURE
from marsseg_core.training.finished_runs import check_runs, warn_of_known_images

RUN = FROZEN / "finished"


@pytest.fixture(scope="module")
def data():
    return marsseg.dataset("synthetic:count=20:height=16:width=32")


@pytest.fixture(scope="module")
def own():
    """The split of the run."""
    recorded = RunFolder(RUN).read_split()
    return Split(*(tuple(recorded[subset]) for subset in ("train", "validation", "test")))


@pytest.fixture(scope="module")
def swapped(own):
    return Split(own.test, own.validation, own.train)


def test_its_own_split_is_accepted(data, own, caplog):
    check_runs(marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"]), data, own, [ARCHITECTURE])
    warn_of_known_images(marsseg.plan(init=RUN), data, own)
    assert not caplog.records


def test_a_network_that_learned_the_test_images_is_refused(data, swapped):
    plan = marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"])
    with pytest.raises(RequestError, match="trained on images of this run's validation or test subset") as caught:
        check_runs(plan, data, swapped, [ARCHITECTURE])
    assert "--split" in caught.value.hint


def test_of_a_network_of_other_data_it_is_unknown(own, caplog):
    plan = marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"])
    check_runs(plan, marsseg.dataset("synthetic:count=21:height=16:width=32"), own, [ARCHITECTURE])
    assert "was trained on other data" in caplog.text


@pytest.mark.parametrize(
    "words", [{"init": "{run}"}, {"encoder": "efficientnet_lite0:weights={run}"}], ids=["init", "encoder"]
)
def test_initial_weights_that_know_the_test_images_give_a_warning(data, swapped, caplog, words, tmp_path):
    run = shutil.copytree(RUN, tmp_path / "run")
    with (run / "plan.toml").open("a") as plan:
        plan.write('\n[encoder]\nname = "efficientnet_lite0"\n')
    words = {name: text.format(run=run) for name, text in words.items()}
    warn_of_known_images(marsseg.plan(arch="unet", **words), data, swapped)
    assert f"{len(swapped.test)} images of this run's validation and test subsets" in caplog.text
