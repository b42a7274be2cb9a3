"""Run the fast tests with the lowest and with the newest versions of the dependencies that pyproject.toml allows.

    python .ci/versions.py [lowest] [newest]

Each runs in a new environment, which is removed afterwards. The exit code is 1 if one of them fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadscope", "-m", "not slow")
ENDS = ("lowest", "newest")


def dependencies() -> dict[str, str]:
    """Return the run-time dependencies of marsseg, with the lower bound of each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    matches = [re.match(r"([\w-]+)>=([\w.]+)", text) for text in project["dependencies"]]
    return {bound[1]: bound[2] for bound in matches if bound}


def passes(end: str) -> bool:
    with tempfile.TemporaryDirectory(prefix=f"marsseg-{end}-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        bounds = Path(folder) / "bounds.txt"
        pins = [f"{name}=={version}" for name, version in dependencies().items()] if end == "lowest" else []
        bounds.write_text("\n".join(pins))
        subprocess.run([python, "-m", "pip", "install", "-q", "-c", str(bounds), "-e", ".[dev]"], cwd=ROOT, check=True)
        print(f"{end}: {', '.join(installed(python))}", flush=True)
        return subprocess.run([python, *TESTS], cwd=ROOT, check=False).returncode == 0


def installed(python: str) -> list[str]:
    code = "import importlib.metadata as m, sys; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep='\\n')"
    answer = subprocess.run([python, "-c", code, *dependencies()], check=True, capture_output=True, text=True)
    return answer.stdout.splitlines()


def main() -> None:
    ends = sys.argv[1:] or list(ENDS)
    if unknown := [end for end in ends if end not in ENDS]:
        sys.exit(f"Unknown argument '{unknown[0]}': use {' or '.join(ENDS)}.")
    results = {end: passes(end) for end in ends}
    for end, passed in results.items():
        print(f"{end}: the fast tests {'pass' if passed else 'FAIL'}")
    sys.exit(not all(results.values()))


if __name__ == "__main__":
    main()
