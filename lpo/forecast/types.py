"""The records of the package: what a forecaster is and what its outputs mean."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

Normalise: TypeAlias = Literal["raw", "window"]
"""raw: scaled by the training series. window: scaled by the window's own mean (equivariant)."""


class Head(NamedTuple):
    """Meaning of the outputs: `point`, one forecast; `quantile`, one output per level.

    levels: ascending in (0, 1); empty for a point head. horizon: slots forecast at once, each with
    its own outputs on an axis before the last; None for one slot and no such axis.
    """

    name: Literal["point", "quantile"]
    levels: tuple[float, ...]
    horizon: int | None = None

    @property
    def outputs(self) -> int:
        """Length of the last axis of a forecaster's outputs."""
        return max(len(self.levels), 1)

    @property
    def size(self) -> int:
        """Numbers that a network returns a history: outputs of all slots."""
        return self.outputs * (self.horizon or 1)


class Forecaster(NamedTuple):
    """A pair of pure functions and the head that says what they return.

    init: key -> params, a float32 pytree; `vmap` it over keys for several seeds.
    apply: (params, history [..., context] tokens, key=None) -> [..., head.outputs] tokens >= 0, or
    [..., horizon, head.outputs] where the head has a horizon.
    Dropout is active only when a key is given, and the key is consumed.
    """

    init: Callable[..., Any]
    apply: Callable[..., Any]
    head: Head
