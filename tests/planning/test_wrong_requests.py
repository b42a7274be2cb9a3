"""A wrong request or plan file: one error with its place and a hint."""

from __future__ import annotations

import pytest
from helpers.plans import refused

pytestmark = pytest.mark.usefixtures("without_reports")

WRONG = {
    "component": ({"arch": "dnse"}, "There is no architecture 'dnse'.", "--arch dnse", "Did you mean 'dense'?"),
    "list": (
        {"arch": "unet:filters=16,32"},
        "There is no architecture '32'.",
        "--arch unet:filters=16,32",
        "A comma begins another component: set a list with --set arch.unet.filters=16,32",
    ),
    "list of numbers": (
        {"loss": "ssce,dice:weight=0.5:weights=1,-2.5, 1e-3,lovasz"},
        "There is no loss '-2.5'.",
        "",
        "--set loss.dice.weights=1,-2.5,1e-3",
    ),
    "list of names": (
        {"semi": "fixmatch:weak=hflip,vflip"},
        "There is no method 'vflip'.",
        "",
        "A comma begins another component: set a list with --set semi.fixmatch.weak=hflip,vflip",
    ),
    "no list of names": ({"augment": "hflip:p=0.5,dice"}, "There is no augmentation 'dice'.", "", "use --loss"),
    "parameter of the outer component that is for the inner one": (
        {"arch": "dual:first_bottleneck=transformer:heads=2"},
        "The architecture 'dual' has no parameter 'heads'.",
        "",
        "If it is for 'transformer': --set arch.dual.first_bottleneck=transformer:heads=2",
    ),
    "no encoder in the architecture": (
        {"arch": "dense", "encoder": "resnet50"},
        "The architecture 'dense' does not take an encoder.",
        "--encoder resnet50",
        "Leave it out. These architectures take one: ",
    ),
    "component in a component": (
        {"arch": "dual:first_bottleneck=nosuch"},
        "There is no bottleneck 'nosuch'.",
        "--arch dual:first_bottleneck=nosuch",
        "Installed bottleneck names",
    ),
    "parameter of a component in a component": (
        {"semi": "fixmatch", "overrides": ["semi.fixmatch.strong=noise:q=7"]},
        "There is no parameter 'q'.",
        "noise, semi.fixmatch.strong, --set",
        "Its parameters: sigma.",
    ),
    **{
        f"weak view with {name}": (
            {"semi": f"mean_teacher:weak={name}"},
            f"The weak view '{name}' changes more than the places of pixels.",
            "--semi mean_teacher",
            "Use augmentations that only move pixels, such as hflip, or none.",
        )
        for name in ("noise", "mars", "cutmix")
    },
    "strong view that moves pixels": (
        {"semi": "fixmatch", "overrides": ["semi.fixmatch.strong=noise,hflip"]},
        "The strong view 'noise,hflip' moves pixels",
        "--semi fixmatch",
        "Move pixels in the weak view",
    ),
    "number without a list": ({"loss": "dice,3"}, "There is no loss '3'.", "", "Installed loss names"),
    "list with plus": (
        {"arch": "unet:filters=16+32"},
        "filters=16+32 is not valid: expected a whole number.",
        "--arch unet:filters=16+32",
        "A comma separates its items: --set KIND.NAME.filters=16,32",
    ),
    "parameter": (
        {"arch": "dense:filter=3"},
        "The architecture 'dense' has no parameter 'filter'.",
        "--arch dense:filter=3",
        "Did you mean 'filters'?",
    ),
    "value": (
        {"overrides": ["arch.unet.width=x"]},
        "width=x is not valid: expected a number.",
        "arch unet, --set",
        "width: ",
    ),
    "bound": ({"arch": "unet:width=0"}, "width=0 is not valid: expected above 0.", "--arch unet:width=0", "width: "),
    "comma": (
        {"loss": "wssce,"},
        "'wssce,' has an empty name where a component is expected.",
        "--loss wssce,",
        "Components are separated by single commas",
    ),
    "two": ({"arch": "dense,unet"}, "A run has one architecture; these are 2: dense, unet.", "--arch", ""),
    "no architecture": ({"arch": "none"}, "A run needs an architecture.", "--arch", "Installed architecture names: "),
    "no loss": ({"loss": "none"}, "A run needs a loss.", "--loss", "Installed loss names: "),
    "twice by name": (
        {"overrides": ["arch.unet.width=1", "arch.unet.width=2"]},
        "'arch.unet.width' is set twice.",
        "--set arch.unet.width=2",
        "Keep one",
    ),
    "twice by name and position": (
        {"overrides": ["arch.unet.width=1", "arch.1.width=2"]},
        "'arch.1.width' is set twice.",
        "--set arch.1.width=2",
        "Keep one",
    ),
    "twice in a section": (
        {"overrides": ["training.seed=1", "training.seed=1"]},
        "'training.seed' is set twice.",
        "--set training.seed=1",
        "Keep one",
    ),
    "twice inline": ({"arch": "dense:width=1:width=2"}, "'width' is given twice in 'dense:width=1:width=2'.", "", ""),
    "no setting": (
        {"overrides": ["width=3"]},
        "'width=3' is not a valid override.",
        "--set",
        "The form is kind.name.key=value",
    ),
    "no value": (
        {"overrides": ["arch.unet.width"]},
        "'arch.unet.width' is not a valid override.",
        "--set",
        "The form is",
    ),
    "no kind": (
        {"overrides": ["arhc.unet.width=3"]},
        "'arhc' cannot be set.",
        "--set arhc.unet.width=3",
        "mean 'arch'?",
    ),
    "no name": (
        {"overrides": ["arch.width=3"]},
        "'arch.width' has no component name.",
        "--set arch.width=3",
        "architecture: unet",
    ),
    "not in the plan": (
        {"overrides": ["arch.dense.width=3"]},
        "The plan has no architecture 'dense'.",
        "--set arch.dense.width=3",
        "It has: unet.",
    ),
    "nowhere": ({"overrides": ["arch.unt.width=3"]}, "There is no architecture 'unt'.", "", "Did you mean 'unet'?"),
    "ambiguous": (
        {"bottleneck": "aspp,aspp", "overrides": ["bottleneck.aspp.out=classes"]},
        "'aspp' occurs 2 times in the plan.",
        "--set bottleneck.aspp.out=classes",
        "Use its position, as in bottleneck.2.out=…",
    ),
    "position 0": ({"overrides": ["arch.0.width=3"]}, "There is no architecture at position 0.", "", "Positions count"),
    "position 2": ({"overrides": ["arch.2.width=3"]}, "There is no architecture at position 2.", "", "Positions count"),
    "section key": (
        {"overrides": ["training.epoch=3"]},
        "There is no 'epoch' in training.",
        "--set training.epoch=3",
        "Did you mean 'epochs'?",
    ),
    "section value": (
        {"sections": {"training": {"epochs": "many"}}},
        "epochs=many is not valid: expected a whole number.",
        "--epochs many",
        "epochs: passes over",
    ),
    "split": (
        {"overrides": ["split.validation=0.6", "split.test=0.4"]},
        "These parameters do not fit together: validation and test leave no images for training",
        "split",
        "",
    ),
    "another kind": ({"loss": "dense"}, "There is no loss 'dense'.", "", "'dense' is an architecture: use --"),
    "recipe": ({"base": "reprot"}, "There is no recipe 'reprot'.", "--plan", "Did you mean 'report'?"),
    "plan file": ({"base": "gone.toml"}, "There is no plan file 'gone.toml'.", "--plan", "`marsseg list recipe`"),
    "plan folder": ({"base": "gone/plan.toml"}, "There is no plan file 'gone/plan.toml'.", "--plan", ""),
    "long plan name": ({"base": "a" * 300}, "There is no recipe ", "--plan", ""),
    "data file": ({"data": "gone.npz"}, "There is no file or folder 'gone.npz'.", "--data gone.npz", ""),
    "long data name": ({"data": "a" * 300}, "There is no data set ", "--data", ""),
    "data name": ({"data": "sinthetic"}, "There is no data set 'sinthetic'.", "", "Did you mean 'synthetic'?"),
    "two data sets": ({"data": "synthetic,npz"}, "", "", ""),
    "list of words": (
        {"data": "npz:path=a.npz:classes=ground,rock"},
        "A run has one data set.",
        "",
        "--set data.npz.classes=ground,rock",
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_one_error_with_place_and_hint(wrong):
    request, what, where, hint = wrong
    error = refused(**request)
    assert error.what.startswith(what)
    assert (error.where or "").startswith(where)
    assert hint in (error.hint or "")


WRONG_FILES = {
    "unknown key": ('archs = "dense"', "A plan has no key 'archs'.", "Did you mean 'arch'?"),
    "unknown table": ("[trianing]\nepochs = 3", "A plan has no key 'trianing'.", "Did you mean 'training'?"),
    "unknown key in a table": ("[training]\nepoch = 3", "There is no 'epoch' in training.", "Did you mean 'epochs'?"),
    "section is no table": ("training = 3", "'training' must be a table.", "[training]"),
    "unknown parameter": (
        '[arch]\nname = "dense"\nfilter = 3',
        "The architecture 'dense' has no parameter 'filter'.",
        "Did you mean 'filters'?",
    ),
    "nameless": ("[arch]\nwidth = 3", "The table of a component has no name.", 'Add name = "…".'),
    "no component": ("arch = 3", "3 is not a component.", 'Write a string such as "transformer,aspp".'),
    "no component in a list": ("loss = [3]", "3 is not a component.", ""),
    "wrong value": ('[arch]\nname = "dense"\nwidth = "x"', "width=x is not valid: expected a number.", "width: "),
    "wrong type": ('[arch]\nname = "dense"\nwidth = 1979-05-27', "width=1979-05-27 is not valid", ""),
    "table as a value": ('[arch]\nname = "dense"\nwidth.x = 3', "width={'x': 3} is not valid", ""),
    "huge number": (f'[arch]\nname = "dense"\nwidth = {10**400}', "width=1000", ""),
    "broken TOML": ("arch = ", "The plan is not valid TOML: ", ""),
    "twice": ('arch = "unet"\narch = "dense"', "The plan is not valid TOML: Cannot overwrite a value", ""),
}


@pytest.mark.parametrize("wrong", WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_plan_file_is_one_error(file, wrong):
    text, what, hint = wrong
    error = refused(file(text))
    assert error.what.startswith(what)
    assert hint in (error.hint or "")


def test_a_wrong_plan_file_is_named(file):
    path = file("archs = 3")
    assert str(path) in refused(path).where


def test_a_plan_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes(b"\xff\xfe")
    assert refused(path).what.startswith("The plan is not valid TOML")
