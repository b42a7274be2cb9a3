"""Find the initial weights of a plan's encoder: published ones, those in a file, or those of another run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..errors import PluginError, RequestError
from ..messages import get_logger
from ..networks.keras_backend.settings import precision, preserve_random_state
from ..networks.load import load
from ..networks.pretrained import copy_to_encoder, encoder_values, values_hash
from ..networks.weight_files import read_weights
from ..planning.encoder_weights import hash_of_weights, path_of_weights
from ..planning.invoke import call_component
from ..planning.options import EncoderOptions
from ..planning.plan import Plan
from ..planning.resolved import ResolvedComponent
from ..registry import kinds
from ..registry.session import Session

if TYPE_CHECKING:
    import keras

_logger = get_logger(__name__)


PublishedWeights: TypeAlias = dict[str, Mapping[str, np.ndarray]]
"""Published weights that have been read and not used yet, by their hash."""


def settle_weights(plans: Sequence[Plan], published: PublishedWeights | None = None) -> list[Plan]:
    """Record the hash of published encoder weights in plans that have none yet. This may download the weights.

    The plans are those of one series: they name the same weights. These are added to `published`, since to read them
    takes some seconds for the networks of `keras.applications`.
    """
    settled = list(plans)
    for resolved, options in _pretrained(plans[0]):
        if options.weights_hash is None and _path(resolved, options) is None:
            values = _published(resolved, options)
            found = values_hash(values)
            if published is not None:
                published[found] = values
            pinned = replace(
                resolved,
                options=replace(options, weights_hash=found),
                origins={**resolved.origins, "weights_hash": resolved.origins["weights"]},
            )
            settled = [replace(plan, resolved={**plan.resolved, kinds.ENCODER: (pinned,)}) for plan in plans]
    return settled


def load_encoder_weights(plan: Plan, network: keras.Model, published: PublishedWeights | None = None) -> None:
    """Give the encoder of a new network the weights that the plan names, if any. This may download them.

    Those in `published` are taken from there, and removed, as they need much memory. Call it only for a network that is
    about to be trained. Raises RequestError where there are no such weights, they are not those that the plan recorded,
    or they do not fit the encoder.
    """
    for resolved, options in _pretrained(plan):
        path = _path(resolved, options)
        if published and options.weights_hash in published:
            found = options.weights_hash
            values = published.pop(found)
        elif path is None:
            values = _published(resolved, options)
            found = values_hash(values)
        else:
            found = hash_of_weights(path, resolved.component.published_weights, _where(resolved))
            values = _of_run(path, plan.session) if os.path.isdir(path) else read_weights(path)
        if options.weights_hash not in (None, found):
            raise RequestError(
                "The weights that the encoder begins with have changed since the plan was made.",
                where=f"{_where(resolved)}, weights={options.weights}",
                hint=f"To begin with the changed weights: --set encoder.{resolved.entry.name}.weights_hash=none",
            )
        _logger.info(f"{copy_to_encoder(values, network, str(options.weights))}.")


def _pretrained(plan: Plan) -> list[tuple[ResolvedComponent, EncoderOptions]]:
    """Return the encoder of a plan with its options, if the plan names weights for it."""
    encoders = [(each, each.options) for each in plan.resolved[kinds.ENCODER]]
    return [
        (resolved, options) for resolved, options in encoders if isinstance(options, EncoderOptions) and options.weights
    ]


def _path(resolved: ResolvedComponent, options: EncoderOptions) -> Path | None:
    return path_of_weights(str(options.weights), resolved.component.published_weights)


def _where(resolved: ResolvedComponent) -> str:
    return f"encoder {resolved.entry.name}"


def _published(resolved: ResolvedComponent, options: EncoderOptions) -> Mapping[str, np.ndarray]:
    # A plugin may build a network to get them: neither Keras' settings nor the random state may tell.
    with precision(), preserve_random_state():
        values = call_component(resolved, resolved.component.published, options.weights)
    if not isinstance(values, Mapping) or not all(isinstance(value, np.ndarray) for value in values.values()):
        raise PluginError(
            f"The {resolved.entry.label} returns no arrays by their paths as its weights '{options.weights}'."
        )
    return values


def _of_run(path: Path, session: Session) -> dict[str, np.ndarray]:
    """Return the weights of the encoder of another run. Raises RequestError where it has none."""
    with preserve_random_state():
        values = encoder_values(load(path, session))
    if not values:
        raise RequestError(
            "The network of that run has no encoder of its own kind.",
            where=str(path),
            hint="To begin with the weights of all layers that match: --init RUN",
        )
    return values
