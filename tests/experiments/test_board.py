"""The board: one page over all runs of a folder, and its server."""

from __future__ import annotations

import json
import re
import shutil
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
from helpers.paths import FROZEN

from marsseg_core.errors import RequestError
from marsseg_core.experiments.board import read_board
from marsseg_core.figures.board import board_page
from marsseg_core.figures.board_server import serve_board
from marsseg_core.runs.records import read_record


@pytest.fixture
def runs(tmp_path) -> Path:
    """A folder with two runs of different names, one of them in a series, and a folder that is no run."""
    shutil.copytree(FROZEN / "finished", tmp_path / "first run")
    shutil.copytree(FROZEN / "finished", tmp_path / "series" / "second")
    (tmp_path / "notes").mkdir()
    return tmp_path


def data_of(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


def test_the_board_has_all_runs_with_scores_curves_and_addresses(runs):
    board = read_board(runs)
    assert [run["name"] for run in board.runs] == ["first run", "series/second"]
    record, run = read_record(runs / "first run"), board.runs[0]
    assert run["status"] == "finished"
    for subset in ("validation", "test"):
        assert run["scores"][subset]["miou"] == pytest.approx(record.scores[subset]["miou"], rel=1e-8)
    lines = (runs / "first run" / "history.csv").read_text().splitlines()
    assert len(run["curves"]["val_miou"]) == run["epochs"] == len(lines) - 1
    for address in filter(None, (run["report"], run["tiles"])):
        assert (runs / unquote(address)).is_file()


def test_the_address_of_a_report_stands_whatever_signs_are_in_the_name_of_the_run(runs):
    (runs / "first run").rename(runs / "run #1?")
    (runs / "run #1?" / "report.html").touch()
    (run,) = [run for run in read_board(runs).runs if run["name"] == "run #1?"]
    assert run["report"] == "run%20%231%3F/report.html"


def test_settings_that_all_runs_share_are_left_out(runs):
    plan = runs / "series" / "second" / "plan.toml"
    plan.write_text(re.sub(r"(?m)^seed = \d+$", "seed = 77", plan.read_text()))
    (runs / "series" / "second" / "manifest.json").unlink(missing_ok=True)
    first, second = read_board(runs).runs
    assert first["settings"].keys() == second["settings"].keys()
    assert second["settings"]["training.seed"] == "77"
    assert "training.batch" not in first["settings"]


def test_the_table_shows_the_settings_that_differ(runs):
    assert read_board(runs).columns == ()
    plan = runs / "series" / "second" / "plan.toml"
    text = re.sub(r"(?m)^seed = \d+$", "seed = 77", plan.read_text())
    plan.write_text(re.sub(r"(?m)^batch = \d+$", "batch = 3", text))
    (runs / "series" / "second" / "manifest.json").unlink(missing_ok=True)
    columns = read_board(runs).columns
    assert columns[0] == "training.seed"
    assert set(columns) == {"training.seed", "split.seed", "data.synthetic.seed", "training.batch"}
    assert data_of(board_page(read_board(runs)))["columns"] == list(columns)


def test_runs_that_are_scored_on_other_images_have_another_letter(runs):
    shutil.copytree(runs / "first run", runs / "third")
    board = read_board(runs)
    assert {run["scored_on"] for run in board.runs} == {"A"}
    assert board.scored_on == ()
    assert data_of(board_page(board))["shared"]
    split = runs / "third" / "split.json"
    content = json.loads(split.read_text())
    moved = content["test"].pop()
    split.write_text(json.dumps(content | {"train": [*content["train"], moved]}))
    (runs / "third" / "manifest.json").unlink(missing_ok=True)
    board = read_board(runs)
    assert {run["name"]: run["scored_on"] for run in board.runs} == {
        "first run": "A",
        "series/second": "A",
        "third": "B",
    }
    (_, common), (letter, other) = board.scored_on
    assert common == f"{len(content['test']) + 1} test images of {content['source']}"
    assert (letter, other) == (
        "B",
        f"{len(content['test'])} test images of {content['source']}; other items of the data",
    )
    assert f"<li>B: {other}</li>" in board_page(board)


def test_transductive_runs_are_named_below_the_table(runs):
    assert "<p>Transductive" not in board_page(read_board(runs))
    split = runs / "first run" / "split.json"
    used = {"source": "data", "images": 5, "held_out": 3, "transductive": True, "fingerprint": ""}
    split.write_text(json.dumps(json.loads(split.read_text()) | {"unlabelled": used}))
    assert "<p>Transductive: first run. Trained with images of" in board_page(read_board(runs))


def test_a_broken_run_is_listed_with_the_reason(runs):
    (runs / "first run" / "metrics.json").write_text("{")
    board = read_board(runs)
    assert [run["name"] for run in board.runs] == ["series/second"]
    assert board.unreadable[0][0] == runs / "first run"
    assert "<li>first run: " in board_page(board)


def test_text_of_runs_cannot_end_the_script(runs):
    (runs / "first run").rename(runs / "<script>alert(1)")
    page = board_page(read_board(runs))
    assert "<script>alert" not in page
    assert data_of(page)["runs"][0]["name"] == "<script>alert(1)"


def test_the_command_writes_the_page_into_the_folder(cli, runs):
    answer = cli("board", str(runs))
    assert answer.code == 0
    assert len(data_of((runs / "board.html").read_text())["runs"]) == 2
    assert cli("board", str(runs)).code == 0  # again, over the old page
    (runs / "first run" / "metrics.json").write_text("{")
    answer = cli("board", str(runs))
    assert answer.code == 1
    assert "could not be read" in answer.err


def test_a_folder_without_runs_is_an_error(cli, tmp_path):
    answer = cli("board")
    assert answer.code == 2
    assert "'runs' is not a run folder: there is no such file or folder." in answer.err


@pytest.mark.parametrize("words", [[], ["--serve"]], ids=["page", "server"])
def test_a_pack_is_refused_before_it_is_read(cli, tmp_path, words):
    (tmp_path / "ensemble.zip").write_bytes(b"PK\x03\x04")
    answer = cli("board", "ensemble.zip", *words)
    assert answer.code == 2
    assert "'ensemble.zip' is a pack" in answer.err


@contextmanager
def served(folder):
    """Serve the board of a folder, and yield its address."""
    with serve_board(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_server_hands_out_the_page_and_its_pictures_and_nothing_else(runs):
    with served(runs) as address:
        assert len(data_of(urlopen(f"http://{address}/").read().decode())["runs"]) == 2
        shutil.copytree(FROZEN / "finished", runs / "third")
        assert len(data_of(urlopen(f"http://{address}/").read().decode())["runs"]) == 3
        for path in ("third/plan.toml", "third/network.keras", "../secret.txt", "third/", "third"):
            for method in ("GET", "HEAD"):
                with pytest.raises(HTTPError):
                    urlopen(Request(f"http://{address}/{path}", method=method))
        connection = HTTPConnection(address)
        connection.request("GET", "/third/plan.toml#.html")  # a browser would leave out the last part
        assert connection.getresponse().status == 404
        connection.close()


def test_the_server_says_in_any_letters_why_there_is_no_page(tmp_path):
    folder = tmp_path / "火星"
    shutil.copytree(FROZEN / "finished", folder / "run")
    with served(folder) as address:
        shutil.rmtree(folder / "run")
        with pytest.raises(HTTPError) as caught:
            urlopen(f"http://{address}/")
        assert "火星' is not a run folder" in caught.value.read().decode()


def test_a_port_that_is_taken_is_an_error(runs):
    with serve_board(runs, 0) as server, pytest.raises(RequestError, match="cannot be used"):
        serve_board(runs, server.server_port)
