"""Opening, inspecting, splitting, cleaning and converting data sets, by the number and the size of their images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from growing.case import Case, doubled
from marsseg_core.data.arrays import SegmentationData

NAMES = ("background", "soil", "bedrock", "sand", "big_rock")


def pixels(count: int, side: int, path: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return random images and masks with five classes; with a folder, memory-mapped files in it."""
    arrays = []
    for name, shape, below in (("images", (count, side, side, 1), 256), ("masks", (count, side, side), 5)):
        rng = np.random.default_rng(0)
        if path is None:
            arrays.append(rng.integers(0, below, shape, np.uint8))
            continue
        array = np.lib.format.open_memmap(path / f"{name}.npy", "w+", np.uint8, shape)
        for start in range(0, count, 1000):
            array[start : start + 1000] = rng.integers(0, below, array[start : start + 1000].shape, np.uint8)
        del array
        arrays.append(np.load(path / f"{name}.npy", mmap_mode="r"))
    return arrays[0], arrays[1]


def data(count: int, side: int, path: Path | None = None, **words):
    """Return a data set of random images."""
    return SegmentationData(*pixels(count, side, path), NAMES, (0,), source="growth", **words)


def inspected(make: Callable[[int, Path], SegmentationData]) -> Callable[[int, Path], Callable[[], object]]:
    """Return what makes a data set, and then inspects it."""

    def prepare(size: int, folder: Path) -> Callable[[], object]:
        from marsseg_core.data.inspection import inspect
        from marsseg_core.data.split_options import SplitOptions

        made = make(size, folder)
        return lambda: inspect(made, None, SplitOptions())

    return prepare


def with_copies(size: int, folder: Path):
    """Return a data set in which each image is there twice."""
    images, masks = pixels(size, 16)
    images[1::2] = images[::2]
    return SegmentationData(images, masks, NAMES, (0,), source="growth")


def of_one_mask(size: int, folder: Path):
    """Return a data set whose masks are all the same."""
    images, masks = pixels(size, 32, folder)
    return SegmentationData(images, np.broadcast_to(masks[:1], masks.shape), NAMES, (0,), source="growth")


