"""The keyword arguments that `run`, `series` and `plan` share in Python, and their types."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ..components.interfaces import (
        Architecture,
        Augmentation,
        Bottleneck,
        Dataset,
        Encoder,
        Loss,
        Method,
        Metric,
        NetworkSpec,
        Optimizer,
        Schedule,
        Weighting,
    )
    from ..data.arrays import SegmentationData

    Network: TypeAlias = keras.Model | Callable[[NetworkSpec], keras.Model]
    Data: TypeAlias = SegmentationData | tuple[np.ndarray, np.ndarray] | Dataset | type[Dataset]
    AnyPath: TypeAlias = str | os.PathLike[str]

Function = TypeVar("Function", bound=Callable[..., Any])


class SeriesArguments(TypedDict, total=False):
    """The keyword arguments that describe the runs of a series.

    An argument that is left out keeps the value of the plan or recipe `base`, by default of the recipe `default`.

    Components are composition texts, as on the command line, or instances or classes; pass several as a list. The
    other arguments are the options of the plan's sections `training`, `split` and `cleaning`.
    """

    arch: str | Architecture | type[Architecture] | Network
    encoder: str | Encoder | type[Encoder] | None
    bottleneck: str | Bottleneck | type[Bottleneck] | Sequence[str | Bottleneck | type[Bottleneck]] | None
    loss: str | Loss | type[Loss] | Sequence[str | Loss | type[Loss]]
    weighting: str | Weighting | type[Weighting]
    augment: str | Augmentation | type[Augmentation] | Sequence[str | Augmentation | type[Augmentation]] | None
    schedule: str | Schedule | type[Schedule]
    optimizer: str | Optimizer | type[Optimizer]
    semi: str | Method | type[Method] | None
    data: AnyPath | Data

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float | None
    averaging: Literal["none", "ema", "swa"]
    ema_momentum: float
    swa_start: float
    oversample: float
    oversample_class: str
    learn_ignored: bool
    head_weights: Sequence[float] | None
    seed: int
    patience: int | None
    monitor: str
    keep: Literal["best", "last"]
    metrics: str | Metric | type[Metric] | Sequence[str | Metric | type[Metric]] | None
    decoding: Literal["argmax", "offsets", "shares"]
    tta: bool
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"]
    precision_from: Literal["auto"] | None
    workers: int
    worker_kind: Literal["auto", "threads", "processes"]
    devices: int | Literal["all"] | None
    deterministic: bool
    score_training: bool
    crop: Sequence[int] | None
    crop_focus: float
    unlabelled: AnyPath
    init: AnyPath | None
    init_hash: str | None

    validation: float
    test: float
    fold: int | None
    subsets: AnyPath
    subsets_hash: str | None
    labelled: float

    drop_aliens: Literal["masks", "images"] | None
    drop_duplicates: bool
    fill_margin: int


class RunArguments(SeriesArguments, total=False):
    """The keyword arguments that describe one run, or one run for each fold."""

    folds: int | None


class AsPlanned(Enum):
    """The default value of an argument that is left out: the plan's value is kept."""

    AS_PLANNED = "as planned"

    def __repr__(self) -> str:
        return self.value


AS_PLANNED: Final = AsPlanned.AS_PLANNED


def document_arguments(arguments: type[SeriesArguments]) -> Callable[[Function], Function]:
    """Decorate a function with `**words: Unpack[…]`, so that `help` and notebooks show each keyword argument."""

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        parameters = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        for name, annotation in arguments.__annotations__.items():
            text = annotation.__forward_arg__
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=AS_PLANNED, annotation=text)
            )
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return function

    return decorate
