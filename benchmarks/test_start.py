"""Measure a cold start of `marsseg list`, compared with the import of Typer and Rich, which it needs anyway."""

import subprocess
import sys

import pytest

COMMANDS = {
    "import typer, rich.table": [sys.executable, "-c", "import typer, rich.table"],
    "marsseg list": [sys.executable, "-m", "marsseg_core", "list"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_cold_start(benchmark, command):
    """The ratio of the medians of the two commands, measured in one run, should be at most 2."""
    benchmark.pedantic(
        subprocess.run,
        args=[COMMANDS[command]],
        kwargs={"check": True, "capture_output": True},
        rounds=15,
        warmup_rounds=2,
    )
