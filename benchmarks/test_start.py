"""How long `marsseg list` takes from nothing, beside the two libraries every command line of its kind imports."""

import subprocess
import sys

import pytest

COMMANDS = {
    "import typer, rich.table": [sys.executable, "-c", "import typer, rich.table"],
    "marsseg list": [sys.executable, "-m", "marsseg_core", "list"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_cold_start(benchmark, command):
    """In one run, side by side: the ratio of the two medians is at most 3."""
    benchmark.pedantic(
        subprocess.run,
        args=[COMMANDS[command]],
        kwargs={"check": True, "capture_output": True},
        rounds=15,
        warmup_rounds=2,
    )
