"""Damage files: their bytes, their lines, the values of JSON and TOML, the members of zip archives."""

from __future__ import annotations

import copy
import io
import json
import random
import re
import tomllib
import zipfile
from collections.abc import Callable
from typing import Any

import tomli_w

EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f")

# Texts that json.dumps cannot write. They replace the marked strings in its result.
RAW = ("9" * 5000, "-1" + "0" * 400, "1e999", "NaN", "-Infinity", "[" * 40 + "]" * 40, "[" * 100_000, '{"a":' * 3000)
MARK = "@@raw"

# Values in place of the right one, for JSON and for TOML.
PLAIN: tuple[Any, ...] = (
    *(True, False, 0, -1, 1, 2**31, 2**63, 2**70, -(2**80), 0.5, -0.0, 1e308, 5e-324, [], {}, [[]], [{}], {"": 1}),
    *(
        "",
        "x",
        "none",
        "\x00",
        "../..",
        "/dev/zero",
        "é" * 300,
        "a" * 5000,
        "nan",
        "1e999",
        ",",
        ":",
        "unet:",
        [1, "a"],
    ),
)
JSON_ONLY = (None, "\ud800", *(f"{MARK}{number}" for number in range(len(RAW))))
DEEP_TOML = ("a." * 20_000 + "a=1", "[" + "a." * 100 + "a]", "a=" + "[" * 5000, "a={" * 5000, '"a".' * 50 + "b=1")
TOML_ONLY = (float("nan"), float("inf"), 10**400)


def damaged(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return the file with one to six faults: bytes changed, inserted, deleted, cut off or copied from another."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        place = rng.randint(0, len(data))
        # Put half of the faults near the ends, where the structures of most formats are.
        if rng.random() < 0.5:
            place = min(place, rng.randrange(80)) if rng.random() < 0.5 else max(0, len(data) - place % 120)
        fault = rng.randrange(7)
        if fault == 0:
            data[place : place + 1] = rng.randbytes(1)
        elif fault == 1:
            edge = rng.choice(EDGES)
            data[place : place + len(edge)] = edge
        elif fault == 2:
            data[place:place] = rng.randbytes(rng.randint(1, 8))
        elif fault == 3:
            del data[place : place + rng.randint(1, 8)]
        elif fault == 4 and rng.random() < 0.3:
            del data[place:]
        elif fault == 5 and other:
            start = rng.randrange(len(other))
            data[place : place + 16] = other[start : start + 16]
        else:
            data[place : place + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in data[place : place + 1])
    return bytes(data)


def with_other_lines(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a text with lines dropped, repeated, swapped or taken from another file."""
    lines, others = content.split(b"\n"), other.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(lines)) if lines else 0
        fault = rng.randrange(4)
        if fault == 0 and lines:
            del lines[place]
        elif fault == 1 and lines:
            lines.insert(rng.randint(0, len(lines)), lines[place])
        elif fault == 2 and lines:
            target = rng.randrange(len(lines))
            lines[place], lines[target] = lines[target], lines[place]
        else:
            lines.insert(place, rng.choice(others))
    return b"\n".join(lines)


def _containers(value: Any) -> list[Any]:
    """Return all tables and lists in a value that are not empty."""
    found, waiting = [], [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict | list) and each:
            found.append(each)
            waiting += each.values() if isinstance(each, dict) else each
    return found


def mutate_value(rng: random.Random, value: Any, odd: tuple[Any, ...]) -> Any:
    """Change one to three values of a JSON or TOML value: replace, drop, repeat, rename, wrap or swap; return it."""
    for _ in range(rng.randint(1, 3)):
        containers = _containers(value)
        if not containers or rng.random() < 0.02:
            return copy.deepcopy(rng.choice(odd))
        container = rng.choice(containers)
        key = rng.choice([*container]) if isinstance(container, dict) else rng.randrange(len(container))
        fault = rng.randrange(8)
        if fault <= 2:
            container[key] = copy.deepcopy(rng.choice(odd))
        elif fault == 3:
            del container[key]
        elif fault == 4:
            container[key] = rng.choice(([container[key]], {"a": container[key]}, {str(key): container[key]}))
        elif fault == 5:
            source = rng.choice(containers)
            taken = rng.choice([*source.values()] if isinstance(source, dict) else source) if source else None
            container[key] = copy.deepcopy(taken) if taken is not None else rng.choice(odd)
        elif isinstance(container, dict):
            name = rng.choice(("", "x", "\x00", "a.b", "é" * 100, str(key).upper(), f"{key} ", "parts", "__class__"))
            container[name] = container.pop(key) if fault == 6 else copy.deepcopy(container[key])
        else:
            container[key:key] = [copy.deepcopy(container[key])] * rng.choice((1, 2, 50))
    return value


def mutate_json(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a damaged JSON file; in nine of ten cases it is still JSON, or nearly."""
    if rng.random() < 0.1:
        return damaged(rng, content, other)
    try:
        value = json.loads(rng.choice((content, content, content, other)))
    except (ValueError, RecursionError):  # it was damaged before
        return damaged(rng, content, other)
    text = json.dumps(mutate_value(rng, value, PLAIN + JSON_ONLY))
    if MARK in text:
        text = re.sub(rf'"{MARK}(\d)"', lambda match: RAW[int(match[1])], text)
    if rng.random() < 0.03:  # a key twice
        text = re.sub(r'("\w+": )', r"\1null, \1", text, count=1)
    return text.encode()


def mutate_toml(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a damaged TOML file; in two of three cases it is still TOML."""
    if rng.random() < 0.15:
        return damaged(rng, content, other)
    if rng.random() < 0.15:
        return with_other_lines(rng, content, other)
    try:
        text = tomli_w.dumps(mutate_value(rng, tomllib.loads(content.decode()), PLAIN + TOML_ONLY))
    except (TypeError, ValueError, AttributeError):  # no value of TOML
        return damaged(rng, content, other)
    if rng.random() < 0.03:
        text += rng.choice(
            ("a." * 20_000 + "a=1", "[" + "a." * 100 + "a]", "a=" + "[" * 5000, "a={" * 5000, '"a".' * 50 + "b=1")
        )
    return text.encode()


def members(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archived(contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive with correct checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def mutate_archive(
    rng: random.Random, content: bytes, other: bytes, mutate: Callable[[random.Random, str, bytes], bytes]
) -> bytes:
    """Return a damaged archive: its own bytes, or its members, which then have correct checksums."""
    if rng.random() < 0.3:
        return damaged(rng, content, other)
    contents = members(content)
    name = rng.choice([*contents])
    fault = rng.random()
    if fault < 0.1:
        del contents[name]
    elif fault < 0.2:
        contents[name + rng.choice(("x", "/", "\x01"))] = contents.pop(name)
    elif fault < 0.3:
        contents[name] = rng.choice([*contents.values()])
    else:
        for _ in range(rng.randint(1, 3)):
            name = rng.choice([*contents])
            contents[name] = mutate(rng, name, contents[name])
    return archived(contents, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
