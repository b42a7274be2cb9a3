"""A picture of the site: a small file, and how a page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from marsseg_core.registry.entries import Entry


@dataclass(frozen=True)
class Picture:
    """A picture of the site.

    Attributes:
        path: its file in the site
        content: the bytes of the file
        width: the width at which a page shows it, where there is room
        height: the height that goes with it
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


def picture(name: str, content: BytesIO, alt: str, caption: str, *, density: int = 1) -> Picture:
    """Return a picture called `name`, such as losses/dice, without loss in a small file.

    A page shows `density` pixels of it, across and down, in the place of one.
    """
    with Image.open(content) as image:
        small = BytesIO()
        # A third larger than the smallest file, in a third of the time.
        image.convert("RGB").save(small, format="webp", lossless=True, method=1, quality=20)
        width, height = image.width // density, image.height // density
        return Picture(f"pictures/{name}.webp", small.getvalue(), width, height, alt, caption)


def name_of(entry: Entry) -> str:
    """Return the name of the picture of a component."""
    return f"{entry.kind.plural}/{file_name(entry)}"


def file_name(entry: Entry) -> str:
    """Return the name of a component as it can stand in any address."""
    return entry.name.replace("+", "plus")
