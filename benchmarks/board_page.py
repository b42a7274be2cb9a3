"""Measure the page of `marsseg board` over many runs: its size, and the time that Chromium takes to open and to use it.

    python benchmarks/board_page.py [--runs 1000] [--epochs 30] [--rounds 5]

The runs are made up: five seeds of each plan, with the files that a board reads. Each round opens the page in a new
Chromium without a window. Opening ends when the whole page is laid out; then the table is sorted and filtered five
times. The times are medians, without the painting of the picture on a screen.
"""

import argparse
import csv
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from growing.runs import history_rows, write_runs

SEEDS = 5
TIMES = 5

# What a reader does, and the milliseconds until the page is laid out again.
SCRIPT = """<script>
{
  const laidOut = () => document.body.offsetHeight;
  const taken = (work) => { const begin = performance.now(); work(); laidOut(); return performance.now() - begin; };
  laidOut();
  const opened = performance.now();
  const score = document.querySelector("#head th[aria-sort=descending] button");
  const field = document.getElementById("filter");
  const filter = (words) => { field.value = words; field.dispatchEvent(new Event("input")); };
  const times = [...Array(TIMES).keys()];
  const sorted = times.map(() => taken(() => score.click()));
  const filtered = times.map((time) => taken(() => filter(`run-${time}`)));
  console.log(`measured ${JSON.stringify({ opened: [opened], sorted, filtered })}`);
}
</script></body>"""


def make(folder, count, epochs):
    """Write made-up runs, and return their folder."""
    runs = write_runs(folder, count, plans=max(1, count // SEEDS))
    rows = [row | {"seconds": 2.0} for row in history_rows(epochs)]
    for run in runs.iterdir():
        with (run / "history.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return runs


def opened(chromium, page):
    """Open a page once, and return the milliseconds of each step."""
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    answer = subprocess.run([*words, page.as_uri()], capture_output=True, encoding="utf-8", check=True, timeout=300)
    found = re.search(r"measured (\{.*?\})", answer.stderr)
    if found is None:
        sys.exit(f"The page was not measured: {answer.stderr}")
    return json.loads(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")

    from marsseg_core.experiments.board import read_board
    from marsseg_core.figures.board import board_page

    with tempfile.TemporaryDirectory() as folder:
        runs = make(Path(folder), options.runs, options.epochs)
        start = time.perf_counter()
        text = board_page(read_board(runs))
        written = time.perf_counter() - start
        page = runs / "board.html"
        page.write_text(text.replace("</body>", SCRIPT.replace("TIMES", str(TIMES))), encoding="utf-8")
        rounds = [opened(chromium, page) for _ in range(options.rounds)]
    version = subprocess.run([chromium, "--version"], capture_output=True, encoding="utf-8", check=True).stdout
    print(
        f"{options.runs:,} runs of {options.epochs} epochs: {len(text.encode()) / 1e6:.1f} MB, made in {written:.1f} s"
    )
    for step in rounds[0]:
        seconds = statistics.median(milliseconds for each in rounds for milliseconds in each[step]) / 1000
        print(f"{step} in {seconds:.2f} s")
    print(version.strip())


if __name__ == "__main__":
    main()