def page(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.inspection import inspect
    from marsseg_core.data.split_options import SplitOptions
    from marsseg_core.figures.inspection import inspection_page

    made = data(size, 16, folder, names=[f"site/{item}.png" for item in range(size)])
    inspection = inspect(made, None, SplitOptions())
    return lambda: inspection_page(inspection, made, None)


def cleaned(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.cleaning import clean
    from marsseg_core.data.cleaning_options import CleaningOptions

    made = with_copies(size, folder)
    options = CleaningOptions(drop_aliens="masks", drop_duplicates=True, fill_margin=2)
    return lambda: clean(made, options)


def npz(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core import api
    from marsseg_core.data.export import write_npz

    file = folder / "data.npz"
    write_npz(file, data(size, 32, folder), None, "images", lambda *_: None)
    return lambda: api.dataset("npz", path=str(file))


def tree(size: int, folder: Path, **words) -> Path:
    from marsseg_core.data.export import write_folder

    names = [f"site{item % 97}/image{item}.png" for item in range(size)]
    path = folder / "tree"
    write_folder(path, data(size, 16, folder, names=names, **words), None, lambda *_: None)
    return path


def folder_of_files(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core import api

    path = tree(size, folder)
    (path / "items.csv").unlink()
    return lambda: api.dataset("folder", path=str(path))


def folder_with_table(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core import api

    path = tree(size, folder, groups=np.arange(size) // 3)
    return lambda: api.dataset("folder", path=str(path))


def opened_again(size: int, folder: Path) -> Callable[[], object]:
    open_it = folder_with_table(size, folder)
    open_it()
    return open_it


def converted(out: str) -> Callable[[int, Path], Callable[[], object]]:
    """Return what writes an .npz file, and then converts it by the command."""

    def prepare(size: int, folder: Path) -> Callable[[], object]:
        from marsseg_core.cli.main import app
        from marsseg_core.data.export import write_npz

        source = folder / "source.npz"
        made = data(size, 16, folder, names=[f"site{item % 97}/image{item}.png" for item in range(size)])
        write_npz(source, made, None, "images", lambda *_: None)
        return lambda: app(["data", "convert", str(source), str(folder / out)], standalone_mode=False)

    return prepare


def run_opened_again(size: int, folder: Path) -> Callable[[], object]:
    """Return what reads the data and the split of a run, whose data have been read before."""
    from marsseg_core import api
    from marsseg_core.data.export import write_npz
    from marsseg_core.data.splits import make_split
    from marsseg_core.files.run_folder import RunFolder
    from marsseg_core.runs.recorded_data import read_data_of, recorded_split

    file, run = folder / "data.npz", RunFolder(folder / "run")
    made = data(size, 16, folder, names=[f"site{item % 97}/image{item}.png" for item in range(size)])
    write_npz(file, made, None, "images", lambda *_: None)
    plan = api.plan(data=f"npz:path={file}")
    read = read_data_of(run, plan)
    split = {"schema": 1, "fingerprint": read.fingerprint(), "source": read.source, "classes": list(read.class_names)}
    split |= {"ignored": list(read.ignore_classes), "scaling": None, "names": list(read.names or ())}
    run.write_json(run.split, split | {"origin": "drawn"} | make_split(read, plan.split).to_json())
    return lambda: recorded_split(run, read_data_of(run, plan))


def split(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.splits import split_data

    made = data(size, 4)
    return lambda: split_data(made, 0.15, 0.15, 0)


def split_by_groups(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.splits import split_data

    made = data(2 * size, 4, groups=np.arange(2 * size) // 2)
    return lambda: split_data(made, 0.15, 0.15, 0)


def folds(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.splits import fold_data

    made = data(4000, 4)
    return lambda: fold_data(made, size, 1, 0.001, 0)


def split_by_data(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.split import Split
    from marsseg_core.data.split_options import SplitOptions
    from marsseg_core.data.splits import make_split

    subset_of_item = np.random.default_rng(0).choice(3, size, p=(0.7, 0.15, 0.15)).astype(np.int8)
    made = data(size, 4, split=Split.from_numbers(subset_of_item, "given"))
    return lambda: make_split(made, SplitOptions())


def split_file(column: str, value: Callable[[int], object]) -> Callable[[int, Path], Callable[[], object]]:
    """Return what writes a table of items, and then reads the split of the data from it."""

    def prepare(size: int, folder: Path) -> Callable[[], object]:
        from marsseg_core.data.split_file import read_split_file
        from marsseg_core.data.split_source import SplitSource

        made, table = data(size, 4, names=[f"site/{item}.png" for item in range(size)]), folder / "split.csv"
        table.write_text("\n".join([f"item,{column}", *(f"site/{item}.png,{value(item)}" for item in range(size))]))
        return lambda: read_split_file(SplitSource.of(str(table)), made)

    return prepare


SUBSETS = ("train", "train", "validation", "test")
IMAGES = "images"
SIDE = "pixels a side, squared"

CASES = (
    Case("inspecting", IMAGES, doubled(100_000, 4), inspected(lambda n, folder: data(n, 16, folder))),
    Case("inspecting, each image twice", IMAGES, doubled(32_000, 4), inspected(with_copies)),
    Case("inspecting, all masks alike", IMAGES, doubled(32_000, 4), inspected(of_one_mask)),
    Case("inspecting", "groups", doubled(32_000, 4), inspected(lambda n, _: data(n, 16, groups=np.arange(n)))),
    Case("inspecting 64 images", "thousands of pixels", doubled(1024, 4), inspected(lambda n, f: data(64, side(n), f))),
    Case("the page of an inspection", IMAGES, doubled(32_000, 4), page),
    Case("cleaning", IMAGES, doubled(32_000, 4), cleaned),
    Case("opening an .npz file", IMAGES, doubled(32_000, 4), npz),
    Case("opening a folder", IMAGES, doubled(4_000, 4), folder_of_files),
    Case("opening a folder with items.csv", IMAGES, doubled(4_000, 4), folder_with_table),
    Case("opening a folder again, from the cache", IMAGES, doubled(4_000, 4), opened_again),
    Case("opening a run's data and split again", IMAGES, doubled(64_000, 4), run_opened_again),
    Case("`data convert` to .npz", IMAGES, doubled(32_000, 4), converted("out.npz")),
    Case("`data convert` to a folder", IMAGES, doubled(4_000, 4), converted("out")),
    Case("splitting by shares", IMAGES, doubled(32_000, 4), split),
    Case("splitting by shares", "groups", doubled(16_000, 4), split_by_groups),
    Case("splitting 4,000 images", "folds", doubled(64, 4), folds),
    Case("splitting as the data say", IMAGES, doubled(256_000, 4), split_by_data),
    Case("splitting by a file", IMAGES, doubled(256_000, 4), split_file("subset", lambda n: SUBSETS[n % 4])),
    Case("splitting by a file, two images a fold", IMAGES, doubled(256_000, 4), split_file("fold", lambda n: n // 2)),
)


def side(thousands: int) -> int:
    """Return the side of a square image of so many thousands (1,024) of pixels."""
    return round((1024 * thousands) ** 0.5)
