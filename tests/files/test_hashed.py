"""Files are hashed while they are written, and the hash is that of the file."""

from zipfile import ZipFile

import numpy as np
import pytest

from marsseg_core.files.hashed import HashedFile, file_hash


@pytest.mark.parametrize("blocks", [[], [b""], [b"one"], [b"one", b"", b"two" * 100_000, memoryview(b"three")]])
def test_the_hash_is_that_of_the_file(blocks, tmp_path):
    with HashedFile(tmp_path / "file") as file:
        for block in blocks:
            file.write(block)
    assert (tmp_path / "file").read_bytes() == b"".join(blocks)
    assert file.hash == file_hash(tmp_path / "file")


def test_an_archive_can_be_written(tmp_path):
    arrays = {"first": np.arange(100_000.0), "second": np.zeros((0, 3)), "third": np.float32(3)}
    with HashedFile(tmp_path / "file.npz") as file, ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, array)
    assert file.hash == file_hash(tmp_path / "file.npz")
    with np.load(tmp_path / "file.npz") as loaded:
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)


def test_a_failure_closes_the_file(tmp_path):
    def fail(file):
        file.write(b"one")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), HashedFile(tmp_path / "file") as file:
        fail(file)
    with pytest.raises(ValueError, match="closed"):
        file.flush()
