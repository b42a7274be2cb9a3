"""Masks and images that earlier versions misread without a warning: classes, ids, orientation, tile edges."""

from __future__ import annotations

import io
import logging
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.messages import warnings_told
from helpers.paths import FROZEN
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.api import plan
from marsseg_core.data.doubts import check_validation, doubts
from marsseg_core.data.images import read_image, read_mask
from marsseg_core.data.splits import Split
from marsseg_core.errors import RequestError
from marsseg_core.registry import kinds
from marsseg_plugins.datasets.class_file import read_class_file
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.npz import Npz
from marsseg_plugins.datasets.resizing import Resizing

pytestmark = pytest.mark.usefixtures("without_reports")

MARS = ("background", "soil", "bedrock", "sand", "big_rock")
IDS = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)


@pytest.fixture
def folder(tmp_path):
    """`folder(mask, …)`: the path of a folder with these masks (arrays), each with a grey image of its size."""

    def make(*masks: np.ndarray, classes: str | None = None) -> Path:
        path = tmp_path / "mine"
        for name in ("images", "masks"):
            (path / name).mkdir(parents=True)
        for number, mask in enumerate(masks):
            mask = np.asarray(mask, np.uint8)
            Image.fromarray(np.full(mask.shape, 10 * number, np.uint8)).save(path / f"images/{number:03}.png")
            Image.fromarray(mask).save(path / f"masks/{number:03}.png")
        if classes is not None:
            (path / "classes.csv").write_text(classes, encoding="utf-8")
        return path

    return make


def load(path: Path, **words):
    return Folder(str(path), **words).load()


def refusal(call, *arguments, **words) -> RequestError:
    with pytest.raises(RequestError) as caught:
        call(*arguments, **words)
    return caught.value


class TestClasses:
    def test_without_a_class_file_they_are_the_ids_in_the_masks_and_none_is_ignored(self, folder, caplog):
        """They were background (ignored), soil, bedrock, and two that never occur."""
        data = load(folder([[0, 1, 2]]))
        assert (data.class_names, data.ignore_classes) == (("class_0", "class_1", "class_2"), ())
        assert "The classes are those found in the masks, class_0 to class_2: they have no names." in caplog.text

    def test_a_gap_between_the_ids_keeps_them(self, folder):
        data = load(folder([[0, 3]]))
        assert data.num_classes == 4
        assert data.masks.tolist() == [[[0, 3]]]
        assert doubts(data, None) == [
            "No mask has a pixel of class_1 (1), class_2 (2): do the classes match the masks?"
        ]

    def test_of_many_that_do_not_occur_the_first_are_named(self, folder):
        (line,) = doubts(load(folder([[0, 19]])), None)
        assert line.endswith(" class_7 (7), class_8 (8) and 10 more: do the classes match the masks?")

    def test_mars_must_be_requested(self, folder):
        path = folder([[0, 1, 2]])
        assert (load(path, classes="mars").class_names, load(path, classes="mars").ignore_classes) == (MARS, (0,))

    def test_a_class_file_names_them(self, folder):
        data = load(folder([[0, 1]], classes="ground\nrock\n"))
        assert (data.class_names, data.ignore_classes) == (("ground", "rock"), ())

    @pytest.mark.parametrize("name", ["background", "Background", "BACKGROUND"])
    def test_one_called_background_is_ignored_with_a_warning(self, folder, caplog, name):
        data = load(folder([[0, 1]], classes=f"{name}\nrock\n"))
        assert data.ignore_classes == (0,)
        assert f"the class '{name}' (0) is ignored" in caplog.text

    def test_it_counts_on_request(self, folder):
        assert load(folder([[0, 1]], classes="Background\nrock\n"), ignore_classes=None).ignore_classes == ()

    def test_masks_of_void_alone_have_no_class(self, folder):
        error = refusal(load, folder([[255, 255]]))
        assert error.what == "All pixels of all masks are void (255): there is no class."
        assert "binary=true" in error.hint

    @pytest.mark.parametrize("lacking", [(), ("classes",)])
    def test_an_older_plan_still_means_mars(self, tmp_path, lacking):
        shutil.copytree(FROZEN / "photos-killed", tmp_path / "run")
        file = tmp_path / "run" / "plan.toml"
        text = file.read_text(encoding="utf-8").replace("@FROZEN@", FROZEN.as_posix())
        for key in lacking:
            text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key} = "))
        file.write_text(text, encoding="utf-8")
        chosen = plan(tmp_path / "run").one(kinds.DATASET)
        data = chosen.load()
        assert (data.class_names, data.ignore_classes) == (MARS, (0,))
        assert (chosen.edges, chosen.orientation) == ("pad", "stored")

    def test_with_auto_only_the_exact_word_is_ignored(self, folder):
        path = folder([[0, 1]], classes="Background\nrock\n")
        assert load(path, ignore_classes="auto", classes=None).ignore_classes == ()

    def test_a_new_plan_has_found(self, cli, folder):
        answer = cli("run", "--data", str(folder([[0, 1]])), "--dry-run")
        assert "data.folder.classes\tfound\tdefault" in answer.out

    def test_names_in_an_npz_file_are_ignored_by_their_name_not_their_place(self, tmp_path):
        """classes=ground,crater ignored the ground."""
        np.savez(tmp_path / "a.npz", images=np.zeros((1, 1, 2)), masks=np.array([[[0, 1]]]))
        path = str(tmp_path / "a.npz")
        assert Npz(path, classes=("ground", "crater")).load().ignore_classes == ()
        assert Npz(path).load().ignore_classes == (0,)
        assert Npz(path, classes="found").load().class_names == ("class_0", "class_1")
        assert Npz(path, classes="mars").load().class_names == MARS

    def test_a_folder_that_convert_writes_keeps_its_classes(self, cli, tmp_path):
        words = ("synthetic:count=4:height=16:width=16", str(tmp_path / "out"))
        assert cli("data", "convert", *words).code == 0
        data = load(tmp_path / "out")
        assert (data.class_names, data.ignore_classes) == (MARS, (0,))


