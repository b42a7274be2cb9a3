"""Plan files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path):
    """`file("…")` writes a plan file."""

    def write(text: str, name: str = "my.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
