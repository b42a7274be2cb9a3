"""Test the cache of prepared data sets: preparation, damage, crashes, concurrent processes and clearing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from helpers.processes import run_process
from hypothesis import HealthCheck, given, settings, strategies as st

from marsseg_core import api
from marsseg_core.data import cache
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.cache import CacheSource
from marsseg_core.data.cached import GROUPS, IMAGES, MASKS, cached_data, cached_images
from marsseg_core.data.code import code_hash
from marsseg_core.data.splits import split_data
from marsseg_core.data.statistics import class_pixels
from marsseg_core.errors import RequestError, RunError
from marsseg_core.files import progress
from marsseg_core.files.locks import lock_folder
from marsseg_plugins.datasets import archive
from marsseg_plugins.datasets.npz import Npz

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (6, 4, 5, 1), np.uint8)
LABELS = RANDOM.integers(0, 3, (6, 4, 5), np.uint8)
LABELS[0, 0] = 255


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Return the folder of an empty cache."""
    path = tmp_path / "cache"
    monkeypatch.setenv("MARSSEG_CACHE", str(path))
    return path


@pytest.fixture
def source(tmp_path) -> CacheSource:
    file = tmp_path / "source.bin"
    file.write_bytes(b"something")
    return CacheSource("test:set", [file], {"resize": "none", "limit": None})