class TestBinaryMasks:
    def test_0_and_255_give_a_warning_with_a_hint(self, folder):
        """The object was void, and the run's miou 0.95."""
        data = load(folder([[0, 255, 255]]))
        lines = doubts(data, None)
        assert lines[0].startswith("The masks hold only 0 and 255, and 255 is void")
        assert "binary=true" in lines[0]
        assert lines[1] == "66.7 % of all pixels are void (255): losses and metrics ignore them."

    @pytest.mark.parametrize("high", [255, 1])
    def test_binary_reads_them(self, folder, high):
        data = load(folder([[0, high, high]]), binary=True)
        assert data.masks.tolist() == [[[0, 1, 1]]]
        assert data.class_names == ("class_0", "class_1")
        assert doubts(data, None) == []

    def test_in_an_npz_file_too(self, tmp_path):
        np.savez(tmp_path / "a.npz", images=np.zeros((1, 1, 2)), masks=np.array([[[0, 255]]], np.uint8))
        data = Npz(str(tmp_path / "a.npz"), binary=True, classes=("ground", "rock")).load()
        assert data.masks.tolist() == [[[0, 1]]]
        np.savez(tmp_path / "b.npz", images=np.zeros((1, 1, 2)), masks=np.array([[[2, 255]]], np.uint8))
        assert refusal(Npz(str(tmp_path / "b.npz"), binary=True).load).what.startswith("A mask holds the value 2")

    def test_another_value_is_refused_with_its_file(self, folder):
        error = refusal(load, folder([[0, 7, 255]]), binary=True)
        assert error.what == "The mask holds the value 7; with binary=true, masks may hold only 0 and 255."
        assert error.where.endswith("000.png")

    def test_masks_with_another_class_are_not_called_binary(self, folder):
        assert doubts(load(folder([[0, 1, 255]])), None) == []


