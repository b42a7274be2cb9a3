"""A drawing of a network: its blocks at their levels, and what flows between them.

Layers are gathered into blocks by the beginning of their names, up to the first underscore: `encoder1_conv1` is part of
`encoder1`. A block stands as deep as its map is coarse, and as far right as the longest way to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .graph import calls

INK = "#222222"
# Paths that go on from block to block, and those that skip some.
FLOW, SKIP = "#222222", "#0072b2"
FACES = {"encoder": "#dbe9f6", "decoder": "#fde3cf", "bottleneck": "#e3f1db", "other": "#f1f1f1"}


@dataclass(eq=False)
class Block:
    """Some layers that share the beginning of their names. `shape` is that of its last output (h, w, c)."""

    name: str
    shape: tuple[int, ...] = ()
    sources: list[Block] = field(default_factory=list)
    column: int = 0


def blocks_of(network: keras.Model) -> list[Block]:
    """The network's blocks in the order of computation, the input first.

    Only what learns is a block: pooling, upsampling and merging are lines of the drawing.
    """
    source = network.inputs[0]
    start = Block(source.name, tuple(source.shape[1:]))
    learning = {block_name(layer.name) for layer in network.layers if layer.weights}
    blocks: dict[str, Block] = {}
    makers: dict[int, list[Block]] = {}
    for call in calls(network):
        name = block_name(call.layer.name)
        # A clone's input is a tensor of its own: what nobody made is the input.
        origins = [block for tensor in call.inputs for block in makers.get(id(tensor), [start])]
        if name in learning:
            block = blocks.setdefault(name, Block(name))
            block.sources += [b for b in dict.fromkeys(origins) if b is not block and b not in block.sources]
            block.shape = tuple(call.outputs[0].shape[1:])
            origins = [block]
        for tensor in call.outputs:
            makers[id(tensor)] = list(dict.fromkeys(origins))
    ordered = [start, *blocks.values()]
    place = {id(block): position for position, block in enumerate(ordered)}
    for block in ordered:
        earlier = [s for s in block.sources if place[id(s)] < place[id(block)]]
        block.column = max((s.column + 1 for s in earlier), default=0)
    return ordered


def block_name(layer_name: str) -> str:
    """The part of a layer's name up to the first underscore; of a bottleneck, the position and the kind after it."""
    first, _, rest = layer_name.partition("_")
    return f"{first} {rest.partition('_')[0]}" if first.startswith("bottleneck") and rest else first


def draw(network: keras.Model, target: Path, title: str) -> None:
    """Write the drawing as a PNG."""
    blocks = blocks_of(network)
    rows = _rows(blocks, network)
    columns, depth = max(block.column for block in blocks) + 1, max(rows.values()) + 1
    figure = Figure(figsize=(max(6.0, 1.25 * columns + 0.5), 0.95 * depth + 0.8), dpi=110)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.9))
    axes.set_axis_off()
    axes.set_xlim(-0.7, columns - 0.3)
    axes.set_ylim(depth - 0.4, -0.6)
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    for block in blocks:
        for source in block.sources:
            _arrow(axes, source, block, rows)
    for block in blocks:
        _box(axes, block, rows[id(block)])
    figure.savefig(target, format="png", metadata={"Software": None})


def _rows(blocks: list[Block], network: keras.Model) -> dict[int, float]:
    """How far down each block stands: its level, and a little further where two would lie on each other."""
    height = network.inputs[0].shape[1]
    rows: dict[int, float] = {}
    taken: set[tuple[int, float]] = set()
    level = 0.0
    for block in blocks:
        if len(block.shape) == 3 and block.shape[0]:
            level = round(math.log2(max(1.0, height / block.shape[0])))
        row = level
        while (block.column, row) in taken:
            row += 0.5
        taken.add((block.column, row))
        rows[id(block)] = row
    return rows


def _box(axes: Any, block: Block, row: float) -> None:
    kind = next((kind for kind in FACES if kind in block.name), "other")
    box = FancyBboxPatch(
        (block.column - 0.38, row - 0.2), 0.76, 0.4, boxstyle="round,pad=0.03", facecolor=FACES[kind], edgecolor=INK
    )
    axes.add_patch(box)
    label = block.name.rpartition(" ")[2]
    axes.text(block.column, row - 0.06, label, ha="center", va="center", fontsize=7.5, color=INK)
    shape = "×".join(map(str, block.shape))
    axes.text(block.column, row + 0.1, shape, ha="center", va="center", fontsize=6.5, color=INK)


def _arrow(axes: Any, source: Block, block: Block, rows: dict[int, float]) -> None:
    next_door = block.column - source.column == 1
    arrow = FancyArrowPatch(
        (source.column + 0.42, rows[id(source)]),
        (block.column - 0.42, rows[id(block)]),
        arrowstyle="-|>",
        mutation_scale=8,
        linewidth=1.2 if next_door else 0.9,
        color=FLOW if next_door else SKIP,
        alpha=1.0 if next_door else 0.75,
        zorder=0,
    )
    axes.add_patch(arrow)
