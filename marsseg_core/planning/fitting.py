"""Check that the components of a plan fit each other, before any of them builds something."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from ..components.interfaces import Augmentation
from ..components.semi_specs import Views
from ..errors import PluginError, RequestError
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.kinds import Kind
from ..registry.loading import load
from ..registry.parameters import NONE_WORD
from ..registry.plugin_files import COMMAND_LINE, PYTHON
from .invoke import call_checking_parameters, call_component, nested_components
from .options import LossOptions
from .resolved import ResolvedComponent, weighting_spec

Chosen: TypeAlias = Mapping[Kind, tuple[ResolvedComponent, ...]]


def check_parts(chosen: Chosen, catalog: Catalog) -> None:
    """Check that the architecture, and those that its parameters name, take the plan's encoder and bottlenecks."""
    for architecture in chosen.get(kinds.ARCHITECTURE, ()):
        _check_takes_parts(architecture, f"'{architecture.entry.name}'", chosen, catalog)
        for inner in architecture.nested:
            if inner.entry.kind == kinds.ARCHITECTURE:
                label = f"'{inner.entry.name}' inside '{architecture.entry.name}'"
                _check_takes_parts(inner, label, chosen, catalog)


def _check_takes_parts(architecture: ResolvedComponent, label: str, chosen: Chosen, catalog: Catalog) -> None:
    if chosen.get(kinds.ENCODER) and not architecture.component.takes_encoder:
        where, hint = _leave_out(chosen[kinds.ENCODER][0])
        raise RequestError(
            f"The architecture {label} does not take an encoder.",
            where=where,
            hint=f"{hint} These architectures take one: {', '.join(_architectures_with_encoder(catalog))}.",
        )
    if kinds.ENCODER in chosen and not chosen[kinds.ENCODER] and architecture.component.needs_encoder:
        raise RequestError(
            f"The architecture {label} needs an encoder.",
            where="--encoder",
            hint=f"Choose one of: {', '.join(catalog.names(kinds.ENCODER))}.",
        )
    if chosen.get(kinds.BOTTLENECK) and not architecture.component.takes_bottleneck:
        where, hint = _leave_out(chosen[kinds.BOTTLENECK][0])
        raise RequestError(f"The architecture {label} does not take a bottleneck.", where=where, hint=hint)


def _leave_out(part: ResolvedComponent) -> tuple[str, str]:
    """Return where a part comes from that does not fit, and how to leave it out."""
    option, origin = part.entry.kind.option, part.origins["name"]
    if origin in (COMMAND_LINE, PYTHON):
        return f"--{option} {part.entry.name}", "Leave it out."
    return f"{option} {part.entry.name}, {origin}", f"Leave it out: --{option} {NONE_WORD}."


def _architectures_with_encoder(catalog: Catalog) -> list[str]:
    names = []
    for entry in catalog.of_kind(kinds.ARCHITECTURE):
        with suppress(PluginError):
            if entry.usable and load(entry).takes_encoder:
                names.append(entry.name)
    return names


def check_losses(chosen: Chosen) -> None:
    """Check that at least one loss has a weight above 0."""
    losses = chosen.get(kinds.LOSS, ())
    if losses and not any(isinstance(each.options, LossOptions) and each.options.weight for each in losses):
        raise RequestError(
            "Every loss has the weight 0: there is nothing to learn.",
            where=f"--loss, {', '.join(each.entry.name for each in losses)}",
            hint="Use the weight 0 only for a loss that is logged beside other losses.",
        )


def check_weighting(chosen: Chosen) -> None:
    """Check that the weighting takes the losses: their number, and whether they may be negative."""
    if not {kinds.WEIGHTING, kinds.LOSS} <= set(chosen):
        return
    weighting = chosen[kinds.WEIGHTING][0]
    call_checking_parameters(weighting, weighting.component.check, weighting_spec(chosen[kinds.LOSS]))
    if not call_component(weighting, lambda: weighting.component.needs_nonnegative):
        return
    for loss in chosen[kinds.LOSS]:
        if call_component(loss, lambda loss=loss: loss.component.may_be_negative):
            raise RequestError(
                f"The weighting '{weighting.entry.name}' cannot work with the loss '{loss.entry.name}': "
                "it needs losses that are never negative.",
                where=f"loss {loss.entry.name}, {loss.component!r}",
                hint=f"`marsseg show {loss.entry.name}` lists its parameters; the weightings fixed and scheduled "
                "take any loss.",
            )


def check_views(chosen: Chosen, catalog: Catalog) -> None:
    """Check that only the weak view of a semi-supervised method moves pixels, and that it does nothing else.

    This looks at what the augmentations define. A strong view that moves pixels in another way is refused when the
    training is set up (`marsseg_core.data.views`).
    """
    for method in chosen.get(kinds.METHOD, ()):
        views: Views = call_component(method, lambda method=method: method.component.views)
        where = f"--semi {method.entry.name}"
        weak, strong = (
            [_only_moves(each.component) for each in nested_components(kinds.AUGMENTATION, text, catalog, method.entry)]
            for text in (views.weak, views.strong)
        )
        if not all(weak):
            raise RequestError(
                f"The weak view '{views.weak}' changes more than the places of pixels.",
                where=where,
                hint="Use augmentations that only move pixels, such as hflip, or none.",
            )
        if any(strong):
            raise RequestError(
                f"The strong view '{views.strong}' moves pixels, so they are not where they are in the weak view.",
                where=where,
                hint="Move pixels in the weak view; use augmentations such as brightness, contrast, noise and blur "
                "here.",
            )


def _only_moves(augmentation: Augmentation) -> bool:
    cls = type(augmentation)
    return cls.apply is Augmentation.apply and cls.prepare is Augmentation.prepare


def check_has_method(chosen: Chosen, where: str) -> None:
    """Raise RequestError if no semi-supervised method uses the images without labels that an option names."""
    if not chosen.get(kinds.METHOD):
        raise RequestError(
            "The run uses no images without labels.", where=where, hint="Leave --unlabelled out: it has no effect."
        )


def check_length(chosen: Chosen, epochs: int) -> None:
    """Check that the schedule and the semi-supervised method fit the number of epochs."""
    for resolved in (*chosen.get(kinds.SCHEDULE, ()), *chosen.get(kinds.METHOD, ())):
        call_checking_parameters(resolved, resolved.component.check, epochs)
    for resolved in chosen.get(kinds.METHOD, ()):
        call_checking_parameters(resolved, _check_rounds, resolved.component, epochs)


def _check_rounds(method: Any, epochs: int) -> None:
    rounds = method.labelling_rounds
    if left := epochs % rounds:
        fitting = " or ".join(str(number) for number in (epochs - left, epochs - left + rounds) if number)
        raise ValueError(f"{epochs} epochs cannot be divided into {rounds} equal rounds, but {fitting} can")