class TestDoubts:
    def test_a_class_without_a_pixel_in_training(self, folder):
        data = load(folder([[0, 1]], [[0, 2]], [[0, 1]], classes="sky\nsoil\nrock\nwater\n"))
        assert doubts(data, Split((0,), (1,), (2,))) == [
            "No mask has a pixel of water (3): do the classes match the masks?",
            "The training subset has no pixel of rock (2): this cannot be learnt.",
            "The validation subset has no pixel of soil (1): how well this is learnt does not count when the best "
            "network is chosen.",
        ]

    def test_a_test_subset_without_labels(self, folder):
        data = load(folder([[1, 1]], [[1, 2]], [[1, 255]], [[0, 255]], classes="background\nsoil\nrock\n"))
        line = "The test subset has no labelled pixel: it gives no scores."
        assert doubts(data, Split((1,), (0, 2), (3,)))[-1] == line
        assert line not in doubts(data, Split((1,), (0, 3), (2,)))

    def test_a_validation_subset_without_labels_is_refused(self, folder):
        data = load(folder([[1, 1]], [[1, 2]], [[0, 255]], classes="background\nsoil\nrock\n"))
        check_validation(data, Split((1,), (0,), (2,)))
        assert "No pixel of the validation subset" in refusal(check_validation, data, Split((0,), (2,), (1,))).what

    def test_one_class_alone(self, folder):
        data = load(folder([[0, 0]], [[0, 1]], [[1, 1]]))
        assert "The training subset has pixels of a single class: class_0 (0)." in doubts(data, Split((0,), (1,), (2,)))

    def test_an_ignored_class_need_not_occur(self, folder):
        assert doubts(load(folder([[1, 2]], classes="background\nsoil\nrock\n")), None) == []

    @pytest.mark.parametrize("name", ["unlabelled", "Unlabeled", "no_data", "Void", "unknown"])
    def test_a_class_whose_name_says_that_it_is_none(self, folder, name):
        path = folder([[0, 1, 1, 1]], classes=f"soil\n{name}\n")
        assert doubts(load(path), None) == [
            f"{name} (1) counts as a class, with 75.0 % of all pixels. If these are pixels without a label, call it "
            "void in the class file, or set ignore_classes=1."
        ]
        assert doubts(load(path, ignore_classes=(1,)), None) == []

    def test_inspect_has_a_row_for_void_and_lists_doubts(self, cli, folder):
        answer = cli("data", "inspect", str(folder(*[[[0, 255]]] * 3)))
        assert answer.code == 0, answer.err
        assert "doubtful: The masks hold only 0 and 255" in answer.out
        (row,) = [line for line in answer.out.splitlines() if line.startswith("void (255)")]
        assert row.split("\t")[1:4] == ["3", "50.00 % of all", "3"]

    def test_a_run_warns_and_logs(self, tmp_path, folder):
        rng = np.random.default_rng(0)
        masks = [np.where(rng.random((16, 16)) < 0.7, 255, rng.integers(0, 2, (16, 16))) for _ in range(8)]
        warnings: list[str] = []
        words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "bottleneck": "none", "epochs": 1, "batch": 4}
        path = folder(*masks, classes="ground\nrock\nwater\n")
        with warnings_told(warnings):
            run = marsseg.run(data=str(path), out=tmp_path / "run", **words)
        log = run.folder.log_file.read_text(encoding="utf-8")
        for line in ("% of all pixels are void (255)", "No mask has a pixel of water (2)"):
            assert sum(line in each for each in warnings) == 1
            assert log.count(line) == 1


def png(path: Path, ids: np.ndarray, bits: int) -> Path:
    """A grey PNG of 1, 2, 4 or 8 bits, written byte by byte."""
    rows = b""
    for row in ids:
        packed = "".join(f"{value:0{bits}b}" for value in row)
        packed += "0" * (-len(packed) % 8)
        rows += b"\0" + bytes(int(packed[place : place + 8], 2) for place in range(0, len(packed), 8))

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def tiff(path: Path, ids: np.ndarray, bits: int, *, photometric: int = 1, numbers: int = 1) -> Path:
    """A grey TIFF of 1, 2, 4, 8 or 16 bits without compression, written byte by byte."""
    rows = b""
    for row in ids:
        packed = "".join(f"{int(value) % 2**bits:0{bits}b}" for value in row)
        packed += "0" * (-len(packed) % 8)
        rows += bytes(int(packed[place : place + 8], 2) for place in range(0, len(packed), 8))
    if bits == 16:
        rows = ids.astype("<u2").tobytes()
    tags = {256: ids.shape[1], 257: ids.shape[0], 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1}
    tags |= {278: ids.shape[0], 279: len(rows), 339: numbers}
    start = 8 + 2 + 12 * len(tags) + 4
    tags[273] = start
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + rows)
    return path


