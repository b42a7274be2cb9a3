"""Run the command line by `python -m marsseg_core`, as `marsseg` does."""

from .cli.main import main

main()
