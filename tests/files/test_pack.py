"""A pack may come from a stranger: whatever is wrong with it is one error, and nothing of it is written or executed."""

from __future__ import annotations

import json
import stat
import struct
import zipfile

import pytest

from marsseg_core.errors import RequestError
from marsseg_core.files import pack as pack_module
from marsseg_core.files.pack import (
    CARD,
    DESCRIPTION,
    RUN_FILES,
    TEST_INPUT,
    TEST_OUTPUT,
    is_pack,
    open_pack,
    write_pack,
)
from marsseg_core.files.run_folder import RunFolder

RUN = {
    "name": "unet",
    "image": [16, 32, 1],
    "scaling": None,
    "scores": {},
    "needs": {"marsseg": "0.2.0"},
    "tolerance": 1e-3,
}
FACTS = {
    "schema": 1,
    "name": "mars",
    "marsseg": "0.2.0",
    "runs": [RUN],
    "classes": [{"name": "soil", "colour": "#d55e00", "ignored": False}],
    "data": {"source": "npz:tiles.npz", "fingerprint": "1" * 32, "licence": None},
}
MEMBERS = {
    CARD: b"# mars\n",
    **{f"runs/1/{name}": b"\n" for name in (*RUN_FILES, TEST_INPUT, TEST_OUTPUT)},
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for each test, to see what is unpacked."""
    monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pack(tmp_path):
    write_pack(tmp_path / "mars.zip", FACTS, MEMBERS)
    return tmp_path / "mars.zip"


def rebuilt(pack, replaced=(), *, extra=(), compression=zipfile.ZIP_STORED):
    """Write the pack again, with other content of members, and further members as (ZipInfo or name, content)."""
    with zipfile.ZipFile(pack) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents.update(replaced)
    with zipfile.ZipFile(pack, "w", compression) as archive:
        for name, content in [*contents.items(), *extra]:
            archive.writestr(name, content)


def refused(pack, cache, reason):
    with pytest.raises(RequestError, match=reason) as error:
        open_pack(pack)
    assert error.value.where == str(pack)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_pack_is_unpacked_into_the_cache_once(pack, cache):
    opened = open_pack(pack)
    (folder,) = opened.folders
    assert {path.name for path in folder.iterdir()} == {*RUN_FILES, TEST_INPUT, TEST_OUTPUT}
    assert opened.description["name"] == "mars"
    before = (folder / "plan.toml").stat().st_mtime_ns
    assert open_pack(pack).folders == (folder,)
    assert (folder / "plan.toml").stat().st_mtime_ns == before


def test_what_was_changed_in_the_cache_is_unpacked_again(pack):
    (folder,) = open_pack(pack).folders
    (folder / "network.keras").write_bytes(b"another")
    open_pack(pack)
    assert (folder / "network.keras").read_bytes() == b"\n"


def test_what_another_process_unpacked_meanwhile_stays(pack, monkeypatch):
    """It may already be reading it."""
    (folder,) = open_pack(pack).folders
    before = (folder / "plan.toml").stat().st_ino
    seen, answers = pack_module._is_unpacked, iter([False])
    monkeypatch.setattr(pack_module, "_is_unpacked", lambda *words: next(answers, None) is None and seen(*words))
    with (folder / "plan.toml").open():  # so that no new file can have its number
        assert open_pack(pack).folders == (folder,)
        assert (folder / "plan.toml").stat().st_ino == before


def test_equal_runs_give_equal_packs(pack, tmp_path):
    write_pack(tmp_path / "again.zip", FACTS, MEMBERS)
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_a_run_folder_and_other_files_are_no_pack(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    assert not any(map(is_pack, (tmp_path, tmp_path / "notes.txt", tmp_path / "none", "x" * 5000)))


@pytest.mark.parametrize(
    "name",
    [
        "../leaves.txt",
        "/leaves.txt",
        "runs/1/../../leaves.txt",
        "C:\\leaves.txt",
        "runs/1\\plan.toml",
        "runs/1/plan.toml\0.py",
        "runs/1/plugins/loss.py",
        "runs/1/",
        "conftest.py",
    ],
)
def test_a_name_that_belongs_in_no_pack(pack, cache, name):
    rebuilt(pack, extra=[(zipfile.ZipInfo("x" * len(name)), b"x")])
    pack.write_bytes(pack.read_bytes().replace(b"x" * len(name), name.encode()))  # as zipfile itself changes names
    refused(pack, cache, "which belongs in no pack")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR])
def test_a_link_or_another_thing_that_is_no_file(pack, cache, kind):
    link = zipfile.ZipInfo("runs/1/decoding.json")
    link.external_attr = (kind | 0o777) << 16
    rebuilt(pack, extra=[(link, b"/etc/passwd")])
    refused(pack, cache, "is a link or something other than a file")


def test_a_name_that_occurs_twice(pack, cache):
    with pytest.warns(UserWarning, match="Duplicate name"):
        rebuilt(pack, extra=[("runs/1/plan.toml", b"other")])
    refused(pack, cache, "twice")


def test_a_bomb(pack, cache):
    rebuilt(pack, {"runs/1/metrics.json": bytes(2**24)}, compression=zipfile.ZIP_DEFLATED)
    assert pack.stat().st_size < 2**17
    refused(pack, cache, "is compressed")


def test_a_member_that_overlaps_others_to_be_larger_than_the_file(pack, cache):
    content = bytearray(pack.read_bytes())
    entry = content.rindex(b"runs/1/network.keras") - 46  # its record in the directory
    content[entry + 20 : entry + 28] = struct.pack("<LL", 2**20, 2**20)
    pack.write_bytes(content)
    refused(pack, cache, "more bytes than the archive")


def test_too_many_members_are_refused_before_the_directory_is_read(pack, cache, monkeypatch):
    rebuilt(pack, extra=[(f"x{number}", b"") for number in range(1000)])
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("the directory is read"))
    refused(pack, cache, "it has 1,0.. files; the limit is")


@pytest.mark.parametrize("end", [b"more", b"PK\x05\x06" + bytes(18)])
def test_something_after_the_archive(pack, cache, end):
    pack.write_bytes(pack.read_bytes() + end)
    refused(pack, cache, "This file is not a pack")


def test_every_file_that_is_cut_off(pack, cache):
    whole = pack.read_bytes()
    for length in range(4, len(whole), 97):
        pack.write_bytes(whole[:length])
        refused(pack, cache, "This file is not a pack")


def test_any_other_byte_is_refused_or_changes_nothing(pack):
    whole = pack.read_bytes()
    unpacked = open_pack(pack).description
    refusals = 0
    for place in range(0, len(whole), 3):
        pack.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            assert open_pack(pack).description == unpacked  # such as the time of a member
        except RequestError:
            refusals += 1
    assert refusals > len(whole) / 6


def test_content_of_the_same_size_that_is_not_as_it_was(pack, cache):
    rebuilt(pack, {"runs/1/metrics.json": b" "})
    refused(pack, cache, "runs/1/metrics.json is not as it was when the pack was made")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda facts: facts.pop("files"), "files is missing"),
        (lambda facts: facts.update(schema=2), "schema must be"),
        (lambda facts: facts.update(runs=[]), "runs"),
        (lambda facts: facts["files"].pop("README.md"), "README.md"),
        (lambda facts: facts["runs"].append(RUN), "runs/2/plan.toml is missing"),
        (lambda facts: facts["files"]["runs/1/plan.toml"].update(bytes=5), "has 1 bytes, not 5"),
    ],
)
def test_a_description_that_does_not_fit(pack, cache, change, reason):
    with zipfile.ZipFile(pack) as archive:
        facts = json.loads(archive.read(DESCRIPTION))
    change(facts)
    rebuilt(pack, {DESCRIPTION: json.dumps(facts).encode()})
    refused(pack, cache, reason)


def test_a_description_that_is_nested_without_end(pack, cache):
    rebuilt(pack, {DESCRIPTION: b"[" * 100_000})
    refused(pack, cache, "nested too deeply")


def test_a_zip_file_that_is_no_pack(tmp_path, cache):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("images/a.png", b"x")
    refused(tmp_path / "data.zip", cache, "'images/a.png', which belongs in no pack")


def test_a_plan_with_plugin_files(tmp_path):
    write_pack(tmp_path / "mars.zip", FACTS, MEMBERS | {"runs/1/plan.toml": b'[[plugin]]\nfile = "loss.py"\n'})
    with pytest.raises(RequestError, match="A pack holds no code"):
        open_pack(tmp_path / "mars.zip")


def test_a_pack_is_never_written(pack):
    folder = RunFolder.open(pack)
    assert folder.title == str(pack)
    with pytest.raises(RequestError, match="only read"), folder.claimed():
        pass


def test_a_file_that_no_pack_has_is_not_packed(tmp_path):
    with pytest.raises(RequestError, match=r"has no file 'runs/1/plugins/loss\.py'"):
        write_pack(tmp_path / "mars.zip", FACTS, MEMBERS | {"runs/1/plugins/loss.py": b""})


def test_one_run_is_needed_where_a_pack_has_two(tmp_path):
    members = MEMBERS | {name.replace("/1/", "/2/"): content for name, content in MEMBERS.items()}
    write_pack(tmp_path / "two.zip", FACTS | {"runs": [RUN, RUN]}, members)
    assert [run.title for run in RunFolder.open_all(tmp_path / "two.zip")] == [
        f"{tmp_path / 'two.zip'}, run {number}" for number in (1, 2)
    ]
    with pytest.raises(RequestError, match="The pack has 2 runs; here, one run is needed"):
        RunFolder.open(tmp_path / "two.zip")
