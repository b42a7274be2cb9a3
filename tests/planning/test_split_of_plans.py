"""A plan records which files its split is in, and is refused where they have changed. Keras is not imported."""

from __future__ import annotations

import pytest

from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.files.hashed import file_hash

TEXT = "item,subset\na,train\nb,val\nc,test\n"


@pytest.fixture
def file(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    (tmp_path / "there/s.csv").write_text(TEXT)
    return tmp_path / "there/s.csv"


@pytest.fixture
def planned(file, tmp_path):
    """A plan file that a run on the split has written, in another folder."""
    (tmp_path / "plan.toml").write_text(api.plan(subsets="s.csv").to_toml())
    return tmp_path / "plan.toml"


def test_a_table_is_recorded_with_its_whole_path_and_its_hash(file):
    split = api.plan(subsets="s.csv").split
    assert (split.subsets, split.subsets_hash) == (str(file), file_hash(file))


def test_lists_are_recorded_in_one_form(file):
    for name in "abc":
        file.with_name(name).write_text(name)
    split = api.plan(subsets="test=c, val=b,train=a").split
    assert split.subsets == f"train={file.parent}/a,validation={file.parent}/b,test={file.parent}/c"
    file.with_name("b").write_text("d")
    assert api.plan(subsets=split.subsets).split.subsets_hash != split.subsets_hash


def test_the_plan_is_the_same_wherever_it_is_read_and_without_the_file(file, planned, monkeypatch):
    """Loading a finished network needs its plan, but not the split."""
    monkeypatch.chdir(planned.parent)
    file.unlink()
    assert api.plan(planned).to_toml() == planned.read_text()


def test_other_files_do_not_keep_the_hash(file, planned):
    file.with_name("t.csv").write_text(TEXT + "d,test\n")
    assert api.plan(planned, subsets="t.csv").split.subsets_hash == file_hash(file.with_name("t.csv"))
    assert api.plan(planned, subsets="drawn").split.subsets_hash is None
    assert api.plan(planned, overrides=["split.seed=1"]).split.subsets_hash == file_hash(file)


def test_a_changed_file_is_refused_until_it_is_named_again(cli, file, planned):
    file.write_text(TEXT.replace("a,train", "a,test"))
    answer = cli("run", "--plan", str(planned), "--dry-run")
    assert answer.code == 2
    assert "The split has changed since the plan was made." in answer.err
    assert "--split RUN" in answer.err
    for words in (["--split", str(file)], ["--set", "split.subsets_hash=none"]):
        answer = cli("run", "--plan", str(planned), *words, "--dry-run")
        assert answer.code == 0
        assert f"split.subsets_hash\t{file_hash(file)}\t" in answer.out
    with pytest.raises(RequestError, match="The split has changed"):
        api.run(planned)


def test_a_file_that_is_gone_is_refused_where_it_is_needed(cli, file, planned):
    file.unlink()
    answer = cli("run", "--plan", str(planned), "--dry-run")
    assert answer.code == 2
    assert "The split cannot be read: No such file or directory." in answer.err
    assert "--split RUN" in answer.err


def test_an_older_plan_has_no_hash_and_stays_readable(file, planned):
    older = [line for line in planned.read_text().splitlines() if not line.startswith("subsets_hash")]
    planned.write_text("\n".join(older))
    planned.with_name("split.json").touch()  # a run wrote the plan
    assert api.plan(planned).split.subsets_hash == file_hash(file)
    file.unlink()
    assert api.plan(planned).split.subsets_hash is None


@pytest.mark.parametrize("content", [None, "item,subset\na,trian\n", "a\nb\n"])
def test_a_file_that_is_no_split_is_refused_when_the_plan_is_made(cli, file, content):
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(RequestError):
        api.plan(subsets="s.csv")
    assert cli("run", "--split", str(file), "--dry-run").code == 2


def test_a_hash_needs_a_file():
    with pytest.raises(RequestError, match="subsets_hash needs a file in subsets"):
        api.plan(overrides=["split.subsets_hash=abc"])
