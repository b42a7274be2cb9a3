"""A check runs code in a process that has nothing of this one, nor of the checks before."""

import sys

import pytest

from marsseg_core.testing.processes import Server, fresh_keras

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")


@pytest.fixture(scope="module")
def server():
    return Server()


class TestCopies:
    def test_have_what_the_process_imported(self, server):
        server.run("import colorsys")
        server.run("import sys; assert 'colorsys' in sys.modules", copy=True)

    def test_leave_nothing_behind(self, server):
        server.run("import sys; sys.known = True", copy=True)
        server.run("import sys; assert not hasattr(sys, 'known')", copy=True)

    def test_get_words(self, server, tmp_path):
        server.run("import sys; open(sys.argv[1], 'w').write(sys.argv[2])", str(tmp_path / "answer"), "!", copy=True)
        assert (tmp_path / "answer").read_text() == "!"

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("1 / 0", "ZeroDivisionError"),
            ("raise SystemExit('ended')", "SystemExit: ended"),
            ("import os; os._exit(3)", "ended with 3"),
            ("import os; os.abort()", "ended with -6"),
        ],
    )
    def test_tell_what_failed(self, server, code, message):
        with pytest.raises(AssertionError, match=message):
            server.run(code, copy=True)
        server.run("pass", copy=True)


def test_a_fresh_process_with_keras_has_no_layers_of_this_one(tmp_path):
    import keras

    @keras.saving.register_keras_serializable("mine")
    class Mine(keras.layers.Layer):
        pass

    network = keras.Sequential([keras.Input((2,)), Mine()])
    network.save(tmp_path / "network.keras")
    code = "import sys, keras; keras.saving.load_model(sys.argv[1], compile=False)"
    with pytest.raises(AssertionError, match="Could not locate class 'Mine'"):
        fresh_keras(code, str(tmp_path / "network.keras"))


def test_a_fresh_process_with_keras_finds_what_this_one_finds(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("import keras\n")
    monkeypatch.syspath_prepend(tmp_path)
    fresh_keras("import only_here")