class Preparation:
    """Write the arrays in two chunks, and count the calls."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, writer: cache.Writer) -> None:
        self.times += 1
        for chunk in (slice(0, 2), slice(2, None)):
            writer.append(IMAGES, PIXELS[chunk])
            writer.append(MASKS, LABELS[chunk])


@pytest.fixture
def prepare() -> Preparation:
    return Preparation()


def entry_names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data").iterdir()) if (folder / "data").exists() else []


# --- prepared once


def test_a_prepared_set_is_opened_memory_mapped_without_preparing_it_again(source, prepare):
    for _ in range(3):
        found = cache.open_or_prepare(source, prepare)
        np.testing.assert_array_equal(found.arrays[IMAGES], PIXELS)
        np.testing.assert_array_equal(found.arrays[MASKS], LABELS)
    assert prepare.times == 1
    assert isinstance(found.arrays[IMAGES], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found.arrays[IMAGES][0] = 0


@pytest.mark.parametrize("change", ["size", "time", "name", "option"])
def test_a_set_is_prepared_again_if_size_time_name_or_an_option_changes(source, prepare, change):
    cache.open_or_prepare(source, prepare)
    (file,) = source.files
    if change == "size":
        state = file.stat()
        file.write_bytes(b"something else")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    elif change == "time":
        os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    elif change == "name":
        source = replace(source, files=[file.rename(file.with_name("other.bin"))])
    else:
        source = replace(source, options={"resize": "none", "limit": 5})
    cache.open_or_prepare(source, prepare)
    assert prepare.times == 2


def test_a_missing_source_is_refused(source, prepare):
    source.files[0].unlink()
    with pytest.raises(RequestError, match="There is no such file"):
        cache.open_or_prepare(source, prepare)


def test_opening_an_npz_file_again_does_not_read_it(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    np.savez(path, images=PIXELS, masks=LABELS, test_set=PIXELS[:2, ..., 0])
    first = Npz(str(path)).load()
    monkeypatch.setattr(archive.NpzArchive, "labelled", None)
    monkeypatch.setattr(np, "bincount", None)  # the pixels are not read again
    second = Npz(str(path), classes=("a", "b", "c", "d", "e"), ignore_classes=(1,)).load()
    assert second.fingerprint() == first.fingerprint()
    assert (second.class_names[0], second.ignore_classes) == ("a", (1,))


appending = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


@appending
@given(cuts=st.lists(st.integers(0, 6), max_size=5).map(sorted), number=st.integers())
def test_arrays_do_not_depend_on_the_chunks_in_which_they_are_written(source, cuts, number):
    def write(writer: cache.Writer) -> None:
        for start, stop in zip([0, *cuts], [*cuts, 6], strict=True):
            writer.append(IMAGES, PIXELS[start:stop])

    found = cache.open_or_prepare(replace(source, options={"number": number, "cuts": cuts}), write)
    np.testing.assert_array_equal(found.arrays[IMAGES], PIXELS)


def test_chunks_of_different_shapes_are_refused(source):
    def write(writer: cache.Writer) -> None:
        writer.append(IMAGES, PIXELS)
        writer.append(IMAGES, PIXELS[:, :2])

    with pytest.raises(ValueError, match="images has items of"):
        cache.open_or_prepare(source, write)


# --- data sets


def load(source: CacheSource, prepare, names=("a", "b", "c"), ignore_classes=()) -> SegmentationData:
    return cached_data(source, prepare, class_names=names, ignore_classes=ignore_classes)


def test_a_prepared_set_equals_the_set_in_memory(source, prepare):
    data, memory = load(source, prepare), SegmentationData(PIXELS, LABELS, ("a", "b", "c"))
    assert data.fingerprint() == memory.fingerprint()
    np.testing.assert_array_equal(data.label_counts, memory.label_counts)
    assert class_pixels(data) == tuple(int((c == LABELS).sum()) for c in range(3))
    assert class_pixels(data, np.array([0, 3])) == tuple(int((LABELS[[0, 3]] == c).sum()) for c in range(3))
    images = [int((c == LABELS).any(axis=(1, 2)).sum()) for c in range(3)]
    assert (data.label_counts[:, :-1] > 0).sum(axis=0).tolist() == images
    assert split_data(data, 0.3, 0.3, 0) == split_data(memory, 0.3, 0.3, 0)


def test_a_copy_with_other_masks_counts_its_own_labels(source, prepare):
    data = load(source, prepare)
    other = replace(data, masks=np.zeros_like(LABELS))
    assert class_pixels(other) == (LABELS.size, 0, 0)
    assert other.fingerprint() != data.fingerprint()


def test_refused_data_is_not_stored(source, prepare, folder):
    with pytest.raises(RequestError, match="Mask 0 holds the value"):
        load(source, prepare, names=("only one",))
    with pytest.raises(RequestError, match="There are no images"):
        load(source, lambda writer: None)
    assert entry_names(folder) == []


def test_ignored_classes_are_checked_whenever_a_set_is_opened(source, prepare):
    assert load(source, prepare, ignore_classes=(0,)).ignore_classes == (0,)
    with pytest.raises(RequestError, match="There is no class 7 to ignore"):
        load(source, prepare, ignore_classes=(7,))
    assert prepare.times == 1


def test_groups_and_images_without_labels_are_stored_too(source):
    def write(writer: cache.Writer) -> None:
        Preparation()(writer)
        writer.append(GROUPS, np.arange(6))

    np.testing.assert_array_equal(load(source, write).groups, np.arange(6))
    other = replace(source, options={"other": 1})
    np.testing.assert_array_equal(cached_images(other, Preparation()), PIXELS)


LARGE = """
import resource, sys
import numpy as np
from pathlib import Path
from marsseg_core.plugin_api import IMAGES, MASKS, CacheSource, cached_data
from marsseg_core.data.splits import split_data
from marsseg_core.data.statistics import class_pixels

def prepare(writer):
    for item in range(100):
        writer.append(IMAGES, np.full((1, 1024, 1024, 1), item, np.uint8))
        writer.append(MASKS, np.full((1, 1024, 1024), item % 3, np.uint8))

# Limit the memory of the process, without mapped files, to its present use and 64 MiB, a third of the data.
with open("/proc/self/status") as file:
    now = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (now + 64 * 2**20, -1))
for _ in range(2):
    data = cached_data(CacheSource("large", [], {}), prepare, class_names=("a", "b", "c"), ignore_classes=())
split = split_data(data, 0.2, 0.2, 0)
batch = data.images[split["train"][:8]]
print(data.images.nbytes + data.masks.nbytes, batch.shape, class_pixels(data, split["test"]))
print(data.fingerprint())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_set_larger_than_memory_is_prepared_opened_split_and_read(python):
    answer = python(LARGE, OPENBLAS_NUM_THREADS="1")
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{200 * 2**20} (8, 1024, 1024, 1)")