class TestDecoders:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    @pytest.mark.parametrize("write", [png, tiff])
    def test_ids_of_few_bits_are_exact(self, tmp_path, write, bits):
        """3 in a mask of 2 bits was 255, void, and 1 was 85."""
        ids = (np.arange(15).reshape(3, 5) % 2**bits).astype(np.uint8)
        np.testing.assert_array_equal(read_mask(write(tmp_path / "a.png", ids, bits)), ids)

    def test_images_of_few_bits_go_from_black_to_white(self, tmp_path):
        image = read_image(png(tmp_path / "a.png", np.array([[0, 1, 2, 3]], np.uint8), 2))
        assert image.ravel().tolist() == [0, 85, 170, 255]

    @pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
    def test_ids_with_0_as_white_are_refused(self, tmp_path, bits):
        """Pillow turns them round: of 8 bits 0, 1, 2 were 255, 254, 253."""
        path = tiff(tmp_path / "a.tif", IDS % 2, bits, photometric=0)
        assert "0 is white" in refusal(read_mask, path).what

    def test_a_negative_id_of_8_bits_is_not_void(self, tmp_path):
        path = tiff(tmp_path / "a.tif", np.array([[-1, 2]]), 8, numbers=2)
        assert refusal(read_mask, path).what == "The mask has values from -1 to 2; ids are 0 to 255."
        ids = np.array([[0, 127]], np.uint8)
        np.testing.assert_array_equal(read_mask(tiff(tmp_path / "b.tif", ids, 8, numbers=2)), ids)

    @pytest.mark.parametrize("compression", ["jpeg", "webp"])
    def test_a_compression_that_loses_is_refused_in_any_container(self, tmp_path, compression):
        path = tmp_path / "a.tif"
        try:
            Image.fromarray(np.tile(IDS, (8, 8))).convert("RGB" if compression == "webp" else "L").save(
                path, compression=compression
            )
        except (OSError, RuntimeError):
            pytest.skip(f"this Pillow writes no TIFF with {compression}")
        palette = {(0, 0, 0): 0}
        assert "can change ids" in refusal(read_mask, path, palette=palette).what

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate"])
    def test_others_are_exact(self, tmp_path, compression):
        Image.fromarray(IDS).save(tmp_path / "a.tif", compression=compression)
        np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), IDS)

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_a_suffix_does_not_hide_a_lossy_file(self, tmp_path, kind):
        buffer = io.BytesIO()
        Image.fromarray(np.tile(IDS, (8, 8))).save(buffer, kind)
        (tmp_path / "a.png").write_bytes(buffer.getvalue())
        name = {"JPEG": "JPEG", "WEBP": "lossy WebP"}[kind]
        assert refusal(read_mask, tmp_path / "a.png").what == f"A {name} mask has lost its exact ids."

    def test_a_transparent_palette_is_refused(self, tmp_path):
        picture = Image.fromarray(IDS).convert("P")
        picture.putpalette([value for id_ in range(4) for value in (id_, 0, 0)])
        picture.save(tmp_path / "a.png", transparency=bytes([0, 255, 255, 255]))
        palette = {(number, 0, 0): number for number in range(4)}
        assert refusal(read_mask, tmp_path / "a.png", palette=palette).what == "The mask is transparent in places."

    def test_grey_colours_of_a_class_file_are_read_in_a_grey_mask(self, folder):
        """255 was void, though the file calls it the colour of rock."""
        path = folder([[0, 255]], classes="ground,0,0,0\nrock,255,255,255\n")
        assert load(path).masks.tolist() == [[[0, 1]]]

    def test_a_grey_mask_of_ids_beside_them_is_one_of_ids(self, folder):
        path = folder([[0, 1]], classes="ground,10,10,10\nrock,250,250,250\n")
        assert load(path).masks.tolist() == [[[0, 1]]]


TURNED = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.swapaxes(a, 0, 1)}
TURNED |= {6: lambda a: np.rot90(a, -1), 7: lambda a: a.T[::-1, ::-1], 8: np.rot90}
PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def save_turned(path: Path, pixels: np.ndarray, tag: int) -> Path:
    exif = Image.Exif()
    exif[274] = tag
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


