"""Scales between tokens and a network: of the training series, or of the window itself.

Why the choice matters more than the training method: docs/forecast.md.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.forecast.heads import multiples
from lpo.forecast.types import Forecaster, Head, Normalise
from lpo.workload.windows import Scaler


def forecaster(
    net: nn.Module, scaler: Scaler, context: int, head: Head, normalise: Normalise
) -> Forecaster:
    """Wrap a network of unit-free numbers into a forecaster of tokens.

    net: called with (x [..., context], deterministic: bool), returns [..., head.size].
    With the multiples of `lpo.forecast.heads.multiples`:

        raw     mean * multiples(net((x - mean) / sd))     mean, sd of the training series
        window  level * multiples(net(x / level - 1))      level = mean of the window

    A window forecaster is scale-equivariant: apply(params, a x) = a apply(params, x), a > 0. A
    window without demand forecasts 0 with finite gradients.

    Raises InputError on an unknown `normalise`, a context < 1, or a scaler that is not positive.
    """
    if normalise not in ("raw", "window"):
        raise InputError(f"`normalise` must be raw or window, got {normalise!r}.")
    if not (scaler.mean > 0 and scaler.sd > 0):
        raise InputError(
            f"`scaler` must have a positive mean and sd, got {scaler.mean:g} and {scaler.sd:g}: "
            "the training series must have demand that varies."
        )

    def scale(history: jax.Array) -> tuple[jax.Array, jax.Array | float]:
        if normalise == "raw":
            return (history - scaler.mean) / scaler.sd, scaler.mean
        level = history.mean(axis=-1, keepdims=True)
        return history / jnp.where(level > 0, level, 1.0) - 1.0, level

    def tokens(raw: jax.Array, level: Any) -> jax.Array:
        return level * multiples(head, raw)

    return wrap(net, context, head, scale, tokens)


def wrap(net: nn.Module, context: int, head: Head, scale: Any, tokens: Any) -> Forecaster:
    """Build a forecaster: tokens(net(x), s) with (x, s) = scale(history).

    scale: history [..., context] -> (x [..., context], s), the leaves of s numbers or [..., 1];
    tokens: (raw [..., outputs], s) -> outputs in tokens. Raises InputError on a context < 1;
    `apply` raises ValueError on a history of another length.
    """
    if context < 1:
        raise InputError(f"`context` must be at least 1, got {context}.")

    def init(key: jax.Array) -> Any:
        return net.init(key, jnp.zeros(context), deterministic=True)["params"]

    def apply(params: Any, history: jax.Array, key: jax.Array | None = None) -> jax.Array:
        if history.shape[-1] != context:
            raise ValueError(
                f"`history` must be [..., {context}], the forecaster's context, "
                f"got shape {history.shape}."
            )
        x, level = scale(jnp.asarray(history))
        rngs = None if key is None else {"dropout": key}
        raw: Any = net.apply({"params": params}, x, deterministic=key is None, rngs=rngs)
        if head.horizon is None:
            return tokens(raw, level)
        by_slot = raw.reshape(*raw.shape[:-1], head.horizon, head.outputs)
        return tokens(by_slot, jax.tree.map(lambda s: jnp.asarray(s)[..., None], level))

    return Forecaster(init, apply, head)