# --- damage and crashes


@pytest.mark.parametrize(
    "damage", ["truncated", "emptied", "longer", "missing", "record", "no record", "garbled header"]
)
def test_a_damaged_entry_is_prepared_again(source, prepare, folder, damage):
    cache.open_or_prepare(source, prepare)
    (entry,) = (folder / "data").iterdir()
    array, record = entry / "images.npy", entry / "entry.json"
    content = array.read_bytes()
    if damage == "truncated":
        array.write_bytes(content[:-1])
    elif damage == "emptied":
        array.write_bytes(b"")
    elif damage == "longer":
        array.write_bytes(content + b"x")
    elif damage == "missing":
        array.unlink()
    elif damage == "record":
        record.write_text('{"format": 1, "name"')
    elif damage == "no record":
        record.unlink()
    else:
        array.write_bytes(b"\x00" * len(content))
    found = cache.open_or_prepare(source, prepare)
    np.testing.assert_array_equal(found.arrays[IMAGES], PIXELS)
    assert prepare.times == 2
    assert entry_names(folder) == [entry.name]


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt])
def test_a_preparation_that_fails_leaves_no_files(source, prepare, folder, end):
    def interrupted(writer: cache.Writer) -> None:
        prepare(writer)
        raise end

    with pytest.raises(end):
        cache.open_or_prepare(source, interrupted)
    assert entry_names(folder) == []


KILLED = """
import os, signal, sys
import numpy as np
from marsseg_core.data import cache
def prepare(writer):
    writer.append("images", np.zeros((5, 4, 4, 1), np.uint8))
    os.kill(os.getpid(), signal.SIGKILL)
cache.open_or_prepare(cache.CacheSource("test:killed", [], {}), prepare)
"""


def test_a_message_says_that_a_set_is_prepared_when_it_is(source, prepare, folder, caplog):
    caplog.set_level("DEBUG", logger="marsseg.data")

    def fail(writer):
        raise RuntimeError("no such thing")

    with pytest.raises(RuntimeError):
        cache.open_or_prepare(source, fail)
    assert not caplog.messages
    for _ in range(2):
        cache.open_or_prepare(source, prepare)
    assert [text.partition(str(folder))[0] for text in caplog.messages] == [
        "test:set: prepared into ",
        "test:set: opened from ",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_files_of_a_killed_process_are_no_entry_and_are_cleared(folder, tmp_path):
    assert run_process(sys.executable, "-c", KILLED, cwd=tmp_path).code == -9
    (left,) = entry_names(folder)
    assert left.startswith(".")
    source = CacheSource("test:killed", [], {})
    cache.open_or_prepare(source, Preparation())
    assert [entry.finished for entry in cache.entries()] == [True, False]
    assert len(cache.clear()) == 2
    assert entry_names(folder) == []


# --- several processes


def test_of_two_concurrent_preparations_the_later_uses_the_first_entry(source, folder):
    others = Preparation()

    def slow(writer: cache.Writer) -> None:
        # Another process starts later and finishes earlier.
        cache.open_or_prepare(source, others)
        writer.append(IMAGES, PIXELS + 1)
        writer.append(MASKS, LABELS)

    found = cache.open_or_prepare(source, slow)
    assert others.times == 1
    np.testing.assert_array_equal(found.arrays[IMAGES], PIXELS)
    assert len(entry_names(folder)) == 1


def test_clearing_keeps_entries_that_another_process_prepares(source, prepare, folder):
    def cleared_meanwhile(writer: cache.Writer) -> None:
        assert len(cache.entries()) == 1
        assert cache.clear() == []
        prepare(writer)

    cache.open_or_prepare(source, cleared_meanwhile)
    assert len(entry_names(folder)) == 1
    assert not entry_names(folder)[0].startswith(".")


def test_clearing_does_no_harm_to_those_who_have_an_entry_open(source, prepare, folder):
    found = cache.open_or_prepare(source, prepare)
    assert len(cache.clear()) == 1
    assert entry_names(folder) == []
    np.testing.assert_array_equal(found.arrays[IMAGES], PIXELS)
    np.testing.assert_array_equal(cache.open_or_prepare(source, prepare).arrays[MASKS], LABELS)
    assert prepare.times == 2


def test_clearing_leaves_an_entry_alone_that_is_just_moved_into_place(source, prepare, folder, monkeypatch):
    opened = []

    def cleared_first(path):
        if path.exists():
            opened.append(path)
            assert cache.clear() == []
        return original(path)

    original = cache._open_entry
    monkeypatch.setattr(cache, "_open_entry", cleared_first)
    np.testing.assert_array_equal(cache.open_or_prepare(source, prepare).arrays[IMAGES], PIXELS)
    assert len(opened) == prepare.times == 1


@pytest.mark.parametrize("state", ["abandoned", "in use", "just begun"])
def test_a_preparation_removes_what_killed_ones_left(source, prepare, folder, state):
    left = folder / "data" / f".{'0' * 32}-1-00000000"
    left.mkdir(parents=True)
    (left / "images.npy").write_bytes(b"half")
    if state != "just begun":
        os.utime(left, (time.time() - 100,) * 2)
    with lock_folder(left) if state == "in use" else nullcontext():
        cache.open_or_prepare(source, prepare)
    assert left.exists() == (state != "abandoned")


AT_ONCE = """
import sys, time
import numpy as np
from marsseg_core.data import cache
def prepare(writer):
    for item in range(20):
        writer.append("images", np.full((1, 64, 64, 1), item, np.uint8))
        time.sleep(0.005)
time.sleep(max(0, float(sys.argv[1]) - time.time()))
found = cache.open_or_prepare(cache.CacheSource("test:many", [], {}), prepare)
print(int(found.arrays["images"].sum()))
"""


def test_many_processes_at_once_all_get_the_same(folder, tmp_path):
    start = str(time.time() + 2)
    command = [sys.executable, "-c", AT_ONCE, start]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=100) for process in processes]
    assert answers == [(f"{64 * 64 * 190}\n", "")] * 4
    assert len(entry_names(folder)) == 1


