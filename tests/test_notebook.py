"""Test the display in notebooks: short texts, HTML with the figures inside, and a whole notebook in a real kernel."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import marsseg

SMALL = {"arch": "unet:width=0.125:depth=1:convolutions=1", "loss": "dice", "batch": 8, "epochs": 1}


@pytest.fixture(scope="module")
def shown(tiny, tmp_path_factory):
    """Make an object of each kind that notebooks show; return them by name."""
    folder = tmp_path_factory.mktemp("shown")
    run = marsseg.run(data=tiny, out=folder / "run", **SMALL)
    series = marsseg.series(data=tiny, out=folder / "series", seeds=2, **SMALL)
    return {
        "run": run,
        "confusion": run.scores["test"],
        "comparison": marsseg.compare(run, series),
        "series": series,
        "plan": run.plan,
        "data": tiny,
    }


FIGURES = {"run": 2, "confusion": 1, "comparison": 1, "series": 0, "plan": 0, "data": 8}


@pytest.mark.parametrize("name", FIGURES)
def test_the_text_has_some_lines(shown, name):
    text = repr(shown[name])
    assert text.startswith(type(shown[name]).__name__)
    assert len(text.splitlines()) <= 10
    assert len(text) < 1200


@pytest.mark.parametrize("name", FIGURES)
def test_the_html_has_its_figures_inside(shown, name):
    html = shown[name]._repr_html_()
    pictures = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) == html.count("<img") == FIGURES[name]
    for picture in pictures:
        assert min(Image.open(BytesIO(b64decode(picture))).size) >= 16
    assert html.count("<table") == html.count("</table>") > 0
    assert "<script" not in html


def test_the_texts_have_the_most_important_facts(shown):
    assert "unet, finished, 1 of 1 epochs, best epoch 1" in repr(shown["run"])
    assert f"test: miou {shown['confusion'].miou:.4f}" in repr(shown["run"])
    assert "2 of 2 seeds finished" in repr(shown["series"])
    assert "arch=unet" in repr(shown["plan"])
    assert "24 images of 16 × 32 × 1, 5 classes" in repr(shown["data"])
    assert "(n=" in repr(shown["comparison"])


def test_many_groups_are_cut_short(shown):
    import dataclasses

    comparison = shown["comparison"]
    many = dataclasses.replace(comparison, groups=comparison.groups[:1] * 30)
    assert len(repr(many).splitlines()) == 10
    assert "and 22 more" in repr(many)


def test_names_are_escaped(tiny):
    names = ("<b>", *tiny.class_names[1:])
    data = marsseg.SegmentationData(tiny.images, tiny.masks, names, source="<i>")
    assert "<td>&lt;b&gt;</td>" in data._repr_html_()
    assert 'alt="mask 0"' in data._repr_html_()
    items = [f"<i>{item}.png" for item in range(len(data))]
    named = marsseg.SegmentationData(tiny.images, tiny.masks, names, names=items)
    assert 'alt="mask &lt;i&gt;0.png"' in named._repr_html_()


def test_a_run_without_a_score_is_shown(shown):
    import dataclasses

    run = dataclasses.replace(shown["run"], scores={}, history=[], metrics={}, best_epoch=None)
    assert "not ended, 0 of 1 epochs" in run._repr_html_()


def test_a_confusion_without_a_score_is_shown():
    empty = marsseg.Confusion(("a", "b"), ())
    assert "nan" in repr(empty)
    assert "–" in empty._repr_html_()


def test_a_run_can_be_used_as_the_path_of_its_folder(shown):
    assert Path(shown["run"]) == shown["run"].path
    assert marsseg.load(shown["run"]).count_params() == shown["run"].network.count_params()


def test_without_the_python_interface_only_the_text_is_shown(python):
    code = "import marsseg_core.evaluation.confusion as c; print(c.Confusion(('a', 'b'), ())._repr_html_())"
    assert python(code).out == "None\n"


CELLS = [
    "from dataclasses import dataclass\n\nimport keras\nfrom keras import ops\n\nimport marsseg\n"
    "from marsseg_core.plugin_api import Architecture, Loss, param",
    "SMOOTH = 1e-6",
    '''
@dataclass(frozen=True)
class RootError(Loss):
    """Root error: the mean of (1 − p)^power."""

    power: float = param(0.5, help="below 1, small errors count more", above=0)

    def build(self, spec):
        def root_error(labels, logits):
            valid = ops.cast(ops.not_equal(labels, 255), "float32")
            hot = ops.one_hot(ops.where(ops.equal(labels, 255), 0, ops.cast(labels, "int32")), spec.num_classes)
            right = ops.sum(ops.softmax(logits) * hot, axis=-1)
            return ops.mean(valid * (1.0 - right + SMOOTH) ** self.power)

        return root_error
''',
    '''
@dataclass(frozen=True)
class TinyNet(Architecture):
    """Two convolutions."""

    filters: int = param(4, help="of the first", minimum=1)

    def build(self, spec):
        inputs = keras.Input((spec.height, spec.width, spec.channels))
        features = keras.layers.Conv2D(self.filters, 3, padding="same", activation="relu")(inputs)
        return keras.Model(inputs, keras.layers.Conv2D(spec.num_classes, 1)(spec.bottleneck(features)))
''',
    "run = marsseg.run(arch=TinyNet(filters=8), loss=[RootError(power=0.3), 'dice'],"
    " data='synthetic:count=24:height=16:width=32', bottleneck=None, epochs=1, batch=4, out='run')\nrun",
    "run.scores['test']",
    "marsseg.compare(run)",
]


@pytest.mark.slow
def test_a_notebook_can_define_a_loss_and_a_network_and_run_them(tmp_path, python_with_keras):
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    figures = {4: 2, 5: 1, 6: 1}
    for number, count in figures.items():
        (result,) = [o for o in notebook.cells[number].outputs if o.output_type == "execute_result"]
        assert result.data["text/html"].count("data:image/png;base64,") == count
        assert len(result.data["text/plain"].splitlines()) <= 10
    printed = [o.text for cell in notebook.cells for o in cell.outputs if o.output_type == "stream"]
    assert "lacks" not in "".join(printed)

    # The run stores the whole definitions of the cells: another process can read the plan and the network.
    code = "import marsseg; p = marsseg.plan('run', trust=True); print(p); print(marsseg.load('run', trust=True).name)"
    answer = python_with_keras(code)
    assert "arch=tiny_net, bottleneck=none, loss=root_error,dice" in answer.out, answer.err
