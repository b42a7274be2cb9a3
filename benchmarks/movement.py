"""Show how much each weighting changes the weights of two losses in a short training on real tiles.

    python benchmarks/movement.py $MARSSEG_TILES [--limit 400] [--epochs 5]

The table has, for each weighting, the share of the weight of `wssce` in the weights of `wssce` and `dice`, for each
epoch. All begin at one half.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import marsseg

RULES = (
    "uncertainty",
    "gradnorm",
    "dwa",
    "dwa:temperature=0.2",
    "softadapt",
    "softadapt:beta=0.1:normalised=false",
    "relobralo",
    "relobralo:alpha=0.999:rho=1",
)


def shares(rule: str, tiles: str, limit: int, epochs: int, out: Path) -> list[float]:
    """Return the share of the weight of the first loss in each epoch."""
    run = marsseg.run(
        arch="unet:width=0.25",
        loss="wssce,dice",
        weighting=rule,
        data=f"npz:path={tiles}:limit={limit}",
        epochs=epochs,
        out=out,
    )
    weights = [(row["weight_wssce"] or 0.0, row["weight_dice"] or 0.0) for row in run.history]
    return [first / (first + second) for first, second in weights]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tiles")
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, rule in enumerate(RULES):
            shares_of_rule = shares(rule, options.tiles, options.limit, options.epochs, Path(folder) / str(number))
            rows.append(f"| `{rule}` | {' | '.join(f'{100 * share:.1f}' for share in shares_of_rule)} |")
    print(f"| weighting | {' | '.join(f'epoch {n}' for n in range(1, options.epochs + 1))} |")
    print(f"|---|{'--:|' * options.epochs}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
