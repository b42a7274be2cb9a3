"""Write the model card of a pack: a README.md with the front matter that model hubs read.

All values come from the description of the pack. What nobody has said is marked as a gap, for the maker to fill in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..printable import printable
from ..runs.transductive import transductive_sentence

GAP: Final = "**[to be filled in]**"
"""Mark what a card does not know."""

# The subset that hubs show: it chose nothing.
_REPORTED: Final = "test"

# The form of the identifiers of licences that hubs know.
_HUB_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def card(description: Mapping[str, Any]) -> str:
    """Return the model card of a pack as Markdown, from the content of its pack.json."""
    return "\n".join(["---", *_front_matter(description), "---", "", *_body(description)]) + "\n"


def _front_matter(description: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines of YAML. Texts are written as in JSON, which YAML reads as they are."""
    licence = description["licence"]
    if licence is None:
        yield "# license: to be filled in"
    elif _HUB_LICENCE.fullmatch(licence.lower()):
        yield f"license: {_quoted(licence.lower())}"
    else:
        yield "license: other"
        yield f"license_name: {_quoted(licence)}"
    yield "library_name: marsseg"
    yield "pipeline_tag: image-segmentation"
    yield "tags: [marsseg, keras, mars, semantic-segmentation]"
    scored = [(run, run["scores"][_REPORTED]) for run in description["runs"] if run["scores"].get(_REPORTED)]
    if not scored:
        return
    yield "model-index:"
    source = _quoted(description["data"]["source"])
    for run, scores in scored:
        yield f"  - name: {_quoted(_title(description, run))}"
        yield "    results:"
        yield "      - task: {type: image-segmentation}"
        yield f"        dataset: {{name: {source}, type: {source}, split: {_REPORTED}}}"
        yield "        metrics:"
        transductive = ", transductive" if run.get("transductive") else ""
        for score in scores:
            if score["value"] is not None:
                name = _quoted(score["reading"] + transductive)
                yield f"          - {{type: {_quoted(score['score'])}, name: {name}, value: {score['value']!r}}}"


def _body(description: Mapping[str, Any]) -> Iterator[str]:
    data, runs = description["data"], description["runs"]
    yield from (f"# {_text(description['name'])}", "")
    what = "A network" if len(runs) == 1 else f"An ensemble of {len(runs)} networks, whose probabilities are averaged,"
    yield from (f"{what} for the semantic segmentation of images of Mars, trained with marsseg.", "")
    yield from ("## Use", "", f"{_needs(runs)}.", "", "```sh")
    yield from ("marsseg check FILE.zip", "marsseg predict FILE.zip IMAGES --out FOLDER", "```", "")
    yield from (f"Intended use, and uses that are out of scope: {GAP}", "")
    yield from ("## Classes", "", "| id | class | colour | |", "|---|---|---|---|")
    for number, each in enumerate(description["classes"]):
        yield f"| {number} | {_text(each['name'])} | {each['colour']} | {'ignored' if each['ignored'] else ''} |"
    yield from ("", "## Networks", "")
    for run in runs:
        yield from _network(run)
    yield from ("", "## Data", "")
    yield f"- Source: {_text(data['source'])}"
    yield f"- Made by, and where to find them: {_text(data['made_by']) if data['made_by'] else GAP}"
    yield f"- Licence of the data: {_text(data['licence']) if data['licence'] else GAP}"
    yield f"- Fingerprint of pixels, labels and groups: `{data['fingerprint']}`"
    yield from ("", "## Scores", "", "Recorded by the run, on subsets of its own data.")
    for run in runs:
        yield from ("", f"### {_text(_title(description, run))}", "")
        yield from _table(run["scores"])
        if run.get("transductive"):
            yield from ("", transductive_sentence("this network"))
    yield from ("", "## Limits", "", f"Where the networks fail, and on what they were not tested: {GAP}", "")
    licence = description["licence"]
    yield from ("## Licence", "", f"Licence of the networks: {_text(licence) if licence else GAP}")


def _network(run: Mapping[str, Any]) -> Iterator[str]:
    height, width, channels = run["image"]
    names = "; ".join(f"{kind} {', '.join(names) or 'none'}" for kind, names in run["components"].items())
    items = ", ".join(f"{subset} {count:,}" for subset, count in run["items"].items())
    scaling = run["scaling"]
    yield f"- {_text(run['name'])}: {_text(names)}"
    yield f"    - images of {height}×{width}×{channels} (height, width, channels); larger ones are cut into tiles"
    if run["preparation"]:
        yield f"    - before the training: {_text(run['preparation'])}"
    values = "8-bit values" if scaling is None else f"{scaling['low']:g} to {scaling['high']:g} become 0 to 255"
    yield f"    - values: {values}{' (percentiles of each image)' if scaling and scaling['per'] == 'image' else ''}"
    yield f"    - images of each subset: {_text(items)}"


def _table(scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    yield f"| score | {' | '.join(map(_text, scores))} | reading |"
    yield f"|---|{'---:|' * len(scores)}---|"
    values = {subset: {each["score"]: each["value"] for each in of} for subset, of in scores.items()}
    for name, score in {each["score"]: each for of in scores.values() for each in of}.items():
        cells = [_number(values[subset].get(name)) for subset in scores]
        yield f"| {_text(score['reading'])} | {' | '.join(cells)} | {_text(score['explanation'])} |"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _title(description: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    runs = description["runs"]
    return description["name"] if len(runs) == 1 else f"{description['name']} {runs.index(run) + 1}: {run['name']}"


def _needs(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return what must be installed. Not the command for it: a distribution may be on an index, or on none."""
    needs = {name: number for run in runs for name, number in run["needs"].items()}
    *others, last = [f"{_text(name)} {_text(number)}" for name, number in needs.items()]
    each = " of each" if others else ""
    return f"It needs {', '.join(others)}{' and ' if others else ''}{last}; the README{each} says how to install it"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _text(text: str) -> str:
    """Return text of plugins and users so that it stays in its cell or line and makes no markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", printable(text).replace("\n", " "))
