"""Draw a network as a diagram of blocks and the connections between them.

Layers whose names begin with the same word, up to the first underscore, form a block: `encoder1_conv1` belongs to
`encoder1`. An encoder that is chosen by name is divided at the feature maps that it hands on. The lower the resolution
of a block's feature map, the lower its row in the drawing. The longer the path from the input to a block, the further
right its column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import keras
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ..files.waiting import waiting
from .graph import Call, calls

INK = "#222222"
# The colours of arrows to the next column, and of arrows that skip columns.
FLOW, SKIP = "#222222", "#0072b2"
ENCODER = "encoder"
FACES = {ENCODER: "#dbe9f6", "decoder": "#fde3cf", "bottleneck": "#e3f1db", "other": "#f1f1f1"}


@dataclass(eq=False)
class Block:
    """A group of layers whose names begin with the same word.

    Attributes:
        name: the common beginning of the layers' names
        shape: the shape (h, w, c) of the block's last output
        sources: the blocks whose outputs this block takes
        column: the number of blocks on the longest path from the input
    """

    name: str
    shape: tuple[int, ...] = ()
    sources: list[Block] = field(default_factory=list)
    column: int = 0


def blocks_of(network: keras.Model) -> list[Block]:
    """Return the network's blocks in the order of computation, the input first.

    Only layers with weights form blocks. Layers without weights (pooling, upsampling, merging) are part of the arrows.
    """
    source = network.inputs[0]
    start = Block(source.name, tuple(source.shape[1:]))
    blocks: dict[str, Block] = {}
    producers: dict[int, list[Block]] = {}  # tensor → the blocks that it comes from
    recorded = calls(network)
    stages = _encoder_stages(recorded)
    names = {id(call): stages.get(id(call), block_name(call.layer.name)) for call in recorded}
    names_with_weights = {names[id(call)] for call in recorded if call.layer.weights}
    for call in recorded:
        name = names[id(call)]
        # `calls` clones the network, with new input tensors: a tensor without a producer is the input.
        sources = [block for tensor in call.inputs for block in producers.get(id(tensor), [start])]
        if name in names_with_weights:
            block = blocks.setdefault(name, Block(name))
            block.sources += [b for b in dict.fromkeys(sources) if b is not block and b not in block.sources]
            block.shape = tuple(call.outputs[0].shape[1:])
            sources = [block]
        for tensor in call.outputs:
            producers[id(tensor)] = list(dict.fromkeys(sources))
    ordered = [start, *blocks.values()]
    positions = {id(block): position for position, block in enumerate(ordered)}
    for block in ordered:
        earlier = [source for source in block.sources if positions[id(source)] < positions[id(block)]]
        block.column = max((source.column + 1 for source in earlier), default=0)
    return ordered


def block_name(layer_name: str) -> str:
    """Return the name of the block that a layer belongs to: the layer's name up to the first underscore.

    For a bottleneck, the next word is added: `bottleneck2_aspp_conv` belongs to `bottleneck2 aspp`.
    """
    first, _, rest = layer_name.partition("_")
    return f"{first} {rest.partition('_')[0]}" if first.startswith("bottleneck") and rest else first


def _encoder_stages(recorded: list[Call]) -> dict[int, str]:
    """Return the name of the block of each call of the encoder, by the call's id: `encoder1` up to the first map.

    A stage is what is computed for a feature map that the encoder hands on, and not yet for an earlier one.
    """
    encoder = [call for call in recorded if block_name(call.layer.name) == ENCODER]
    producers = {id(tensor): call for call in encoder for tensor in call.outputs}
    inside = {id(call) for call in encoder}
    taken = {id(tensor) for call in recorded if id(call) not in inside for tensor in call.inputs}
    handed_on = [call for call in encoder if any(id(tensor) in taken for tensor in call.outputs)]
    stages: dict[int, str] = {}
    for number, last in enumerate(handed_on, 1):
        open_calls = [last]
        while open_calls:
            call = open_calls.pop()
            if id(call) not in stages:
                stages[id(call)] = f"{ENCODER}{number}"
                open_calls += [producers[id(tensor)] for tensor in call.inputs if id(tensor) in producers]
    return stages


@waiting("Drawing the network")
def draw(network: keras.Model, target: Path | BinaryIO, title: str) -> None:
    """Write the drawing of a network to the PNG file `target`, which may be open."""
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
    """Return the row of each block by its id: its level, plus 0.5 for each block already there in its column."""
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
    is_next = block.column - source.column == 1
    arrow = FancyArrowPatch(
        (source.column + 0.42, rows[id(source)]),
        (block.column - 0.42, rows[id(block)]),
        arrowstyle="-|>",
        mutation_scale=8,
        linewidth=1.2 if is_next else 0.9,
        color=FLOW if is_next else SKIP,
        alpha=1.0 if is_next else 0.75,
        zorder=0,
    )
    axes.add_patch(arrow)
