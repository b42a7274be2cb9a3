"""Test the words with which messages count and list."""

from __future__ import annotations

import pytest

from marsseg_core.errors import counted, some


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (2505, ("image",), "2,505 images"),
        (1, ("class has", "classes have"), "1 class has"),
        (2, ("class has", "classes have"), "2 classes have"),
    ],
)
def test_a_number_has_the_word_that_fits_it(count, words, text):
    assert counted(count, *words) == text


def test_a_long_list_ends_with_the_number_of_the_others():
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert some(["a", "b", "c", "d", "e"], 4) == "a, b, c, d and 1 more"
