"""Name the files of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# The subfolder for the files of components that are in no installed package.
PLUGINS_FOLDER: Final = "plugins"


class RunPaths:
    """Give the paths of the files of one run.

    Args:
        path: the folder
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def plan(self) -> Path:
        """Return the path of the plan."""
        return self.path / "plan.toml"

    @property
    def plugins(self) -> Path:
        """Return the folder of copies of component files that are in no installed package."""
        return self.path / PLUGINS_FOLDER

    @property
    def split(self) -> Path:
        """Return the path of the split: the items of each subset, and a description of the data."""
        return self.path / "split.json"

    @property
    def labels(self) -> Path:
        """Return the path of the labels that a semi-supervised method has made last, if it makes any."""
        return self.path / "labels.npz"

    @property
    def cleaning(self) -> Path:
        """Return the path of the cleaning report; the file exists only if the data was cleaned."""
        return self.path / "cleaning.json"

    @property
    def environment(self) -> Path:
        """Return the path of the description of the software and hardware of the run."""
        return self.path / "environment.json"

    @property
    def history(self) -> Path:
        """Return the path of the table with one row for each epoch."""
        return self.path / "history.csv"

    @property
    def metrics(self) -> Path:
        """Return the path of the status and the metrics of the run."""
        return self.path / "metrics.json"

    @property
    def decoding(self) -> Path:
        """Return the path of the offsets for decoding; the file exists only if the plan has `decoding=offsets`."""
        return self.path / "decoding.json"

    @property
    def network(self) -> Path:
        """Return the path of the best network, in Keras' format."""
        return self.path / "network.keras"

    @property
    def checkpoint(self) -> Path:
        """Return the path of the last checkpoint, from which the run can be resumed."""
        return self.path / "checkpoint" / "last.npz"

    @property
    def manifest(self) -> Path:
        """Return the path of the manifest, which has the hashes of the files that scores or resuming depend on."""
        return self.path / "manifest.json"

    @property
    def figures(self) -> Path:
        """Return the folder of the figures."""
        return self.path / "figures"

    @property
    def engines(self) -> Path:
        """Return the folder of the forms of the best network that other runtimes need (`--engine`)."""
        return self.path / "engines"

    @property
    def report(self) -> Path:
        """Return the path of the report."""
        return self.path / "report.html"

    @property
    def log_file(self) -> Path:
        """Return the path of the log."""
        return self.path / "log.txt"