class TestOrientation:
    @pytest.mark.parametrize("tag", sorted(TURNED))
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_it_is_applied_to_images_and_masks_alike(self, tmp_path, tag, suffix):
        path = save_turned(tmp_path / f"a.{suffix}", PIXELS, tag)
        shown = TURNED[tag](PIXELS)
        np.testing.assert_array_equal(read_image(path)[..., 0], shown)
        np.testing.assert_array_equal(read_mask(path), shown)

    def test_a_mask_drawn_on_the_image_as_it_is_shown_fits(self, tmp_path, caplog):
        """Its image lay on its side: with sides of one length that was trained without a word."""
        photo = np.zeros((16, 16), np.uint8)
        photo[:, :8] = 200
        save_turned(tmp_path / "mine/images/a.jpg", photo, 6)
        save_turned(tmp_path / "mine/masks/a.png", (np.rot90(photo, -1) > 0).astype(np.uint8), 1)
        data = load(tmp_path / "mine")
        np.testing.assert_array_equal(data.images[0, ..., 0] > 100, data.masks[0] == 1)
        assert "a.jpg is turned or mirrored according to the EXIF orientation." in caplog.text
        stored = load(tmp_path / "mine", orientation="stored")
        np.testing.assert_array_equal(stored.images[0, ..., 0] > 100, photo > 0)

    def test_sizes_that_then_differ_are_refused_with_the_reason(self, tmp_path):
        save_turned(tmp_path / "mine/images/a.png", PIXELS, 6)
        save_turned(tmp_path / "mine/masks/a.png", PIXELS, 1)
        error = refusal(load, tmp_path / "mine")
        assert error.what == (
            "After they are turned by their EXIF orientations (mask 1, image 6), the mask has "
            "2 × 3 pixels, but its image has 3 × 2."
        )
        assert "orientation=stored" in error.hint
        assert load(tmp_path / "mine", orientation="stored").masks.shape == (1, 2, 3)

    def test_a_tag_that_means_nothing_is_none(self, tmp_path):
        path = save_turned(tmp_path / "a.png", PIXELS, 9)
        np.testing.assert_array_equal(read_mask(path), PIXELS)

    def test_a_prediction_is_of_the_image_as_it_is_shown_and_says_so(self, cli, tmp_path):
        grey = np.random.default_rng(0).integers(0, 256, (16, 32)).astype(np.uint8)
        save_turned(tmp_path / "a.png", grey, 6)
        answer = cli("predict", str(FROZEN / "finished"), str(tmp_path / "a.png"), "--out", str(tmp_path / "out"))
        assert answer.code == 0, answer.err
        assert "a.png is turned or mirrored according to the EXIF orientation." in answer.err
        (written,) = (tmp_path / "out").rglob("a*.png")
        assert Image.open(written).size == (16, 32)