# --- the folder


def test_entries_are_listed_with_their_names_and_sizes_and_cleared(source, prepare, folder):
    assert cache.entries() == []
    assert cache.clear() == []
    cache.open_or_prepare(source, prepare)
    cache.open_or_prepare(replace(source, name="test:other", options={}), prepare)
    entries = cache.entries()
    assert [entry.name for entry in entries] == ["test:other", "test:set"]
    assert all(entry.bytes > PIXELS.nbytes + LABELS.nbytes for entry in entries)
    assert all(abs(entry.prepared - time.time()) < 60 for entry in entries)
    (folder / "data" / "users-own").mkdir()
    (folder / "notes.txt").write_text("mine")
    assert cache.clear() == entries
    assert entry_names(folder) == ["users-own"]
    assert (folder / "notes.txt").exists()


def test_location_of_the_cache(monkeypatch, tmp_path):
    assert cache.root() == tmp_path / "cache"
    monkeypatch.delenv("MARSSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.root() == tmp_path / "xdg" / "marsseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.root() == tmp_path / ".cache" / "marsseg"


def no_home(*_, **__):
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("answer", [no_home, lambda *_, **__: Path("~/.cache/marsseg")], ids=["raises", "not found"])
def test_without_a_home_folder_the_user_must_set_a_cache_folder(monkeypatch, answer):
    monkeypatch.delenv("MARSSEG_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_path", answer)
    with pytest.raises(RequestError, match="no home folder") as caught:
        cache.root()
    assert caught.value.hint == "Set MARSSEG_CACHE."


@pytest.mark.parametrize(
    ("system", "place"),
    [("unix.Unix", ".cache/marsseg"), ("macos.MacOS", "Library/Caches/marsseg"), ("windows.Windows", "marsseg/Cache")],
)
def test_location_of_the_cache_on_other_systems(monkeypatch, tmp_path, system, place):
    module, _, name = system.partition(".")
    monkeypatch.delenv("MARSSEG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    directories = import_module(f"platformdirs.{module}")
    if module == "windows":
        monkeypatch.setattr(directories, "get_win_folder", lambda _: str(tmp_path))
    monkeypatch.setattr(platformdirs, "PlatformDirs", getattr(directories, name))
    assert cache.root() == tmp_path / place


def test_only_the_user_can_read_entries(source, prepare, folder):
    cache.open_or_prepare(source, prepare)
    (entry,) = (folder / "data").iterdir()
    assert entry.stat().st_mode & 0o077 == 0


def test_an_unwritable_cache_is_reported_with_a_hint(source, prepare, folder):
    folder.write_text("a file, where the folder should be")
    with pytest.raises(RequestError) as caught:
        cache.open_or_prepare(source, prepare)
    assert caught.value.what == "The cache folder cannot be written: Not a directory."
    assert caught.value.where == str(folder)
    assert "MARSSEG_CACHE" in caught.value.hint
    assert prepare.times == 0
    assert cache.entries() == []


def test_a_cache_folder_that_cannot_be_created(source, prepare, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(RequestError, match="The cache folder cannot be written: Permission denied"):
        cache.open_or_prepare(source, prepare)


def test_a_full_disk_is_reported_and_leaves_no_files(source, prepare, folder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="The prepared data cannot be written: No space left on device") as caught:
        cache.open_or_prepare(source, prepare)
    assert "marsseg data cache --clear" in caught.value.hint
    assert entry_names(folder) == []


# --- progress


def slowly(writer: cache.Writer) -> None:
    Preparation()(writer)
    for done in range(1, 5):
        writer.progress(done, 4)


def test_a_long_preparation_prints_its_progress_to_standard_error(source, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    cache.open_or_prepare(replace(source, name="test:[red]:set"), slowly)
    answer = capsys.readouterr()
    assert answer.out == ""
    assert answer.err.splitlines() == [f"Preparing test:[red]:set: {done} % of 4" for done in (25, 50, 75, 100)]
    cache.open_or_prepare(replace(source, name="test:[red]:set"), slowly)
    assert capsys.readouterr().err == ""


def test_a_short_preparation_prints_no_progress(source, capsys):
    cache.open_or_prepare(source, slowly)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_progress_bar(source, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0)
    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    cache.open_or_prepare(replace(source, name="test:[red]:set"), slowly)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert "Preparing test:[red]:set" in shown
    assert "100 % of 4" in shown


# --- content decides


def test_a_source_replaced_by_one_of_equal_size_and_time_is_prepared_again(source, prepare):
    """Regression test: the arrays of the earlier file were returned."""
    (file,) = source.files
    cache.open_or_prepare(source, prepare)
    state = file.stat()
    file.write_bytes(b"s0mething")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    cache.open_or_prepare(source, prepare)
    assert prepare.times == 2


def test_changed_content_is_detected_without_changed_times(source, monkeypatch):
    """Without change times, as on some systems, the beginning, middle and end of a file are hashed."""
    (file,) = source.files
    content = bytes(range(256)) * 80
    state = file.stat()

    class SameTimes:
        st_mode, st_size, st_mtime_ns, st_ctime_ns = state.st_mode, len(content), 0, 0

    monkeypatch.setattr(Path, "stat", lambda self: SameTimes)
    keys = set()
    for place in (None, 0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        if place is not None:
            changed[place] ^= 1
        file.write_bytes(changed)
        keys.add(source.key())
    assert len(keys) == 4


@pytest.mark.parametrize("times_kept", [True, False], ids=["times kept", "written"])
def test_a_byte_changed_in_a_cached_array_is_not_used(source, prepare, folder, times_kept):
    """Regression test: it was used, with the earlier fingerprint."""
    before = load(source, prepare).fingerprint()
    (entry,) = (folder / "data").iterdir()
    array = entry / "masks.npy"
    state, content = array.stat(), bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    if times_kept:
        os.utime(array, ns=(state.st_atime_ns, state.st_mtime_ns))
    data = load(source, prepare)
    assert prepare.times == 2
    np.testing.assert_array_equal(data.masks, LABELS)
    assert data.fingerprint() == before


def test_an_entry_with_changed_notes_is_not_used(source, prepare, folder):
    before = load(source, prepare).fingerprint()
    (entry,) = (folder / "data").iterdir()
    record = entry / "entry.json"
    record.write_text(record.read_text().replace(before, "0" * 32))
    assert load(source, prepare).fingerprint() == before
    assert prepare.times == 2


def test_the_checksum_of_a_large_array_samples_both_ends_and_the_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(cache, "_SAMPLED_BLOCKS", 4)
    file, content = tmp_path / "array", bytes(1000)
    file.write_bytes(content)
    sums = {cache._file_checksum(file, len(content))}
    for place in (0, 335, 665, 999):
        file.write_bytes(content[:place] + b"1" + content[place + 1 :])
        sums.add(cache._file_checksum(file, len(content)))
    assert len(sums) == 5


def test_a_source_that_changes_while_it_is_read_is_not_stored(source, prepare, folder):
    def changing(writer: cache.Writer) -> None:
        prepare(writer)
        source.files[0].write_bytes(b"something else")

    with pytest.raises(RunError, match="The files changed while they were read"):
        cache.open_or_prepare(source, changing)
    assert entry_names(folder) == []


PLUGIN = """
from dataclasses import dataclass
import numpy as np
from marsseg_core.plugin_api import IMAGES, MASKS, Dataset, CacheSource, param, cached_data
{more}

@dataclass(frozen=True)
class Flat(Dataset):
    '''One grey value.'''

    path: str = param(help="the file")

    def load(self):
        def prepare(writer):
            writer.append(IMAGES, np.full((6, 8, 8, 1), {value}, np.uint8))
            writer.append(MASKS, np.arange(384, dtype=np.uint8).reshape(6, 8, 8) % 2)
        return cached_data(CacheSource("flat", [], {{}}), prepare, class_names=("a", "b"), ignore_classes=())
"""


def test_a_data_set_with_edited_code_is_prepared_again(tmp_path):
    """Regression test: the data set of the earlier code was returned."""
    file = tmp_path / "flat.py"
    values = []
    for value in (7, 8):
        file.write_text(PLUGIN.format(value=value, more=""))
        values.append(int(api.dataset("flat", path="any", plugins=[file]).images.max()))
    assert values == [7, 8]


def test_imports_from_its_own_package_are_part_of_the_code_of_a_data_set(tmp_path, monkeypatch):
    package = tmp_path / "flat_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "values.py").write_text("GREY = 7\n")
    (package / "other.py").write_text("nothing = 1\n")
    (package / "sets.py").write_text(PLUGIN.format(value="GREY", more="from .values import GREY"))
    monkeypatch.syspath_prepend(tmp_path)
    from flat_package.sets import Flat

    bound = Flat("any").load
    before = code_hash(bound)
    (package / "other.py").write_text("nothing = 2\n")
    assert code_hash(bound) == before
    (package / "values.py").write_text("GREY = 8\n")
    assert code_hash(bound) != before


def test_the_code_of_a_subclass_is_hashed(tmp_path, monkeypatch):
    """`prepare` is defined in the module of the base class, and is bound to the instance."""
    module = tmp_path / "derived_set.py"
    module.write_text("from marsseg_plugins.datasets.npz import Npz\nclass Derived(Npz):\n    '''Mine.'''\n")
    monkeypatch.syspath_prepend(tmp_path)
    from derived_set import Derived

    before = code_hash(Derived("any")._prepare)
    module.write_text(module.read_text() + "    more = 1\n")
    assert code_hash(Derived("any")._prepare) != before
    assert code_hash(Npz("any")._prepare) not in (before, code_hash(Derived("any")._prepare))


def test_a_function_without_a_file_is_hashed_by_its_instructions():
    def typed(text):
        names = {"__name__": "typed_in"}
        exec(f"def prepare(writer):\n    return [{text} for _ in range(2)]", names)
        return names["prepare"]

    assert code_hash(typed(1)) == code_hash(typed(1))
    assert code_hash(typed(1)) != code_hash(typed(2))
