"""The Python interface checks its arguments: a wrong value is always an error of marsseg, never one from inside."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.paths import FROZEN

import marsseg
from marsseg_core.api import building, results, training
from marsseg_core.errors import MarssegError

pytestmark = pytest.mark.usefixtures("without_reports")

ODD = {
    "number": 3,
    "fraction": 2.5,
    "nan": float("nan"),
    "object": object(),
    "bytes": b"bytes",
    "list": [object()],
    "mapping": {"a": 1},
    "array": np.full((2, 3), np.nan),
    "objects": np.array([object(), None]),
    "class": dict,
}
TEXTS = {"nowhere": "no/such.toml", "endless": "x" * 5000, "null": "\0", "empty": ""}
NO_FLAG = {"number": 3, "text": "no", "object": object(), "array": np.zeros(2), "none": None}
NO_COUNT = {
    "text": "many",
    "object": object(),
    "array": np.zeros(2),
    "negative": -1,
    "infinite": float("inf"),
    "yes": True,
}
NO_FUNCTION = {"number": 3, "text": "print", "array": np.zeros(2)}
PSP = FROZEN / "psp"
IMAGES = [np.zeros((8, 8), np.uint8)]
GIVEN = {"images": np.zeros((2, 4, 4, 1), np.uint8), "masks": np.zeros((2, 4, 4), np.uint8), "class_names": ("a", "b")}


class TestBeforeKerasIsLoaded:
    """To load Keras takes seconds: what can be checked without it is checked before."""

    @pytest.fixture(autouse=True)
    def without_keras(self, monkeypatch):
        def start_keras():
            raise AssertionError("Keras is loaded")

        for module in (building, results, training):
            monkeypatch.setattr(module, "start_keras", start_keras)

    @pytest.mark.parametrize(
        ("call", "what"),
        [
            (lambda: marsseg.network("unett"), "no architecture 'unett'"),
            (lambda: marsseg.network("unet", seed=-1), "seed"),
            (lambda: marsseg.loss("tverski"), "no loss 'tverski'"),
            (lambda: marsseg.loss("ssce,dice"), "must name one loss"),
            (lambda: marsseg.predict("nowhere", IMAGES), "nowhere"),
            (lambda: marsseg.predict(PSP, IMAGES, with_ignored="yes"), "with_ignored"),
            (lambda: marsseg.predict(PSP, IMAGES, engine="onnxx"), "no engine 'onnxx'"),
            (lambda: marsseg.evaluate("nowhere"), "nowhere"),
            (lambda: marsseg.evaluate(PSP, "nowhere.npz"), r"no file or folder 'nowhere\.npz'"),
            (lambda: marsseg.evaluate(PSP, subset="tests"), "no subset 'tests'"),
            (lambda: marsseg.evaluate(PSP, metrics="mio"), "'mio'"),
            (lambda: marsseg.evaluate(PSP, decoding="offset"), "no decoding 'offset'"),
            (lambda: marsseg.evaluate(PSP, tta="yes"), "tta"),
            (lambda: marsseg.resume("nowhere"), "nowhere"),
            (lambda: marsseg.resume(PSP), "finished"),
            (lambda: marsseg.extend("nowhere", epochs=3), "nowhere"),
            (lambda: marsseg.extend(PSP, epochs=0), "epochs"),
            (lambda: marsseg.extend(PSP, epochs=9, out=PSP), "nothing is ever overwritten"),
            (lambda: marsseg.report("nowhere"), "nowhere"),
            (lambda: marsseg.report(PSP, trust="yes"), "trust"),
        ],
    )
    def test_a_wrong_argument_is_refused(self, call, what):
        with pytest.raises(MarssegError, match=what):
            call()


def data(**wrong):
    return marsseg.SegmentationData(**GIVEN | wrong)


def predicted(*arguments, **words):
    return list(marsseg.predict(*arguments, **words))


# For each argument: a function that passes a value to it, and wrong values.
def varied(**arguments):
    return marsseg.sweep(vary={"training.batch": "2,4"}, **arguments)


def ablated(**arguments):
    return marsseg.ablate(**{"vary": {"training.batch": "2,4"}} | arguments)


CASES = {
    "network arch": (lambda v: marsseg.network(v), ODD | TEXTS),
    "network bottleneck": (lambda v: marsseg.network("unet", bottleneck=v), ODD | TEXTS),
    "network height": (lambda v: marsseg.network("unet", height=v), NO_COUNT),
    "network num_classes": (lambda v: marsseg.network("unet", num_classes=v), NO_COUNT),
    "network seed": (lambda v: marsseg.network("unet", seed=v), NO_COUNT),
    "network plugins": (lambda v: marsseg.network("unet", plugins=v), ODD | TEXTS),
    "loss name": (lambda v: marsseg.loss(v), ODD | TEXTS),
    "loss num_classes": (lambda v: marsseg.loss("dice", num_classes=v), NO_COUNT),
    "loss ignored": (lambda v: marsseg.loss("dice", ignore_classes=v), ODD),
    "loss frequencies": (lambda v: marsseg.loss("dice", class_frequencies=v), ODD),
    "loss plugins": (lambda v: marsseg.loss("dice", plugins=v), ODD | TEXTS),
    "dataset name": (lambda v: marsseg.dataset(v), ODD | TEXTS),
    "dataset count": (lambda v: marsseg.dataset("synthetic", count=v), ODD | NO_COUNT),
    "dataset plugins": (lambda v: marsseg.dataset("synthetic", plugins=v), ODD | TEXTS),
    "list kind": (lambda v: marsseg.list_components(v), ODD | TEXTS),
    "list plugins": (lambda v: marsseg.list_components(plugins=v), ODD | TEXTS),
    "compare runs": (lambda v: marsseg.compare(v), ODD | TEXTS),
    "compare nothing": (lambda v: marsseg.compare(), {"nothing": None}),
    "compare by": (lambda v: marsseg.compare("runs", by=v), ODD),
    "compare subset": (lambda v: marsseg.compare("runs", subset=v), ODD),
    "load path": (lambda v: marsseg.load(v), ODD | TEXTS),
    "load trust": (lambda v: marsseg.load("runs", trust=v), NO_FLAG),
    "resume path": (lambda v: marsseg.resume(v), ODD | TEXTS),
    "extend path": (lambda v: marsseg.extend(v, epochs=9), ODD | TEXTS),
    "report path": (lambda v: marsseg.report(v), ODD | TEXTS),
    "predict runs": (lambda v: predicted(v, IMAGES), ODD | TEXTS | {"no list": []}),
    "predict images": (lambda v: predicted("runs", v), ODD),
    "predict range": (lambda v: predicted("runs", IMAGES, range=v), ODD),
    "predict tta": (lambda v: predicted("runs", IMAGES, tta=v), NO_FLAG),
    "predict probabilities": (lambda v: predicted("runs", IMAGES, probabilities=v), NO_FLAG),
    "evaluate run": (lambda v: marsseg.evaluate(v), ODD | TEXTS),
    "plan base": (lambda v: marsseg.plan(v), ODD | TEXTS),
    "plan overrides": (lambda v: marsseg.plan(overrides=v), ODD | TEXTS | {"wrong texts": ["x", 3]}),
    "plan plugins": (lambda v: marsseg.plan(plugins=v), ODD | TEXTS),
    "plan trust": (lambda v: marsseg.plan(trust=v), NO_FLAG),
    "run base": (lambda v: marsseg.run(v), ODD | TEXTS),
    "run out": (lambda v: marsseg.run(out=v), ODD),
    "run callbacks": (lambda v: marsseg.run(callbacks=v), ODD | {"text": "early"}),
    "run hooks": (lambda v: marsseg.run(hooks=v), NO_FUNCTION),
    "series seeds": (lambda v: marsseg.series(seeds=v), NO_COUNT),
    "series folds": (lambda v: marsseg.series(folds=v), NO_COUNT),
    "series on": (lambda v: marsseg.series(seeds=2, on=v), ODD | TEXTS),
    "series jobs": (lambda v: marsseg.series(seeds=2, jobs=v), NO_COUNT),
    "sweep vary": (lambda v: marsseg.sweep(vary=v), ODD | TEXTS),
    "sweep values": (lambda v: marsseg.sweep(vary={"loss": v}), ODD | TEXTS),
    "sweep trials": (lambda v: varied(trials=v), NO_COUNT),
    "sweep sampler": (lambda v: varied(sampler=v), ODD | TEXTS),
    "sweep pruner": (lambda v: varied(pruner=v), ODD | TEXTS),
    "sweep wall": (lambda v: varied(wall=v), ODD | TEXTS),
    "sweep jobs": (lambda v: varied(jobs=v), NO_COUNT),
    "sweep on": (lambda v: varied(on=v), ODD | TEXTS),
    "sweep resume": (lambda v: marsseg.sweep(resume=v), ODD | TEXTS),
    "sweep disable": (lambda v: varied(disable=v), ODD | TEXTS),
    "ablate vary": (lambda v: ablated(vary=v), ODD | TEXTS),
    "ablate seeds": (lambda v: ablated(seeds=v), NO_COUNT),
    "ablate seed": (lambda v: ablated(seed=v), NO_COUNT),
    "ablate by": (lambda v: ablated(by=v), ODD | TEXTS),
    "ablate subset": (lambda v: ablated(subset=v), ODD | TEXTS),
    "ablate one_at_a_time": (lambda v: ablated(one_at_a_time=v), NO_FLAG),
    "ablate resume": (lambda v: ablated(resume=v), ODD | TEXTS),
    "series out": (lambda v: marsseg.series(seeds=2, out=v), ODD),
    "images": (lambda v: data(images=v), ODD | TEXTS | {"floats": GIVEN["images"] / 1.0, "flat": GIVEN["masks"]}),
    "masks": (
        lambda v: data(masks=v),
        ODD | TEXTS | {"integers": GIVEN["masks"].astype(int), "seven": GIVEN["masks"] + 7},
    ),
    "class names": (lambda v: data(class_names=v), ODD | TEXTS),
    "ignored": (lambda v: data(ignore_classes=v), ODD | TEXTS),
    "groups": (lambda v: data(groups=v), ODD | TEXTS),
    "confusion names": (lambda v: marsseg.Confusion(v, ()), ODD | TEXTS),
    "confusion ignored": (lambda v: marsseg.Confusion(("a", "b"), v), ODD | TEXTS),
    "confusion labels": (lambda v: marsseg.Confusion(("a", "b"), ()).update(v, np.zeros((1, 2, 2, 2))), ODD | TEXTS),
    "confusion logits": (lambda v: marsseg.Confusion(("a", "b"), ()).update(np.zeros((1, 2, 2), int), v), ODD | TEXTS),
}
WORDS = ("arch", "bottleneck", "loss", "weighting", "augment", "schedule", "data")
CASES |= {f"run {word}": (lambda v, word=word: marsseg.run(**{word: v}), ODD | TEXTS) for word in WORDS}
NUMBERS = ("epochs", "batch", "learning_rate", "head_weights", "seed", "fold", "validation", "fill_margin")
CASES |= {
    f"plan {word}": (
        lambda v, word=word: marsseg.plan(**{word: v}),
        {k: ODD[k] for k in ODD if k not in ("number", "fraction")} | TEXTS,
    )
    for word in NUMBERS
}
# These combinations are valid.
FINE = {
    ("dataset count", "number"),
    ("network bottleneck", "empty"),
    ("class names", "mapping"),
    ("confusion names", "mapping"),
}


@pytest.mark.parametrize(
    ("case", "kind"), [(case, kind) for case, (_, wrong) in CASES.items() for kind in wrong if (case, kind) not in FINE]
)
def test_a_wrong_value_is_an_error_of_marsseg(case, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, wrong = CASES[case]
    with pytest.raises(MarssegError) as caught:
        call(wrong[kind])
    assert len(caught.value.what.splitlines()) == 1
    assert not [*tmp_path.iterdir()]


def test_every_public_function_has_cases():
    functions = {name for name in marsseg.__all__ if name[0].islower()} - {"version"}
    assert functions <= {case.split()[0].replace("list", "list_components") for case in CASES}
