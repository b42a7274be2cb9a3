"""A folder of images without masks, as `--unlabelled` takes it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from marsseg_plugins.datasets.folder import Folder


def test_a_folder_of_images_alone_is_one_of_images_without_labels(tmp_path, cli):
    photos = tmp_path / "photos"
    for number, name in enumerate(["b.png", "sol1/a.png", "sol2/a.png"]):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(photos / name)
    assert Folder(str(photos)).unlabelled()[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert Folder(str(photos), layout="images").unlabelled().shape == (3, 8, 8, 1)
    answer = cli("run", "--semi", "fixmatch", "--unlabelled", str(photos), "--dry-run")
    assert f"folder:path={photos}" in answer.out, answer.err
    assert "No data set recognises" in cli("run", "--data", str(photos), "--dry-run").err
    (tmp_path / "empty").mkdir()
    words = ("run", "--semi", "fixmatch", "--unlabelled", str(tmp_path / "empty"), "--dry-run")
    assert "The folder holds nothing." in cli(*words).err