class TestTiles:
    def test_none_is_padding(self):
        """Of 300 × 400 in tiles of 128, 39 % of the pixels were black and void."""
        image, mask = np.full((300, 400, 1), 9, np.uint8), np.zeros((300, 400), np.uint8)
        tiles = list(Resizing("tiles", 128, 128).pieces(image, mask))
        assert len(tiles) == 12
        assert all((tile == 9).all() and (labels == 0).all() for tile, labels, _ in tiles)

    @pytest.mark.parametrize("length", [4, 5, 7, 8, 11])
    def test_each_pixel_is_in_one_and_the_last_tile_ends_with_the_image(self, length):
        places = np.arange(length, dtype=np.uint8)[None]
        tiles = [labels[0].tolist() for _, labels, _ in Resizing("tiles", 1, 4).pieces(places[..., None], places)]
        assert tiles[-1] == list(range(length - 4, length))
        assert {place for tile in tiles for place in tile} == set(range(length))
        assert len(tiles) == -(-length // 4)

    def test_what_stands_in_several_tiles_is_told(self):
        """Of 5 columns in tiles of 4, the columns 1 to 3 do."""
        (line,) = Resizing("tiles", 1, 4).remarks([(1, 5)])
        assert line.startswith("The last tiles of a row or column overlap others: 60 % of all pixels are in several")
        assert Resizing("tiles", 1, 4).remarks([(1, 8)]) == []
        assert Resizing("tiles", 1, 4, edges="pad").remarks([(1, 5)]) == []

    def test_an_image_smaller_than_a_tile_is_filled_up_and_told(self):
        fitting = Resizing("tiles", 1, 4)
        ((image, mask, _),) = fitting.pieces(np.full((1, 3, 1), 7, np.uint8), np.zeros((1, 3), np.uint8))
        assert image.ravel().tolist() == [7, 7, 7, 0]
        assert mask.tolist() == [[0, 0, 0, 255]]
        assert fitting.remarks([(1, 3), (1, 8)]) == [
            "1 of 2 images is smaller than a tile, and is filled up with black and void."
        ]

    def test_told_when_the_set_is_opened(self, folder, caplog):
        path = folder(np.zeros((4, 5)))
        for _ in range(2):  # prepared, and from the cache
            caplog.clear()
            load(path, resize="tiles", height=4, width=4)
            assert "are in several tiles" in caplog.text


class TestClassFile:
    @pytest.mark.parametrize(
        "text",
        [
            "ground,1,2,3\nrock,4,5,6\n",
            "name,r,g,b\nground,1,2,3\nrock,4,5,6\n",
            "Klasse;Rot;Grün;Blau\nground;1;2;3\nrock;4;5;6\n",
            "what it is\tred\tgreen\tblue\nground\t1\t2\t3\nrock\t4\t5\t6\n",
            '# mine\n"label", "R", "G", "B"\n"ground", 1, 2, 3\n"rock", 4, 5, 6\n',
            "\ufeffname,r,g,b\r\nground,1,2,3\r\n\r\nrock,4,5,6\r\n",
        ],
    )
    def test_header_separator_quotes_and_byte_order_mark(self, tmp_path, text):
        """A header in other words was refused, or a first class."""
        (tmp_path / "classes.csv").write_bytes(text.encode())
        read = read_class_file(tmp_path / "classes.csv")
        assert read.names == ("ground", "rock")
        assert read.palette == {(1, 2, 3): 0, (4, 5, 6): 1}

    @pytest.mark.parametrize("header", ["", "name\n", "Class\n", "class_name\n", "\ufefflabel\n"])
    def test_names_alone(self, tmp_path, header):
        (tmp_path / "classes.txt").write_text(f"{header}ground\nrock\n", encoding="utf-8")
        assert read_class_file(tmp_path / "classes.txt").names == ("ground", "rock")

    def test_only_the_first_line_is_a_header(self, tmp_path):
        (tmp_path / "classes.txt").write_text("name\nlabel\nrock\n", encoding="utf-8")
        assert read_class_file(tmp_path / "classes.txt").names == ("label", "rock")

    def test_a_name_in_quotes_may_hold_a_separator(self, tmp_path):
        (tmp_path / "classes.csv").write_text('"sand, loose",1,2,3\n"a ""b""",4,5,6\n', encoding="utf-8")
        assert read_class_file(tmp_path / "classes.csv").names == ("sand, loose", 'a "b"')

    @pytest.mark.parametrize("names", [("sand, loose", "a;b", "a\tb"), ('say "x"', "y", "z"), ("name", "class", "x")])
    def test_what_convert_writes_is_read_back(self, tmp_path, names):
        from marsseg_core.data.arrays import SegmentationData
        from marsseg_core.data.export import write_folder

        data = SegmentationData(np.zeros((1, 1, 3, 1), np.uint8), np.array([[[0, 1, 2]]], np.uint8), names)
        write_folder(tmp_path / "out", data, None, lambda done, total: None)
        assert load(tmp_path / "out").class_names == names

    def test_void_between_classes_without_colours_is_refused(self, tmp_path):
        """The ids after it were one too low."""
        (tmp_path / "classes.txt").write_text("ground\nvoid\nrock\n", encoding="utf-8")
        assert refusal(read_class_file, tmp_path / "classes.txt").what == (
            "Line 2 lists void among the classes, so the ids after it are not clear."
        )

    def test_a_quote_that_does_not_end_is_refused(self, tmp_path):
        (tmp_path / "classes.txt").write_text('ground\n"rock\n', encoding="utf-8")
        assert refusal(read_class_file, tmp_path / "classes.txt").what.startswith("Line 2 cannot be split into fields")


def test_a_plan_with_a_byte_order_mark_is_read(cli, tmp_path):
    (tmp_path / "plan.toml").write_bytes(b'\xef\xbb\xbf[arch]\nname = "unet"\nwidth = 0.25\n')
    answer = cli("run", "--plan", str(tmp_path / "plan.toml"), "--data", "synthetic", "--dry-run")
    assert answer.code == 0, answer.err
    assert "arch.unet.width\t0.25" in answer.out


def test_a_run_whose_files_have_one_is_read(tmp_path):
    shutil.copytree(FROZEN / "finished", tmp_path / "run")
    for name in ("plan.toml", "metrics.json", "split.json", "environment.json"):
        file = tmp_path / "run" / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(marsseg.compare(tmp_path / "run").groups) == 1


@pytest.fixture(autouse=True)
def _told(caplog):
    caplog.set_level(logging.WARNING)
