"""Where the tests find what lies beside them."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
FROZEN = TESTS / "frozen"
