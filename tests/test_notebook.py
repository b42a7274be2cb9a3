"""Test the display in notebooks: short texts, HTML with the figures inside, and a whole notebook in a real kernel."""

from __future__ import annotations

import importlib.util
import re
import sys
from base64 import b64decode
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.paths import REPOSITORY
from PIL import Image

import marsseg
import marsseg_core.api  # noqa: F401, it shows results in notebooks
from marsseg_core.data.split import Split
from marsseg_core.files import progress
from marsseg_core.plugin_api import Metric, NotebookOutput
from marsseg_core.sweeps.notebook import SweepOutput
from marsseg_core.sweeps.result import SweepResult
from marsseg_core.sweeps.summary import Summary, TrialRecord


@dataclass(frozen=True)
class SoilShare(Metric):
    """The share of the pixels of soil among all that count."""

    in_tables = False

    def value(self, counts, spec):
        return float(counts[1].sum() / counts.sum())


SMALL = {"arch": "unet:width=0.125:depth=1:convolutions=1", "loss": "dice", "batch": 8, "epochs": 1}


@pytest.fixture(scope="module")
def sweep():
    """A sweep of 30 trials that are finished, and one that failed."""
    trials = [
        TrialRecord(number, "finished", {"training.learning_rate": f"{number + 1}e-4"}, number / 30)
        for number in range(30)
    ]
    trials.append(TrialRecord(30, "failed", {}, reason="no <memory>"))
    return SweepResult.of(Path("runs/sweep"), Summary("finished", "miou", True, trials))


@pytest.fixture(scope="module")
def shown(tiny, sweep, tmp_path_factory):
    """Make an object of each kind that notebooks show; return them by name."""
    folder = tmp_path_factory.mktemp("shown")
    run = marsseg.run(data=tiny, out=folder / "run", metrics=[SoilShare], **SMALL)
    series = marsseg.series(data=tiny, out=folder / "series", seeds=2, **SMALL)
    return {
        "run": run,
        "confusion": run.scores["test"],
        "comparison": marsseg.compare(run, series),
        "series": series,
        "plan": run.plan,
        "data": tiny,
        "sweep": sweep,
        "components": marsseg.list_components("loss"),
    }


FIGURES = {
    "run": 2,
    "confusion": 1,
    "comparison": 1,
    "series": 1,
    "plan": 0,
    "data": 8,
    "sweep": 1,
    "components": 0,
}


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


def test_a_run_shows_the_scores_of_the_table_of_the_command_line(shown):
    html, score = shown["run"]._repr_html_(), shown["confusion"].value("soil_share")
    assert re.search(rf"<td>soil_share</td><td>[\d.]+</td><td>{score:.4f}</td>", html)
    assert "<td>iou soil</td>" in html
    assert "<td>soil_share</td>" in shown["confusion"]._repr_html_()
    assert "<td>iou soil</td>" in shown["series"]._repr_html_()
    assert "kappa" not in shown["series"]._repr_html_()


def test_a_series_has_its_curves_and_a_link_to_its_page(shown, monkeypatch):
    monkeypatch.chdir(shown["series"].path.parent)
    html = shown["series"]._repr_html_()
    assert 'alt="Curves of the runs"' in html
    assert '<a href="series/series.html"' in html
    assert "<img" not in replace(shown["series"], path=Path("moved"))._repr_html_()


def test_a_comparison_has_intervals_pairs_and_settings_that_differ(shown):
    html = shown["comparison"]._repr_html_()
    for header in ("95 % interval", "pairs", "setting that differs"):
        assert f"<th>{header}</th>" in html
    assert "<td>training.metrics</td>" in html


def test_an_image_and_its_mask_stay_side_by_side(shown):
    pairs = re.findall(
        r'<div style="display:inline-block;white-space:nowrap[^>]*>(.*?)</div>', shown["data"]._repr_html_()
    )
    assert re.findall('alt="([^"]*)"', pairs[0]) == ["image 0", "mask 0"]
    assert len(pairs) == 4


def test_drawn_numbers_have_six_digits_in_tables():
    settings = {"arch.width": "0.5292881023563949", "training.batch": "1000000", "loss": "dice", "x": "1e-05"}
    shown = TrialRecord(0, "finished", settings, -1e-9)
    assert list(shown.shown_settings.values()) == ["0.529288", "1000000", "dice", "1e-05"]
    assert "miou 0.0000" in repr(SweepResult.of(Path("s"), Summary("finished", "miou", True, [shown])))


def test_a_sweep_shows_its_best_trials(sweep):
    first, best, *_, last = repr(sweep).splitlines()
    assert first == "SweepResult('runs/sweep': finished, 30 of 31 trials finished, ranked by miou)"
    assert best == "  trial-0029  miou 0.9667  training.learning_rate=30e-4"
    assert last == "  and 22 more"
    assert "no &lt;memory&gt;" in sweep._repr_html_()


def test_all_components_fit_a_screen_and_are_a_list(shown):
    everything = marsseg.list_components()
    lines = repr(everything).splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 110
    assert [each.name for each in shown["components"]] == [each.name for each in everything if each.kind == "loss"]
    assert everything._repr_html_().count("<details>") == len({each.kind for each in everything})


def test_a_split_shows_its_sizes():
    assert repr(Split((1, 2), (3,), (4,))) == "Split(2 train, 1 validation, 1 test; drawn)"


