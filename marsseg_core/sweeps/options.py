"""The options of a sweep, and how they are stored in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..data.subsets import subset_called
from ..errors import RequestError, nearest
from ..experiments.comparison import SUBSETS
from ..files.documents import Document, read_json
from ..files.schema import Items, Nothing, Number, OneOf, Table, Text, Truth
from ..planning.metrics import metric_table
from ..planning.request import Request
from ..registry.parameters import to_text

PRUNERS: Final = ("none", "median", "hyperband")

# The number of trials where nothing else ends a sweep.
_TRIALS: Final = 20

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True)
class AblationOptions:
    """What an ablation has in addition to a sweep.

    Attributes:
        by: the score whose effects are shown
        subset: the subset that is scored: "test" or "validation"
        one_at_a_time: whether each trial differs from the baseline in one setting at most
    """

    by: str
    subset: str
    one_at_a_time: bool = False

    def __post_init__(self) -> None:
        """Check the subset, which may be called as in folders and tables."""
        object.__setattr__(self, "subset", subset_called(self.subset))
        if self.subset not in SUBSETS:
            raise RequestError(
                f"There is no subset '{self.subset}' to score.",
                where="--subset",
                hint=f"One of {', '.join(SUBSETS)}.",
            )


@dataclass(frozen=True)
class SweepOptions:
    """What a user requests of a sweep, in addition to the settings that are the same in all trials.

    Attributes:
        varied: the texts of `--vary`
        sampler: "grid", "random" or "tpe"
        pruner: "none", "median" or "hyperband"
        seed: the seed of the sampler
        trials: how many trials are executed; None: as many as the budgets and the space allow
        wall: seconds after which no trial begins
        cpu: seconds of processor time of all trials together, after which no trial begins
        report: how many of the best trials are scored on the test subset
        ablation: what an ablation has in addition; None for a sweep that searches the best plan
    """

    varied: tuple[str, ...]
    sampler: str = "tpe"
    pruner: str = "none"
    seed: int = 0
    trials: int | None = None
    wall: float | None = None
    cpu: float | None = None
    report: int = 1
    ablation: AblationOptions | None = None

    @property
    def command(self) -> str:
        """Return the command that begins such a sweep, and goes on with it."""
        return "sweep" if self.ablation is None else "ablate"

    @property
    def one_at_a_time(self) -> bool:
        """Return whether each trial differs from the baseline of an ablation in one setting at most."""
        return self.ablation is not None and self.ablation.one_at_a_time

    @property
    def scores_test(self) -> bool:
        """Return whether each trial scores its test subset."""
        return self.ablation is not None and self.ablation.subset == "test"

    def __post_init__(self) -> None:
        """Check the values whose options are not checked elsewhere."""
        if self.pruner not in PRUNERS:
            raise RequestError(
                f"There is no pruner '{self.pruner}'.", where="--pruner", hint=f"One of {', '.join(PRUNERS)}."
            )
        for name, least in (("trials", 1), ("report", 0), ("seed", 0)):
            if (value := getattr(self, name)) is not None and value < least:
                raise RequestError(f"--{name} must be at least {least}, not {value}.", where=f"--{name}")


def check_score(by: str) -> str:
    """Return the canonical name of a score. Raises RequestError if no installed metric has it."""
    table = metric_table()
    by = table.canonical(by)
    if table.of(by) is None:
        raise RequestError(
            f"There is no metric '{by}'.", where="--by", hint=nearest(by, table.resolved, listing="Metrics")
        )
    return by


def seconds_of(text: str, where: str) -> float:
    """Return the seconds of a duration such as `90s`, `30m`, `1.5h` or `2d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or float(found[1]) == 0:
        raise RequestError(f"'{text}' is not a duration.", where=where, hint="For example 90s, 30m, 1.5h or 2d.")
    return float(found[1]) * _UNITS[found[2]]


def make_options(
    varied: Iterable[str],
    *,
    sampler: str,
    pruner: str,
    seed: int,
    trials: int | None,
    wall: str | None,
    cpu: str | None,
    report: int,
) -> SweepOptions:
    """Return the options of a sweep; `wall` and `cpu` are durations as texts.

    Without a number of trials, a budget or a grid, there are 20 trials.
    """
    if trials is None and sampler != "grid" and wall is None and cpu is None:
        trials = _TRIALS
    return SweepOptions(
        tuple(varied),
        sampler,
        pruner,
        seed,
        trials,
        None if wall is None else seconds_of(wall, f"--wall {wall}"),
        None if cpu is None else seconds_of(cpu, f"--cpu {cpu}"),
        report,
    )


_TEXT_OR_NOTHING: Final = OneOf(Text(), Nothing())
_NUMBER_OR_NOTHING: Final = OneOf(Number(0), Nothing())

_FORM: Final = Table(
    required={
        "options": Table(
            required={
                "varied": Items(Text(), least=1),
                "sampler": Text(),
                "pruner": Text(),
                "seed": Number(0, whole=True),
                "trials": _NUMBER_OR_NOTHING,
                "wall": _NUMBER_OR_NOTHING,
                "cpu": _NUMBER_OR_NOTHING,
                "report": Number(0, whole=True),
            },
            optional={
                "ablation": OneOf(
                    Table(required={"by": Text(), "subset": Text(), "one_at_a_time": Truth()}),
                    Nothing(),
                )
            },
        ),
        "request": Table(
            required={
                "base": _TEXT_OR_NOTHING,
                "compositions": Table(others=Text()),
                "sections": Table(others=Table(others=Text())),
                "overrides": Items(Text()),
                "plugins": Items(Text()),
            }
        ),
        "directory": Text(),
        "disabled": Items(Text()),
    },
    optional={"settings": Table(others=Text())},
)


def _text_of(option: str, given: object) -> str:
    items = [given] if isinstance(given, str) else given
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise RequestError(
            f"In a sweep, {option} must be a string: its trials run in other processes.",
            where=option,
            hint="Name it as on the command line; a file of your own with its class goes to plugins=[…].",
        )
    return ",".join(items)


@dataclass(frozen=True)
class SweepRequest:
    """Everything that a sweep needs to go on in another process.

    Attributes:
        options: the options of the sweep
        request: what all trials have in common; its plugin files are those in the sweep's folder
        directory: the working directory, from which relative paths of the request are read
        disabled: the texts of `--disable`
        settings: the settings of the first plan, as they were when the sweep began; empty if they were not stored
    """

    options: SweepOptions
    request: Request
    directory: Path
    disabled: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_texts(cls, options: SweepOptions, request: Request, disabled: Iterable[str]) -> SweepRequest:
        """Return the request for the working directory, with its values as texts, as on the command line.

        Raises RequestError for a component that was passed in Python as an object: other processes cannot have it.
        """
        compositions = {name: _text_of(name, given) for name, given in request.compositions.items()}
        if request.metrics:
            _text_of("metrics", request.metrics)  # raises, as not all of them are texts
        sections = {
            name: {key: to_text(value) for key, value in values.items()} for name, values in request.sections.items()
        }
        texts = replace(request, compositions=compositions, sections=sections)
        return cls(options, texts, Path.cwd(), tuple(disabled))

    def to_json(self) -> dict[str, Any]:
        """Return the request as it is stored."""
        return {
            "schema": 1,
            "options": asdict(self.options) | {"varied": list(self.options.varied)},
            "request": {
                "base": self.request.base,
                "compositions": dict(self.request.compositions),
                "sections": {name: dict(values) for name, values in self.request.sections.items()},
                "overrides": list(self.request.overrides),
                "plugins": [str(path) for path in self.request.plugins],
            },
            "directory": str(self.directory),
            "disabled": list(self.disabled),
            "settings": dict(self.settings),
        }

    @classmethod
    def read(cls, file: Path) -> SweepRequest:
        """Read a stored request. Raises RequestError for a damaged file."""
        content = read_json(file, Document(_FORM, "Start a new sweep."))
        options, request = content["options"], content["request"]
        if options.get("ablation") is not None:
            options["ablation"] = AblationOptions(**options["ablation"])
        plugins = [file.parent / name for name in request.pop("plugins")]
        return cls(
            SweepOptions(**options | {"varied": tuple(options["varied"])}),
            Request(**request, plugins=plugins),
            Path(content["directory"]),
            tuple(content["disabled"]),
            content.get("settings", {}),
        )

    def with_trials(self, trials: int | None) -> SweepRequest:
        """Return the request with another number of trials; None keeps the number."""
        return self if trials is None else replace(self, options=replace(self.options, trials=trials))

    @contextmanager
    def in_directory(self) -> Iterator[None]:
        """Work in the directory of the request inside the block. Raises RequestError if it does not exist."""
        with ExitStack() as stack:
            try:
                stack.enter_context(chdir(self.directory))
            except OSError as cause:
                raise RequestError(
                    f"The sweep was begun in {self.directory}, which cannot be opened: {cause.strerror}.",
                    where="sweep",
                    hint="Its request has paths relative to this folder.",
                ) from cause
            yield
