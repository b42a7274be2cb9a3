"""Components that work with the networks of finished runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..registry.parameters import param


@dataclass(frozen=True, kw_only=True)
class UsesRuns:
    """Add to a component what a plan records of the finished runs whose networks it uses.

    Derive the component from this class and from the interface of its kind, and let it have a parameter for the run
    folder (of the type `str`) or the run folders (`tuple[str, ...]`, joined by + in a composition), which may also
    allow None. In a plan, their paths are absolute, and the hashes of their network files are recorded with them.
    `spec.open_run(path)` returns the network of one of them.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyNet(UsesRuns, Architecture):
            '''My network: looks again at what a finished run predicts.'''

            run_parameter = "run"
            run: str = param(help="run folder of the first network")

            def build(self, spec):
                logits = spec.open_run(self.run)(inputs)
                ...
        ```
    """

    run_parameter: ClassVar[str]
    """The name of the parameter that has the run folders."""

    run_hashes: tuple[str, ...] = param(
        (), help="hash that the network file of each run must have; recorded automatically", min_length=0
    )
    run_components: tuple[str, ...] = param(
        (), help="components that the networks of the runs were built from; recorded automatically", min_length=0
    )

    @property
    def recorded_runs(self) -> Mapping[str, str]:
        """Return the recorded hash of each run folder, by its path."""
        paths = getattr(self, self.run_parameter) or ()
        return dict(zip((paths,) if isinstance(paths, str) else paths, self.run_hashes, strict=False))
