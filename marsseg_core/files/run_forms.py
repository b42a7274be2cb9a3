"""The forms of the JSON files in run folders and series, and what to do where one of them is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .documents import Document
from .schema import Form, Items, Nothing, Number, OneOf, Table, Text, Truth

_COUNT: Final = Number(0, whole=True)
_NUMBER: Final = Number()
_TEXTS: Final = Items(Text())


def _or_null(form: Form) -> OneOf:
    return OneOf(form, Nothing())


_BY_CLASS: Final = Table(others=_or_null(_NUMBER))

# The scores of one subset. Each metric of a plugin adds a key, so a score is checked against the bounds of its metric
# where it is compared (`runs/records.py`).
_SCORES: Final = Table(
    optional={
        "images": _COUNT,
        **dict.fromkeys(("miou", "miou_an2dl", "miou_all", "miou_per_image", "accuracy"), _or_null(_NUMBER)),
        "iou": _BY_CLASS,
        "support": Table(others=_COUNT),
        "confusion": Items(Items(_COUNT)),
        "per_class": Table(others=_BY_CLASS),
    }
)

# Schema 1, of version 0.1.0, has "parts" for "subsets".
_METRICS: Final = Table(
    required={"status": Text(), "subsets": Table(others=_SCORES)},
    optional={
        "epochs": _COUNT,
        "best_epoch": _or_null(Number(1, whole=True)),
        "best_by": Text(),
        "kept": Text(("last",)),
        "transductive": Truth(),
        "decoding": Text(("argmax", "offsets", "shares")),
        "argmax": Table(others=_SCORES),
    },
    renamed={"parts": "subsets"},
)

_DECODING: Final = Table(
    required={"network": Text(), "offsets": Table(others=_NUMBER)},
    optional={
        "subset": Text(("validation",)),
        "blocks": _COUNT,
        "images": _COUNT,
        "shares": Table(others=Number(0, 1)),
        "moves": Items(Table(required={"class": Text(), "offset": _NUMBER, "gain": _NUMBER, "share": Number(0, 1)})),
    },
)

SCALING: Final = Table(
    required={
        "low": _NUMBER,
        "high": _NUMBER,
        "numbers": Text(("bytes", "integers", "floats")),
        "per": Text(("set", "image")),
    }
)
"""Describe how the values of images became 0…255."""

_UNLABELLED: Final = Table(
    required={
        "source": Text(),
        "images": _COUNT,
        "held_out": _COUNT,
        "transductive": Truth(),
        "fingerprint": Text(),
    },
    optional={"hashes": _TEXTS},
)

_SPLIT: Final = Table(
    required={
        "fingerprint": Text(),
        "source": Text(),
        "classes": Items(Text(), least=1),
        "ignored": Items(_COUNT),
        "train": Items(_COUNT),
        "validation": Items(_COUNT),
        "test": Items(_COUNT),
    },
    optional={
        "scaling": _or_null(SCALING),
        "names": _or_null(_TEXTS),
        "origin": Text(("drawn", "given", "file")),
        "colours": Items(Items(Number(0, 255, whole=True), least=3)),
        "unlabelled": _UNLABELLED,
    },
)

_CLEANING: Final = Table(
    required={
        "options": Table(),
        "items": _COUNT,
        "remaining": _COUNT,
        "dropped_aliens": Items(Items(_COUNT)),
        "dropped_duplicates": Items(Table(required={"kept": _COUNT, "dropped": Items(_COUNT)})),
        "filled_pixels": Table(others=_COUNT),
    }
)

_ENVIRONMENT: Final = Table(
    required={"versions": Table(others=Text())},
    optional={"backend": Text(), "devices": _TEXTS, "threads": _COUNT, "command": _TEXTS, "keras": Table()},
)

_MANIFEST: Final = Table(required={"files": Table(others=Items(Text()))})

_SPREAD: Final = Table(required={"mean": _NUMBER, "std": _or_null(_NUMBER), "n": Number(1, whole=True)})

_SUMMARY: Final = Table(
    required={
        "series": Text(),
        "status": Text(),
        "runs": Table(others=_or_null(Text())),
        "subsets": Table(others=Table(others=_or_null(_SPREAD))),
    },
    optional={"transductive": Truth()},
    renamed={"parts": "subsets"},
)

_RESTORE: Final = "Restore the file from a copy, or train again: marsseg run --plan {folder}"

DOCUMENTS: Final[Mapping[str, Document]] = {
    "metrics.json": Document(
        _METRICS, "Remove the file; `marsseg run --resume {folder}` then scores the network again and writes it."
    ),
    "decoding.json": Document(
        _DECODING, "Restore the file from a copy, or decode without its offsets: --decoding argmax"
    ),
    "split.json": Document(_SPLIT, _RESTORE),
    "cleaning.json": Document(_CLEANING, _RESTORE),
    "environment.json": Document(_ENVIRONMENT, _RESTORE),
    "manifest.json": Document(
        _MANIFEST,
        "Restore the file from a copy. Without it, marsseg cannot tell whether files of the run have changed.",
    ),
    "summary.json": Document(_SUMMARY),
}

# The progress in a checkpoint. Infinite numbers, which JSON lacks, are stored as texts.
PROGRESS: Final = Table(
    required={
        "epoch": Number(1, whole=True),
        "history": Items(Table(required={"epoch": Number(1, whole=True)}, others=_or_null(_NUMBER))),
        "best_epoch": _or_null(Number(1, whole=True)),
        "best_score": _or_null(_NUMBER),
        "callbacks": Table(others=Table(others=OneOf(_NUMBER, Truth(), Text(("inf", "-inf", "nan"))))),
    },
    optional={"best_by": Text(), "network_hash": _or_null(Text())},
)
