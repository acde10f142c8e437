"""Iteration-time models fitted to measurements. docs/serve.md, "Calibration"."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.iteration_time import Tabular, TwoRegime, TwoRegimeKV

LARGE_ERROR = 0.15  # of a time, above which a fit is no description of it


class Kind(StrEnum):
    """Which model is fitted; see the classes of these names in `lpo.serve.iteration_time`."""

    TWO_REGIME = "two_regime"
    TWO_REGIME_KV = "two_regime_kv"
    TABULAR = "tabular"


class Fit(NamedTuple):
    """A fitted model and how good it is.

    r2: share of the variance of the times above the bend (of all times, for a table) that it
    explains. mean_error, max_error: of the times that were used, relative. b0: tokens at which time
    begins to grow, None for a table. rows: measurements used. notes: why it should not be trusted.
    """

    model: TwoRegime | TwoRegimeKV | Tabular
    r2: float
    mean_error: float
    max_error: float
    b0: float | None
    rows: int
    notes: tuple[str, ...]


def fit(
    measurements: Any,
    kind: Kind | str = Kind.TWO_REGIME,
    *,
    solo_to: float = 64.0,
    mixed_from: float = 256.0,
    mixed_to: float = np.inf,
) -> Fit:
    """Fit a model by least squares.

    **Arguments:**

    - `measurements`: a table with the columns `tokens` (in the batch), `time_s` (of an iteration)
      and, for two_regime_kv, `kv_tokens` (in the cache): what `read_measurements` returns.
    - `solo_to`: tokens up to which time is constant; its median (its mean, without the cache's
      share, for two_regime_kv) is tau_solo. `mixed_from`, `mixed_to`: tokens between which time is
      a straight line. Measurements outside both are not used, except by a table, which takes the
      median time of each number of tokens.

    Raises InputError on columns that are missing, shapes that differ, numbers that are not finite,
    times that are not positive, and fewer measurements than the model has parameters.
    """
    chosen = Kind(kind) if kind in tuple(Kind) else None
    if chosen is None:
        raise InputError(f"`kind` must be one of {', '.join(Kind)}, got {kind!r}.")
    if not 0.0 < solo_to < mixed_from < mixed_to:
        raise InputError(
            "`solo_to`, `mixed_from` and `mixed_to` must be positive and ascending, got "
            f"{solo_to:g}, {mixed_from:g} and {mixed_to:g}."
        )
    names = ("tokens", "time_s", "kv_tokens")[: 3 if chosen is Kind.TWO_REGIME_KV else 2]
    missing = [name for name in names if name not in measurements]
    if missing:
        raise InputError(f"Measurements need a column `{missing[0]}` for {chosen}.")
    columns = [np.asarray(measurements[name], np.float64) for name in names]
    _check(names, columns)
    tokens = columns[0]
    solo, mixed = tokens <= solo_to, (tokens >= mixed_from) & (tokens <= mixed_to)
    return _FITS[chosen](columns, solo, mixed)


def _two_regime(columns: list[np.ndarray], solo: np.ndarray, mixed: np.ndarray) -> Fit:
    tokens, time = columns
    _enough(tokens, solo, mixed)
    design = np.stack([np.ones(mixed.sum()), tokens[mixed]], axis=1)
    alpha, beta = np.linalg.lstsq(design, time[mixed], rcond=None)[0].tolist()
    tau_solo = float(np.median(time[solo]))
    predicted = np.where(mixed, alpha + beta * tokens, tau_solo)
    return _judged(TwoRegime(alpha, beta, tau_solo), time, predicted, solo, mixed)


def _two_regime_kv(columns: list[np.ndarray], solo: np.ndarray, mixed: np.ndarray) -> Fit:
    tokens, time, kv = columns
    _enough(tokens, solo, mixed)
    used = solo | mixed
    design = np.stack([mixed, np.where(mixed, tokens, 0.0), solo, kv], axis=1).astype(np.float64)
    # columns of one size, so that the rank is that of the measurements and not of their units
    size = np.abs(design[used]).max(axis=0)
    size[size == 0.0] = 1.0
    scaled, _, rank, _ = np.linalg.lstsq(design[used] / size, time[used], rcond=1e-9)
    if rank < 4:
        raise InputError(
            "`kv_tokens` must vary apart from `tokens`: the measurements do not tell the time of "
            "the cache from that of the batch."
        )
    alpha, beta, tau_solo, k_kv = (scaled / size).tolist()
    predicted = design @ (scaled / size)
    found = _judged(TwoRegimeKV(alpha, beta, tau_solo, k_kv), time, predicted, solo, mixed)
    if k_kv < 0.0:
        return found._replace(notes=(*found.notes, "Time falls with the tokens in the cache."))
    return found


def _tabular(columns: list[np.ndarray], solo: np.ndarray, mixed: np.ndarray) -> Fit:
    tokens, time = columns
    at, row = np.unique(tokens, return_inverse=True)
    if len(at) < 2:
        raise InputError("A table needs measurements at two numbers of tokens at least.")
    table = Tabular(at, np.array([np.median(time[row == k]) for k in range(len(at))]))
    everything = np.ones(len(tokens), bool)
    return _judged(table, time, table.time_s[row], ~everything, everything)


_FITS: dict[Kind, Callable[[list[np.ndarray], np.ndarray, np.ndarray], Fit]] = {
    Kind.TWO_REGIME: _two_regime,
    Kind.TWO_REGIME_KV: _two_regime_kv,
    Kind.TABULAR: _tabular,
}


def _judged(
    model: TwoRegime | TwoRegimeKV | Tabular,
    time: np.ndarray,
    predicted: np.ndarray,
    solo: np.ndarray,
    mixed: np.ndarray,
) -> Fit:
    used = solo | mixed
    error = np.abs(predicted / time - 1.0)[used]
    left = np.sum((time - predicted)[mixed] ** 2)
    spread = np.sum((time[mixed] - time[mixed].mean()) ** 2)
    notes = []
    if error.max() > LARGE_ERROR:
        better = "" if isinstance(model, Tabular) else "; a table may (kind=tabular)"
        notes.append(
            f"The largest error is {error.max():.1%}, above {LARGE_ERROR:.0%}: the model does not "
            f"describe these measurements{better}."
        )
    b0 = None
    if not isinstance(model, Tabular):
        if model.beta <= 0.0:
            notes.append("Time does not grow with the tokens of a batch.")
        b0 = float(model.b0) if model.beta else None
    return Fit(
        model=model,
        r2=float(1.0 - left / spread) if spread else 1.0,
        mean_error=float(error.mean()),
        max_error=float(error.max()),
        b0=b0,
        rows=int(used.sum()),
        notes=tuple(notes),
    )


def _check(names: tuple[str, ...], columns: list[np.ndarray]) -> None:
    rows = columns[0].shape
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.shape != rows or not len(column):
            raise InputError(
                f"`{name}` must be one column as long as `tokens`, got shape {column.shape}."
            )
        low = column > 0.0 if name == "time_s" else column >= 0.0
        good = np.isfinite(column) & low
        if not good.all():
            allowed = "positive" if name == "time_s" else "at least 0"
            row = int(np.argmin(good))
            raise InputError(
                f"`{name}` must be finite and {allowed}, got {column[row]:g} in row {row + 1}."
            )


def _enough(tokens: np.ndarray, solo: np.ndarray, mixed: np.ndarray) -> None:
    if not solo.any() or len(np.unique(tokens[mixed])) < 2:
        raise InputError(
            "A fit needs a measurement up to `solo_to` tokens and two, at different numbers of "
            f"tokens, from `mixed_from` on; got {int(solo.sum())} and {int(mixed.sum())}."
        )
