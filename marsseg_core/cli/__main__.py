"""`python -m marsseg_core.cli` is `marsseg`."""

from .main import main

main()