def test_long_tables_scroll_with_the_keyboard_too(shown):
    scrolls = re.compile(
        r'<div style="max-height:30em;overflow:auto" tabindex="0" role="region" aria-label="[^"]+"><table>'
    )
    for value in shown.values():
        html = value._repr_html_()
        assert len(scrolls.findall(html)) == html.count("<table")
    assert 'aria-label="class, colour, share"' in shown["data"]._repr_html_()


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


# --- progress


@pytest.fixture
def outputs(monkeypatch):
    """The states of each output of a cell, as texts, as if this process were the kernel of a notebook."""
    shown = []

    class Handle:
        def __init__(self, content):
            self.states = [content]
            shown.append(self.states)

        def update(self, content, raw):
            assert raw
            self.states.append(content)

    def display(content, raw, display_id):
        assert raw
        assert display_id
        return Handle(content)

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shown


def test_only_a_kernel_is_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not NotebookOutput.is_possible()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not NotebookOutput.is_possible()
    terminal = SimpleNamespace()  # IPython's shell in a terminal has no kernel
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: terminal))
    assert not NotebookOutput.is_possible()


def test_an_output_is_replaced_by_its_next_state(outputs):
    output = NotebookOutput()
    output.clear()
    assert outputs == []  # nothing was shown, so nothing is
    for done in (1, 1, 2):
        output.show_progress(["<b>", f"{done} of 3"], done, 3)
    (states,) = outputs
    assert [state["text/plain"] for state in states] == ["<b>\n1 of 3", "<b>\n2 of 3"]
    assert "<b>&lt;b&gt;</b>" in states[0]["text/html"]
    assert 'value="2" max="3"' in states[1]["text/html"]
    output.clear()
    assert states[-1] == {"text/html": "", "text/plain": ""}


def test_a_long_operation_shows_a_bar_that_goes_away(outputs, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0)
    monkeypatch.setattr(progress, "NOTEBOOK_SECONDS", 0)
    with progress.ProgressBar("Preparing", "tiles.npz") as bar:
        bar(1, 4)
        bar(2, 4)
    (states,) = outputs
    texts = [state["text/plain"] for state in states]
    assert texts == ["Preparing tiles.npz\n25 % of 4", "Preparing tiles.npz\n50 % of 4", ""]
    assert capsys.readouterr() == ("", "")


def test_a_run_shows_one_bar_and_prints_nothing(outputs, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MARSSEG_DISABLE", "report")
    run = marsseg.run(data=tiny, out=tmp_path / "run", **SMALL | {"epochs": 2})
    (states,) = outputs
    assert states[0]["text/plain"].splitlines()[1:] == ["epoch 1/2", "The first step is being compiled …"]
    assert not any("compiled" in state["text/plain"] for state in states[1:])
    last = states[-1]["text/plain"].splitlines()
    assert last[0].startswith(f"unet: {run.network.count_params():,} parameters; ")
    assert last[0].endswith(str(run.path))
    assert re.fullmatch(r"epoch 2/2, loss \d\.\d{3}, 0:\d\d", last[1])
    assert "miou" in last[2]
    assert len(states) >= 4  # the begin and the end of each epoch
    assert f'value="{2 * run.steps_per_epoch}" max="{2 * run.steps_per_epoch}"' in states[-1]["text/html"]
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_sweep_shows_how_many_trials_have_ended(outputs, sweep):
    output = SweepOutput()
    for count in (1, 1, 2):
        summary = Summary("running", "miou", True, sweep.trials[:count])
        output.show(summary, 30)
    output.clear()
    (states,) = outputs
    assert [state["text/plain"] for state in states] == [
        "Sweep: 1 finished\n1 of 30\nbest: trial-0000, miou 0.0000 (training.learning_rate=1e-4)",
        "Sweep: 2 finished\n2 of 30\nbest: trial-0001, miou 0.0333 (training.learning_rate=2e-4)",
        "",
    ]


# --- the tutorial


def loaded_hook():
    spec = importlib.util.spec_from_file_location("notebooks", REPOSITORY / "docs" / "notebooks.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


def test_the_tutorial_is_stored_without_outputs():
    for cell in loaded_hook().read().cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_the_tutorial_defines_a_loss_and_a_network_and_runs_them(tmp_path, python_with_keras):
    hook = loaded_hook()
    notebook = hook.read()
    hook.execute(notebook, tmp_path)
    results = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "execute_result":
                results[cell.source.splitlines()[-1]] = output.data
                assert len(output.data["text/plain"].splitlines()) <= 10
    figures = {"data": 8, "first": 2, 'second.scores["test"]': 1, 'third.scores["test"]': 1, "comparison": 1}
    for line, count in figures.items():
        assert results[line]["text/html"].count("data:image/png;base64,") == count
    printed = [o.text for cell in notebook.cells for o in cell.get("outputs", ()) if o.output_type == "stream"]
    assert "lacks" not in "".join(printed)
    assert "\r" not in "".join(printed)

    page = hook.page(notebook)
    assert page.count("data:image/png;base64,") >= sum(figures.values())
    assert page.count("<progress ") == 3  # of the three runs; that of the data has gone away
    assert "TinyNet(Architecture)" in page

    # The run stores the whole definitions of the cells: another process can read the plan and the network.
    code = "import marsseg; p = marsseg.plan('runs/third', trust=True); print(p);"
    answer = python_with_keras(f"{code} print(marsseg.load('runs/third', trust=True).name)")
    assert "arch=tiny_net, bottleneck=none, loss=root_error,dice" in answer.out, answer.err
