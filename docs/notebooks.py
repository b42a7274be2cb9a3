"""Show the tutorial notebook as a page of the site, executed while the site is built. MkDocs calls `on_files`.

The notebook is stored without outputs, so that no picture or number in it can be out of date.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Final

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

NOTEBOOK: Final = Path(__file__).with_name("tutorial.ipynb")
PAGE: Final = "notebook.md"

# Set it to "no" to build the site without the time that the notebook takes.
VARIABLE: Final = "MARSSEG_DOCS_NOTEBOOK"

_LIMIT: Final = 600  # seconds for each cell

_NOTE: Final = (
    "Run it yourself: [download it](tutorial.ipynb), `pip install jupyterlab`, and `jupyter lab tutorial.ipynb`."
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of the notebook to the site."""
    notebook = read()
    if os.environ.get(VARIABLE) != "no":
        with tempfile.TemporaryDirectory(prefix="marsseg-notebook-") as folder:
            execute(notebook, Path(folder))
    files.append(File.generated(config, PAGE, content=page(notebook)))
    return files


def read() -> Any:
    """Return the notebook as it is stored."""
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(notebook: Any, folder: Path) -> None:
    """Execute a notebook in a folder, and add the outputs to its cells. An exception in a cell is raised.

    What the kernel itself prints is left out: libraries announce themselves there.
    """
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=_LIMIT, kernel_name="python3", resources=resources).execute(stderr=DEVNULL)


def page(notebook: Any) -> str:
    """Return a notebook with its outputs as Markdown."""
    title, _, rest = "\n\n".join(_parts(notebook)).partition("\n")
    return f"{title}\n\n{_NOTE}\n{rest}\n"


def _parts(notebook: Any) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
            continue
        yield f"```python\n{cell.source}\n```"
        for output in cell.get("outputs", ()):
            yield from _output(output)


def _output(output: Any) -> Iterator[str]:
    """Yield an output of a cell. Standard error has what libraries say of the machine, which is left out."""
    data = output.get("data", {})
    printed = output["text"] if output.get("name") == "stdout" else ""
    if html := data.get("text/html", "").strip():
        yield html
    elif text := (data.get("text/plain") or printed).strip():
        yield f"```text\n{text}\n```"
