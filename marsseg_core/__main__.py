"""`python -m marsseg_core` is `marsseg`."""

from .cli.main import main

main()
