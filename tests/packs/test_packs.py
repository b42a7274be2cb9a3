"""`marsseg pack` and `marsseg check`: a trained network in one file, which others use like a run."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tomli_w
import yaml

import marsseg_core as marsseg
from marsseg_core.data.images import write_png
from marsseg_core.errors import RequestError
from marsseg_core.export.images import RANDOM
from marsseg_core.files.pack import DESCRIPTION, write_pack
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.packs.card import GAP, card
from marsseg_core.packs.check import check_pack
from marsseg_core.packs.description import Statement, open_for_pack
from marsseg_core.packs.make import complete_description, make_pack
from marsseg_core.registry.catalog import rescan
from marsseg_core.registry.session import open_session

pytestmark = pytest.mark.usefixtures("without_reports")

NETWORK = "runs/1/network.keras"


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_file):
    """A tiny network that was trained, and its folder."""
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "batch": 5, "epochs": 1}
    return marsseg.run(**words, data=str(tiny_file), out=tmp_path_factory.mktemp("packs") / "run").path


@pytest.fixture(scope="module")
def pack(run):
    path = run.parent / "mars-unet.zip"
    make_pack(path, open_for_pack([str(run)]), open_session(), Statement("CC-BY-4.0", None, "NASA/JPL-Caltech"))
    return path


@pytest.fixture(scope="module")
def photo(run):
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 1), np.uint8)
    write_png(run.parent / "photo.png", image)
    return run.parent / "photo.png"


@pytest.fixture
def opened(pack):
    """The description of the pack without its files, and the content of its other members."""
    with zipfile.ZipFile(pack) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(contents.pop(DESCRIPTION))
    del description["files"]
    return description, contents


def packed_again(tmp_path, description, contents):
    """A pack whose hashes are right for what is in it, as whoever changed it would make one."""
    write_pack(tmp_path / "other.zip", description, contents)
    return tmp_path / "other.zip"


class TestTheReceiver:
    @pytest.mark.slow
    def test_checks_it_in_a_fresh_process(self, marsseg, pack):
        answer = marsseg("check", str(pack), "--json")
        assert answer.code == 0, answer.err
        found = json.loads(answer.out)
        (each,) = found["runs"]
        assert each["difference"] <= each["tolerance"] == 1e-3
        assert found["data"]["made_by"] == "NASA/JPL-Caltech"

    def test_predicts_with_it_as_with_the_run(self, cli, run, pack, photo, tmp_path):
        for name, source in (("run", run), ("pack", pack)):
            assert cli("predict", str(source), str(photo), "--out", name).code == 0
        masks = [(tmp_path / name / "masks" / "photo.png").read_bytes() for name in ("run", "pack")]
        assert masks[0] == masks[1]

    def test_scores_it_as_the_run(self, cli, run, pack, tiny_file, tmp_path):
        (tmp_path / tiny_file.name).symlink_to(tiny_file)  # the pack names the data, without their folders
        answer = cli("evaluate", str(run), str(pack), "--json")
        assert answer.code == 0, answer.err
        first, second = json.loads(answer.out)["scores"]
        assert (first.pop("run"), second.pop("run")) == (str(run), str(pack))
        assert first == second

    def test_compares_it_as_the_run(self, cli, run, pack):
        first, second = (json.loads(cli("compare", str(each), "--json").out) for each in (run, pack))
        (of_run,), (of_pack,) = (each["groups"][0].pop("runs") for each in (first, second))
        assert (of_run.pop("run"), of_pack.pop("run")) == (str(run), str(pack))
        assert (first, of_run) == (second, of_pack)
        both = json.loads(cli("compare", str(run), str(pack), "--json").out)
        assert both["skipped"] == [{"run": str(pack), "reason": f"the same plan, seed and fold as {run}"}]

    def test_plans_a_run_like_it(self, cli, run, pack, tiny_file, tmp_path):
        of_run, of_pack = (cli("run", "--plan", str(each), "--dry-run") for each in (run, pack))
        assert of_pack.code == 0, of_pack.err
        plan = str(run / "plan.toml")
        here = of_pack.out.replace(str(tmp_path / tiny_file.name), str(tiny_file))
        assert here.replace(f"pack {pack}", f"file {plan}") == of_run.out

    def test_starts_a_run_from_it(self, pack, tiny_file, tmp_path):
        words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "batch": 5, "epochs": 1}
        begun = marsseg.run(**words, data=str(tiny_file), init=str(pack), out=tmp_path / "next")
        assert begun.transfer.weights == begun.transfer.total
        assert begun.plan.training.init == str(pack)

    def test_exports_it_without_the_data(self, cli, pack):
        answer = cli("export", str(pack), "--format", "keras", "--out", "plain.keras", "--json")
        assert answer.code == 0, answer.err
        told = json.loads(answer.out)
        assert told["equal_labels"] == 1
        assert told["images"] == 1 + RANDOM + 1  # the test image, and two batches of random ones
        assert "The comparison uses the test image of the pack and random images only: There is no" in answer.err

    def test_exports_it_with_the_data_at_another_place(self, cli, pack, tiny_file):
        answer = cli("export", str(pack), "--format", "keras", "--data", str(tiny_file), "--out", "plain.keras")
        assert answer.code == 0, answer.err
        assert "images only" not in answer.err

    def test_is_told_where_an_export_needs_the_data(self, cli, pack):
        pytest.importorskip("tf2onnx")
        answer = cli("export", str(pack), "--format", "onnx", "--precision", "int8", "--out", "small.onnx")
        assert answer.code == 2
        assert "If they are elsewhere now, name their place: --data PATH." in answer.err

    def test_uses_it_in_python(self, run, pack):
        image = np.random.default_rng(2).integers(0, 256, (16, 32), np.uint8)
        ((one,), (two,)) = (list(marsseg.predict(source, [image])) for source in (run, pack))
        np.testing.assert_array_equal(one, two)
        assert marsseg.load(pack).count_params() == marsseg.load(run).count_params()

    def test_reads_where_the_data_can_be_given(self, cli, pack):
        answer = cli("evaluate", str(pack))
        assert answer.code == 2
        assert f"{pack} --data PATH --subset test" in answer.err

    @pytest.mark.parametrize("words", [["--resume"], ["--epochs", "99", "--extend"]])
    def test_cannot_go_on_with_its_training(self, cli, pack, words):
        answer = cli("run", *words, str(pack))
        assert answer.code == 2
        assert f"A pack is only read: the run in it stays as it is.\n       In: {pack}\n" in answer.err


class TestAChangedPack:
    def test_one_byte(self, cli, pack, tmp_path):
        content = bytearray(pack.read_bytes())
        with zipfile.ZipFile(pack) as archive:
            content[archive.getinfo(NETWORK).header_offset + 20_000] ^= 1
        (tmp_path / "other.zip").write_bytes(content)
        for words in (("check", "other.zip"), ("predict", "other.zip", "x.png", "--out", "out")):
            answer = cli(*words)
            assert answer.code == 2
            assert "This file is not a pack as `marsseg pack` writes it" in answer.err

    def test_one_weight_with_all_hashes_made_anew(self, cli, opened, tmp_path):
        description, contents = opened
        (tmp_path / "network.keras").write_bytes(contents[NETWORK])
        network = keras.saving.load_model(tmp_path / "network.keras", compile=False)
        kernel = next(weight for weight in network.weights if weight.path.endswith("kernel"))
        values = np.array(kernel)
        values.flat[0] += 0.5
        kernel.assign(values)
        network.save(tmp_path / "network.keras")
        contents[NETWORK] = (tmp_path / "network.keras").read_bytes()
        path = packed_again(tmp_path, description, contents)
        assert "network.keras: not as the run wrote it" in cli("check", str(path)).err  # by the run's own manifest
        path.unlink()
        contents.pop("runs/1/manifest.json")
        answer = cli("check", str(packed_again(tmp_path, description, contents)))
        assert answer.code == 2
        assert "does not give the output that the pack has for its test image" in answer.err

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (lambda facts: facts["classes"][1].update(name="ice"), "its classes"),
            (lambda facts: facts["data"].update(fingerprint="0"), "the fingerprint of its data"),
            (lambda facts: facts["runs"][0]["scores"]["test"][0].update(value=0.99), "its scores"),
            (lambda facts: facts["runs"][0].update(image=[16, 32, 3]), "the size of its images"),
            (lambda facts: facts["runs"][0].update(transductive=True), "whether it is transductive"),
        ],
    )
    def test_a_statement_that_the_run_contradicts(self, opened, tmp_path, change, what):
        description, contents = opened
        change(description)
        with pytest.raises(RequestError, match=what):
            check_pack(packed_again(tmp_path, description, contents), open_session())

    @pytest.mark.parametrize("array", [np.zeros((2, 2, 1), np.uint8), np.array([{"code": 1}], object)])
    def test_another_test_image(self, opened, tmp_path, array):
        description, contents = opened
        np.save(tmp_path / "image.npy", array)
        contents["runs/1/test_input.npy"] = (tmp_path / "image.npy").read_bytes()
        with pytest.raises(RequestError, match=r"test_input\.npy cannot be read"):
            check_pack(packed_again(tmp_path, description, contents), open_session())


class TestCodeInTheNetwork:
    """None of it is executed: each would write a file."""

    @pytest.fixture
    def with_network(self, opened, tmp_path):
        description, contents = opened
        contents.pop("runs/1/manifest.json")

        def make(path):
            contents[NETWORK] = path.read_bytes()
            return packed_again(tmp_path, description, contents)

        return make

    def test_a_lambda_layer(self, cli, with_network, tmp_path, photo):
        mark = str(tmp_path / "executed")
        inputs = keras.Input((16, 32, 1))
        outputs = keras.layers.Lambda(lambda x: (open(mark, "w"), x)[1], output_shape=(16, 32, 1))(inputs)  # noqa: SIM115
        (tmp_path / "executed").unlink(missing_ok=True)
        keras.Model(inputs, outputs).save(tmp_path / "lambda.keras")
        path = with_network(tmp_path / "lambda.keras")
        for words in (("check", str(path)), ("predict", str(path), str(photo), "--out", "out")):
            answer = cli(*words)
            assert answer.code == 2
            assert "The network contains code, which is never executed." in answer.err
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize(
        ("module", "name"), [("os", "system"), ("subprocess", "Popen"), ("keras.utils", "get_file"), (None, "Evil")]
    )
    def test_a_class_or_function_of_another_module(self, with_network, opened, tmp_path, module, name):
        (tmp_path / "network.keras").write_bytes(opened[1][NETWORK])
        with zipfile.ZipFile(tmp_path / "network.keras") as archive:
            members = {each: archive.read(each) for each in archive.namelist()}
        config = json.loads(members["config.json"])
        layer = config["config"]["layers"][1]
        layer |= {"module": module, "class_name": name, "registered_name": name}
        layer["config"] = {"command": f"touch {tmp_path / 'executed'}", "args": ["touch", str(tmp_path / "executed")]}
        members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(tmp_path / "network.keras", "w") as archive:
            for each, content in members.items():
                archive.writestr(each, content)
        with pytest.raises(RequestError, match="The network"):
            check_pack(with_network(tmp_path / "network.keras"), open_session())
        assert not (tmp_path / "executed").exists()

    def test_weights_in_another_file(self, with_network, opened, tmp_path):
        (tmp_path / "network.keras").write_bytes(opened[1][NETWORK])
        with zipfile.ZipFile(tmp_path / "network.keras") as archive:
            members = {each: archive.read(each) for each in archive.namelist()}
        (tmp_path / "weights.h5").write_bytes(members["model.weights.h5"])
        with h5py.File(tmp_path / "weights.h5", "r+") as file:
            found = []
            file.visititems(lambda at, item: found.append(at) if isinstance(item, h5py.Dataset) else None)
            del file[found[0]]
            file[found[0]] = h5py.ExternalLink("/etc/hostname", "/x")
        members["model.weights.h5"] = (tmp_path / "weights.h5").read_bytes()
        with zipfile.ZipFile(tmp_path / "network.keras", "w") as archive:
            for each, content in members.items():
                archive.writestr(each, content)
        with pytest.raises(RequestError, match=r"The network cannot be read|in another file"):
            check_pack(with_network(tmp_path / "network.keras"), open_session())


class TestTheCard:
    def test_has_the_front_matter_that_hubs_read(self, opened):
        _, front, body = card(opened[0]).split("---\n", 2)
        matter = yaml.safe_load(front)
        assert (matter["license"], matter["pipeline_tag"]) == ("cc-by-4.0", "image-segmentation")
        (result,) = matter["model-index"][0]["results"]
        recorded = opened[0]["runs"][0]["scores"]["test"]
        assert [(each["type"], each["value"]) for each in result["metrics"]] == [
            (each["score"], each["value"]) for each in recorded if each["value"] is not None
        ]
        assert "| 1 | soil |" in body

    def test_gives_each_score_a_reading(self, opened):
        text = card(opened[0])
        assert re.search(r"\| iou soil \|.*\| iou of the class soil alone; see mIoU\. \|", text)
        assert not re.search(r"\| +\|$", text.partition("## Scores")[2], re.MULTILINE)

    def test_says_that_a_run_is_transductive(self, opened):
        description = opened[0]
        assert "ransductive" not in card(description)
        description["runs"][0]["transductive"] = True
        _, front, body = card(description).split("---\n", 2)
        (result,) = yaml.safe_load(front)["model-index"][0]["results"]
        assert all(each["name"].endswith(", transductive") for each in result["metrics"])
        assert "\nTransductive: this network. Trained with images of" in body.partition("## Scores")[2]

    def test_says_what_to_install_whether_an_index_has_it_or_not(self, opened):
        opened[0]["runs"][0]["needs"] = {"marsseg": "0.2.0"}
        assert "\nIt needs marsseg 0.2.0; the README says how to install it.\n" in card(opened[0])
        opened[0]["runs"][0]["needs"]["dunes"] = "1.0"
        text = card(opened[0])
        assert "\nIt needs marsseg 0.2.0 and dunes 1.0; the README of each says how to install it.\n" in text
        assert "pip install" not in text

    def test_says_how_images_were_prepared(self, opened, run, tmp_path):
        assert "before the training" not in card(opened[0])
        folder = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("manifest.json"))
        plan = tomllib.loads((folder / "plan.toml").read_text())
        plan["data"] = {"name": "folder", "distribution": "marsseg", "version": "0.2.0", "path": "photos"}
        plan["data"] |= {"resize": "whole", "height": 16, "width": 32}
        (folder / "plan.toml").write_text(tomli_w.dumps(plan))
        network = marsseg.load(run)
        described = complete_description("x", [RunFolder.open(folder)], [network], open_session(), Statement())
        prepared = "each image is resized whole to 16×32 pixels (height×width), whatever its shape"
        assert f"    - before the training: {prepared}\n" in card(described)

    def test_marks_what_nobody_has_said(self, opened):
        text = card(opened[0])
        assert f"Licence of the data: {GAP}" in text
        assert "find them: NASA/JPL-Caltech" in text
        assert f"Licence of the networks: {GAP}" not in text

    def test_is_printed_alone(self, cli, run, tmp_path):
        answer = cli("pack", str(run), "--card", "--data-licence", "CC BY 4.0")
        assert answer.code == 0, answer.err
        assert answer.out.startswith("---\n# license: to be filled in\n")
        assert "- Licence of the data: CC BY 4.0\n" in answer.out
        assert not list(tmp_path.glob("*.zip"))

    def test_is_in_the_pack(self, opened):
        assert opened[1]["README.md"].decode() == card(opened[0])

    def test_takes_any_text(self, opened):
        opened[0]["data"]["source"] = 'a"b: {c}\n---\n| <script>'
        opened[0]["classes"][0]["name"] = "| [x](http://x)"
        front, body = card(opened[0]).removeprefix("---\n").split("\n---\n", 1)
        assert yaml.safe_load(front)["model-index"][0]["results"][0]["dataset"]["name"] == opened[0]["data"]["source"]
        assert "<script>" not in body
        assert r"\| \[x\]" in body


class TestTheMaker:
    def test_says_nothing_of_the_machine(self, opened):
        environment = json.loads(opened[1]["runs/1/environment.json"])
        assert environment.keys() == {"schema", "python", "platform", "backend", "versions"}

    def test_keeps_the_folders_of_its_files_to_itself(self, opened, run, tiny_file):
        assert str(tiny_file) in (run / "plan.toml").read_text()  # a run stays as it is
        files = [json.dumps(opened[0]).encode(), *(text for name, text in opened[1].items() if name[-3:] != "ras")]
        assert not [text for text in files if str(tiny_file.parent).encode() in text]
        assert tomllib.loads(opened[1]["runs/1/plan.toml"].decode())["data"]["path"] == tiny_file.name

    def test_packs_several_runs_as_an_ensemble(self, cli, run, photo, tiny_file, tmp_path):
        assert cli("pack", str(run), str(run), "--out", "two.zip").code == 0
        assert cli("predict", "two.zip", str(photo), "--out", "masks").code == 0
        (tmp_path / tiny_file.name).symlink_to(tiny_file)
        answer = cli("evaluate", "two.zip", "--json")
        assert [each["run"] for each in json.loads(answer.out)["scores"]] == ["two.zip, run 1", "two.zip, run 2"]

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("--out", "pack.tar"), "does not end in .zip"),
            (("--out", "none/pack.zip"), "There is no folder 'none'"),
            ((), "Either --out or --card is needed"),
            (("--out", "pack.zip", "--card"), "Either --out or --card is needed"),
        ],
    )
    def test_is_told_what_is_wrong(self, cli, run, words, reason):
        answer = cli("pack", str(run), *words)
        assert answer.code == 2
        assert reason in answer.err

    def test_does_not_pack_a_run_that_was_changed_or_is_not_finished(self, cli, run, tmp_path):
        shutil.copytree(run, tmp_path / "other")
        (tmp_path / "other" / "metrics.json").write_text('{"schema": 2, "status": "interrupted", "subsets": {}}')
        assert "The run is not finished" in cli("pack", "other", "--out", "pack.zip").err
        shutil.copy(run / "metrics.json", tmp_path / "other")
        with (tmp_path / "other" / "network.keras").open("ab") as file:
            file.write(b"x")
        assert "not as the run wrote it" in cli("pack", "other", "--out", "pack.zip").err

    def test_does_not_pack_code(self, cli, run, tmp_path):
        shutil.copytree(run, tmp_path / "other")
        (tmp_path / "other" / "manifest.json").unlink()
        plan = tmp_path / "other" / "plan.toml"
        plan.write_text('[[plugin]]\nfile = "plugins/loss.py"\nsha256 = ""\n' + plan.read_text())
        answer = cli("pack", "other", "--out", "pack.zip")
        assert answer.code == 2
        assert "The run uses plugin files" in answer.err


class TestThePackage:
    """A package that ships a pack."""

    @pytest.fixture
    def shipped(self, pack, tmp_path, monkeypatch):
        package, metadata = tmp_path / "site" / "mars_models", tmp_path / "site" / "mars_models-1.0.dist-info"
        package.mkdir(parents=True)
        metadata.mkdir()
        shutil.copy(pack, package / "unet.zip")
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mars-models\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[marsseg.models]\nmars-unet = mars_models.unet\n")
        monkeypatch.syspath_prepend(tmp_path / "site")
        rescan()
        yield package / "unet.zip"
        rescan()

    def test_has_it_listed_and_shown(self, cli, shipped):
        answer = cli("list", "model", "--json")
        (listed,) = json.loads(answer.out)["components"]
        assert (listed["name"], listed["distribution"], listed["status"]) == ("mars-unet", "mars-models", "ok")
        assert listed["summary"] == "unet for soil, bedrock, sand, big_rock"
        assert f"Try:  marsseg predict {shipped} IMAGES --out FOLDER" in cli("show", "mars-unet").out

    def test_is_told_if_the_file_is_damaged_or_missing(self, cli, shipped):
        shipped.write_bytes(shipped.read_bytes()[:-30])
        assert "\tinvalid: This file is not a pack" in cli("list", "model").out
        assert (cli("show", "mars-unet").code, cli("list", "unet").code) == (3, 0)
        shipped.unlink()
        assert "its file is missing" in cli("show", "mars-unet").err


def test_a_file_that_is_no_pack_is_not_checked(cli, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    answer = cli("check", "notes.txt")
    assert answer.code == 2
    assert "'notes.txt' is not a pack" in answer.err
