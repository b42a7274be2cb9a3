"""Say of transductive runs what their scores are, in the same words wherever a table shows them."""

from __future__ import annotations


def transductive_sentence(which: str) -> str:
    """Return a sentence to stand with a table of scores, where `which` names its transductive runs.

    Without any, `which` is an empty text, and so is the result.
    """
    if not which:
        return ""
    return (
        f"Transductive: {which}. Trained with images of the validation and test subsets, without their labels; scores "
        "on these do not hold for new images."
    )
