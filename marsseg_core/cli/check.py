"""`marsseg check`: check a pack, and say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..conventions import HEADLINE
from ..errors import RequestError
from ..networks.startup import check_backend
from ..registry.session import open_session
from .loading import load_keras
from .output import print_json, print_table, print_text


def check(
    file: Annotated[Path, typer.Argument(help="A pack.", metavar="FILE", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a pack: its files, what it says of its runs, and that its networks repeat a recorded output.

    Nothing in it is executed. A pack that someone has changed and packed again passes too: compare the SHA-256 with
    the one that its maker published.
    """
    from ..files.pack import is_pack, open_pack

    check_backend()
    if not is_pack(file):
        missing = "" if file.exists() else ": there is no such file"
        raise RequestError(f"'{file}' is not a pack{missing}.", hint="`marsseg pack RUN --out FILE.zip` makes one.")
    open_pack(file)  # a damaged file is an error before Keras is loaded
    load_keras()
    from ..packs.check import check_pack
    from ..runs.transductive import transductive_sentence

    checked = check_pack(file, open_session())
    description, pairs = checked.pack.description, zip(checked.repeated, checked.tolerances, strict=True)
    results = [
        {
            "name": run["name"],
            "difference": found.difference,
            "tolerance": allowed,
            "labels": found.labels,
            "needs": run["needs"],
            "scores": run["scores"],
        }
        | ({"transductive": True} if run.get("transductive") else {})
        for run, (found, allowed) in zip(description["runs"], pairs, strict=True)
    ]
    if json:
        facts = {key: description[key] for key in ("name", "classes", "data")}
        print_json(file=str(file), sha256=checked.pack.sha256, **facts, runs=results)
        return
    rows = [
        (
            result["name"],
            _score(result["scores"].get("test", [])),
            f"{result['difference']:.1e}",
            f"{result['tolerance']:.0e}",
            f"{100 * result['labels']:.2f} %",
            ", ".join(f"{name} {number}" for name, number in result["needs"].items()),
        )
        for result in results
    ]
    numbers = (f"{HEADLINE} test", "difference", "allowed", "same labels")
    print_table(("run", *numbers, "needs"), rows, right=numbers)
    print_text()
    if note := transductive_sentence(", ".join(each["name"] for each in results if "transductive" in each)):
        print_text(note)
    print_text(f"classes: {', '.join(each['name'] for each in description['classes'])}")
    print_text(f"data: {description['data']['source']}, fingerprint {description['data']['fingerprint']}")
    print_text(f"{file}: as it was made. SHA-256 {checked.pack.sha256}")


def _score(scores: list[dict[str, object]]) -> str:
    value = next((each["value"] for each in scores if each["score"] == HEADLINE), None)
    return f"{value:.4f}" if isinstance(value, float) else ""
