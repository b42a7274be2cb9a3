"""Make the pictures of components: what `marsseg show --plot` and `--preview` draw, as small files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Final

from PIL import Image

from marsseg_core.cli import network
from marsseg_core.cli.preview import draw_preview
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import ARCHITECTURE, AUGMENTATION, BOTTLENECK, ENCODER, RECIPE
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of
from marsseg_core.registry.session import Session, open_session

# The architecture that shows encoders and bottlenecks, and the encoder of architectures that need one.
BESIDE: Final = "unet"
INSIDE: Final = "efficientnet_lite0"
SIZE, CLASSES = "64x128x1", 5
TILES: Final = 2
DATA: Final = "synthetic:count=60"


@dataclass(frozen=True)
class Picture:
    """A picture of the site.

    Attributes:
        path: its file in the site
        content: the bytes of the file
        width: its width in pixels
        height: its height in pixels
        alt: what it shows, in words
        caption: Markdown to read below it
    """

    path: str
    content: bytes
    width: int
    height: int
    alt: str
    caption: str

    def markdown(self, root: str, target: str = "") -> str:
        """Return Markdown that shows the picture, and leads to `target`, or to the picture in full size.

        `root` is the way from the page to the first folder of the site.
        """
        size = f"{{ loading=lazy width={self.width} height={self.height} }}"
        return f"[![{self.alt}]({root}{self.path}){size}]({target or root + self.path})"

    def figure(self, root: str) -> str:
        """Return Markdown of the picture with its caption."""
        return (
            f'<figure markdown="span">\n{self.markdown(root)}\n'
            f'<figcaption markdown="span">{self.caption}</figcaption>\n</figure>\n'
        )


@cache
def picture_of(entry: Entry) -> Picture | None:
    """Make the picture of a component; None for a component that `show` cannot draw alone.

    It is made once, although `mkdocs serve` asks for it again after each change of a page.
    """
    session = open_session()
    if entry.kind == AUGMENTATION:
        return preview(entry, session)
    if entry.kind in (ENCODER, BOTTLENECK):
        parts = {entry.kind.option: entry.name}
        (beside,) = session.catalog.named(BESIDE, [ARCHITECTURE])
        return drawing(entry, beside, parts, session)
    if entry.kind == ARCHITECTURE:
        cls = load(entry)
        if any(parameter.required for parameter in parameters_of(cls).values()):
            return None
        return drawing(entry, entry, {"encoder": INSIDE} if cls.needs_encoder else {}, session)
    return drawing(entry, entry, {}, session) if entry.kind == RECIPE else None


def drawing(entry: Entry, built: Entry, parts: dict[str, str], session: Session) -> Picture:
    """Draw the network of the architecture or recipe `built`, with the given parts, for the section of an entry."""
    title = ", ".join([built.name, *parts.values()])
    built_network = network.build(built, built.name, parts, SIZE, CLASSES, session)
    from marsseg_core.networks.drawing import draw  # once Keras is loaded, without the messages of its backend

    content = BytesIO()
    draw(built_network, content, title)
    options = "".join(f" --{option} {name}" for option, name in parts.items())
    alt = f"The blocks of the network {title} from the images to the logits, with their sizes and connections"
    return picture(entry, content, alt, f"`marsseg show {built.name}{options} --plot {file_name(entry)}.png`")


def preview(entry: Entry, session: Session) -> Picture:
    """Draw tiles before and after an augmentation."""
    content = BytesIO()
    text = f"{entry.name}:p=1"
    draw_preview(text, DATA, session, content, tiles=TILES)
    alt = f"Two tiles, alone and with their labels: before {entry.name}, and two draws after it"
    return picture(entry, content, alt, f"`marsseg show {text} --preview {file_name(entry)}.png`")


def picture(entry: Entry, content: BytesIO, alt: str, caption: str) -> Picture:
    """Return a picture without loss in a small file."""
    with Image.open(content) as image:
        small = BytesIO()
        image.convert("RGB").save(small, format="webp", lossless=True)
        path = f"pictures/{entry.kind.plural}/{file_name(entry)}.webp"
        return Picture(path, small.getvalue(), *image.size, alt, caption)


def file_name(entry: Entry) -> str:
    """Return the name of an entry as it can stand in any address."""
    return entry.name.replace("+", "plus")
