"""Windows cut from a series, the (history, target) pairs inside a window, and the scaler.

Shapes: `n` windows, `pairs` pairs a window, `context` input bins a pair.
"""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Layout(NamedTuple):
    """How a window of consecutive bins is read, all in bins.

    Pair `j` reads the `context` bins from bin `j` on and is judged on the bin that lies `lead` bins
    after the last it reads, or, where the decision covers a `horizon`, on as many bins from there.
    Targets have an axis of slots only where `horizon` is given.
    """

    window: int
    context: int
    lead: int
    horizon: int | None = None

    @property
    def pairs(self) -> int:
        """Pairs in a window: every place where both history and target fit."""
        return self.window - self.context - self.lead - (self.horizon or 1) + 2


def cut(tokens: np.ndarray, layout: Layout, stride: int) -> np.ndarray:
    """Windows of consecutive bins that start every `stride` bins, float32 [n, window].

    `tokens`: [bins]. Bins after the last whole window are in none, so a series shorter than a
    window gives n = 0. With `stride = layout.pairs` no target is in two pairs and none between the
    first and the last is left out.
    """
    if len(tokens) < layout.window:
        return np.zeros((0, layout.window), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(tokens, layout.window)[::stride]
    return view.astype(np.float32)


def joined(windows: np.ndarray) -> np.ndarray:
    """Tokens [bins] that windows [n >= 1, window] were cut from at every bin: `cut` undone."""
    return np.concatenate([windows[:, 0], windows[-1, 1:]])


def pairs(windows: Any, layout: Layout) -> tuple[Any, Any]:
    """History [..., pairs, context] and target of windows [..., window], in tokens.

    The target is [..., pairs], or [..., pairs, horizon] where the layout has a horizon. Takes NumPy
    and JAX arrays alike, inside `jit` and `grad` too. Slices rather than an index array: the
    gradient of a slice is padding, that of a gather a scatter.
    """
    xp = windows.__array_namespace__()
    history = [windows[..., j : j + layout.context] for j in range(layout.pairs)]
    first = layout.context + layout.lead - 1
    if layout.horizon is None:
        return xp.stack(history, axis=-2), windows[..., first:]
    target = [windows[..., first + j : first + j + layout.horizon] for j in range(layout.pairs)]
    return xp.stack(history, axis=-2), xp.stack(target, axis=-2)


class Scaler(NamedTuple):
    """Mean and standard deviation of the demand of the train part, tokens per bin."""

    mean: float
    sd: float


def fit_scaler(tokens: np.ndarray) -> Scaler:
    """Scaler of the given tokens (any shape); give it the train part and nothing else.

    Raises `InputError` when all bins hold the same demand, which nothing can be scaled by.
    """
    mean, sd = float(np.mean(tokens, dtype=np.float64)), float(np.std(tokens, dtype=np.float64))
    if not sd > 0:
        raise InputError(
            f"the train part holds {mean:g} tokens in every bin: demand must vary to be scaled."
        )
    return Scaler(mean, sd)


def standardise(tokens: Any, scaler: Scaler) -> Any:
    """(tokens - mean) / sd, any shape."""
    return (tokens - scaler.mean) / scaler.sd


def unstandardise(scaled: Any, scaler: Scaler) -> Any:
    """Inverse of `standardise`; not clipped, so the result may be negative."""
    return scaled * scaler.sd + scaler.mean
