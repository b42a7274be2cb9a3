"""Check the split that a plan names before the data are read. This module does not import NumPy."""

from __future__ import annotations

from .split_options import SplitOptions
from .split_source import SplitSource, check_unchanged


def check_split(options: SplitOptions) -> None:
    """Check that the split of a plan can be read, and is as the plan was made with, before anything is loaded for it.

    Args:
        options: the section `split` of a plan

    Raises:
        RequestError: if it cannot be read, has changed, or is of no known form
    """
    if not options.from_file:
        return
    check_unchanged(options)
    if options.subsets_hash is None:
        checked_hash(SplitSource.of(options.subsets))


def checked_hash(source: SplitSource) -> str:
    """Return the hash of the files of a split, whose form is checked. Raises RequestError if it is wrong."""
    from .split_table import check_form

    check_form(source)
    return source.hash()
