"""Define the interface of exporters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...registry import kinds
from ..exports import FLOAT32, ExportSpec
from .component import Component

if TYPE_CHECKING:
    import numpy as np


class Exporter(Component):
    """Write a network into a form that runs without marsseg, and run this form.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyFormat(Exporter):
            '''My format.'''

            suffix = ".mine"
            modules = ("my_runtime",)
            install = "my-runtime"

            def write(self, spec, path): ...

            def open(self, path): ...

            def metadata(self, path): ...
        ```
    """

    kind = kinds.EXPORTER

    suffix: ClassVar[str] = ""
    """The ending of the file, such as ".onnx"; empty if a folder is written."""

    engine: ClassVar[str] = ""
    """The name of the runtime, for `--engine`; empty if `marsseg predict` cannot use it."""

    modules: ClassVar[tuple[str, ...]] = ()
    """The names of the modules that writing and running need."""

    install: ClassVar[str] = ""
    """What `pip install` installs them by, such as "marsseg[onnx]"."""

    backends: ClassVar[tuple[str, ...]] = ("tensorflow",)
    """The backends of Keras with which it can write."""

    precisions: ClassVar[tuple[str, ...]] = (FLOAT32,)
    """The precisions in which it can write, such as "float16" and "int8". What each one but float32 costs is measured:
    marsseg keeps the file only if the run's `miou` falls by little."""

    @abstractmethod
    def write(self, spec: ExportSpec, path: Path) -> None:
        """Write a network, with its metadata.

        Args:
            spec: The network, and what is known of it.
            path: A new file, or an existing empty folder if the exporter has no `suffix`.
        """

    @abstractmethod
    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        """Load what was written into its own runtime, without Keras where this is possible.

        Args:
            path: The file or folder.

        Returns:
            A function from images (B, H, W, C), of the type that the network takes, to its output.
        """

    @abstractmethod
    def metadata(self, path: Path) -> Mapping[str, Any]:
        """Read the metadata that `write` has stored.

        Args:
            path: The file or folder.

        Returns:
            The metadata, equal to those of the spec.
        """
