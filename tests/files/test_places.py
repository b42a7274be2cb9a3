"""Values of a plan without the folders of the machine that they were written on."""

from __future__ import annotations

import pytest

from marsseg_core.files.places import without_folders


@pytest.mark.parametrize(
    ("value", "public"),
    [
        ("/home/me/my photos", "my photos"),
        ("/home/a=b,c/photos/", "photos"),
        ("/", "/"),
        ("photos", "photos"),
        ("left/{subset}/{name}_l.jpg", "left/{subset}/{name}_l.jpg"),
        ("folder:path=/home/me/photos:images=left/{name}.jpg", "folder:path=photos:images=left/{name}.jpg"),
        ("folder:path=/home/me/photos, without labels", "folder:path=photos, without labels"),
        (["/runs/a", "/runs/b"], ["a", "b"]),
        (
            {"data": {"path": "/x/tiles.npz", "limit": 3, "grey": False}},
            {"data": {"path": "tiles.npz", "limit": 3, "grey": False}},
        ),
    ],
)
def test_absolute_paths_keep_their_last_part(value, public):
    assert without_folders(value) == public
