"""The plateau schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Schedule, ScheduleSpec, metric_table, param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Plateau(Schedule):
    """Plateau: reduces the learning rate when the validation has not improved for some epochs.

    `monitor` is a loss or a metric: the name of a column of history.csv, such as `val_dice` or `val_iou_sand`. `auto`
    is the validation loss. If the weighting changes the weights of the losses, the loss of two epochs cannot be
    compared: then `auto` is the score that selects the best network.

    The report has `factor=0.1 patience=40 min_delta=1e-5`, and monitors the validation loss.
    """

    monitor: str = param(
        "auto", help="column of the history to monitor: val_loss, val_miou, val_accuracy, val_iou_sand, loss, …"
    )
    factor: float = param(0.5, help="factor of each reduction of the learning rate", above=0, maximum=0.99)
    patience: int = param(5, help="epochs without an improvement before a reduction", minimum=1, maximum=1_000_000)
    cooldown: int = param(0, help="epochs after a reduction that are not counted", minimum=0, maximum=1_000_000)
    min_delta: float = param(1e-4, help="smallest change that is an improvement", minimum=0)
    floor: float = param(1e-6, help="smallest learning rate: a rate, not a share of the learning rate", minimum=0)
    warmup: int = param(
        0,
        help="epochs at the start in which the rate rises to the learning rate, changed once per epoch",
        minimum=0,
        maximum=1_000_000,
    )

    def __post_init__(self) -> None:
        if self.monitor != "auto" and not metric_table().is_column(self.monitor):
            raise ValueError(f"monitor={self.monitor} is not a loss or a score that the history has for each epoch")

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup, epochs)

    def build(self, spec: ScheduleSpec) -> keras.callbacks.Callback:
        from .rates import PlateauAfterWarmUp, warmup_steps

        monitor = self.monitor
        if monitor == "auto":
            monitor = spec.best_by if spec.objective_changes else "val_loss"
        warmup_steps(spec, self.warmup)
        return PlateauAfterWarmUp(
            self.warmup,
            spec.learning_rate,
            monitor=monitor,
            mode="max" if spec.rises(monitor) else "min",
            cooldown=self.cooldown,
            factor=self.factor,
            patience=self.patience,
            min_delta=self.min_delta,
            min_lr=self.floor,
        )
