"""Floors: what a predictor that knows the shift would cost on a test set.

It is trained on the set itself, cross-validated in time, or on an earlier part of the same demand
under the same shift where there is one. A floor is no method, for it sees the service or the shift
it is judged on; it says how much of the cost of a shift there is to win at all. Scored in sample it
would be too low: a network remembers its windows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo import robust
from lpo.forecast import Forecaster, decision_forecast, linear_normalised, mlp, point_head
from lpo.optim import Training, adam, run, seed_keys
from lpo.provision import Task, score
from lpo.robust.empirical import PredictorState, descend, start_predictor, validate
from lpo.workload import SUITE, Layout, Problem, Scaler, cut, fit_scaler, joined, pairs, shifts_of

BLOCKS = 5
FEWEST = 20  # windows that a block keeps when it loses those near its neighbours
VALIDATION = 1024  # windows of a validation block that are scored, evenly spaced: most overlap


class Fold(NamedTuple):
    """Row numbers of windows, ascending: those scored, those for early stopping, those trained on.

    Between any two of the parts lies at least a window's length of bins that are in neither.
    """

    held_out: np.ndarray
    validation: np.ndarray
    train: np.ndarray


class Candidate(NamedTuple):
    """A forecaster that may set the floor, and Adam's first learning rate for it."""

    forecaster: Forecaster
    learning_rate: float


class Past(NamedTuple):
    """Windows [n, window] in tokens that a set's floor may be fitted on: of the same demand under
    the same shift, but earlier and of other random streams. `train` for Adam, `validation` for
    early stopping."""

    train: np.ndarray
    validation: np.ndarray


class Floor(NamedTuple):
    """Forecasts of one test set by candidate; those trained on its past are `<name>_on_past`.

    `predictions`: tokens [n, pairs] (with a last axis of slots where the task has a horizon), each
    window's by a model that did not see it. `costs`: mean cost of a decision in the task's unit.
    `best`: the candidate of least cost, which is the floor.
    """

    best: str
    predictions: dict[str, np.ndarray]
    costs: dict[str, float]


def usual_candidates(layout: Layout) -> dict[str, Candidate]:
    """The two small forecasters that know no level: the linear normalised map and the MLP."""
    blind = Scaler(mean=1.0, sd=1.0)  # both are scaled by the window itself
    head = point_head(layout.horizon)
    return {
        "linear_normalised": Candidate(linear_normalised(blind, layout.context, head), 3e-2),
        "mlp": Candidate(mlp(blind, layout.context, head, normalise="window"), 1e-3),
    }


def blocked_folds(count: int, window: int) -> list[Fold] | None:
    """Folds of `count` windows of `window` bins each, in order of time and at most one a bin.

    Each of five blocks of time is held out once. The next one, cyclically, validates and the others
    train, less the windows with fewer than `window` bins between them and a part before: those of
    both near the held-out block, then those of the training part near the validation part.

    Windows are taken to begin at every bin; where they are further apart, so are the parts.

    None when there are too few windows: fewer than `BLOCKS (2 window + FEWEST)`, where a block less
    those near one of its ends could fall below `FEWEST`.
    """
    apart = 2 * window  # between the first bins of two windows that leave `window` bins between
    if count < BLOCKS * (apart + FEWEST):
        return None
    rows = np.arange(count)
    blocks = np.array_split(rows, BLOCKS)
    folds = []
    for held_out, following in zip(blocks, blocks[1:] + blocks[:1], strict=True):
        validation = _away_from(held_out, following, apart)
        train = _away_from(validation, _away_from(held_out, rows, apart), apart)
        folds.append(Fold(held_out, validation, train))
    return folds


def _away_from(part: np.ndarray, rows: np.ndarray, apart: int) -> np.ndarray:
    """The `rows` at least `apart` before the first or after the last row of a `part` of time."""
    return rows[(rows <= part[0] - apart) | (rows >= part[-1] + apart)]


def shifted_pasts(problem: Problem, *, seed: int) -> dict[str, Past]:
    """Train and validation part under every shift of the suite, by name of the own part's test set.

    None for protocols that do not cut their windows at every bin. `seed`: of the random streams,
    which are others than those of the test sets.
    """
    protocol = problem.protocol
    if (protocol.train_stride, protocol.test_stride) != (1, 1):
        return {}

    def shifted(part: str, windows: np.ndarray) -> list[np.ndarray]:
        tokens = joined(windows)
        shifts = shifts_of(part, tokens, bin_s=protocol.bin_s, seed=seed)
        return [cut(each, problem.layout, stride=1) for each in (tokens, *shifts.values())]

    train = shifted("floor_train", problem.train)
    validation = shifted("floor_validation", problem.validation)
    names = [problem.own, *(f"{problem.own}_{shift}" for shift in SUITE)]
    return dict(zip(names, map(Past, train, validation), strict=True))


def floors(
    sets: Mapping[str, np.ndarray],
    layout: Layout,
    task: Task,
    candidates: Mapping[str, Candidate],
    pasts: Mapping[str, Past] | None = None,
    **options: Any,
) -> dict[str, Floor | None]:
    """Floors of test sets: candidates trained on each set itself, in five folds of time.

    sets: windows [n, window] in tokens by set, in order of time, at most one a bin. candidates:
    forecasters by name, such as `usual_candidates`. pasts: of some of the sets; their candidates
    are trained on these as well. options: of `cross_validate`, which says what is raised.

    Returns None for a set of too few windows (`blocked_folds`) that has no past. The best of
    several candidates is chosen by the cost that is reported, which makes a floor slightly low.
    """
    blocked = {name: blocked_folds(len(windows), layout.window) for name, windows in sets.items()}
    folds = {name: split for name, split in blocked.items() if split is not None}
    known = {
        name: past for name, past in (pasts or {}).items() if name in sets and all(map(len, past))
    }
    with_past = {name: np.concatenate([*past, sets[name]]) for name, past in known.items()}
    after = {name: [_after(past, len(sets[name]))] for name, past in known.items()}
    predictions: dict[str, dict[str, np.ndarray]] = {name: {} for name in sets}
    for label, candidate in candidates.items():
        for which, data, split in ((label, sets, folds), (f"{label}_on_past", with_past, after)):
            if split:
                fitted = cross_validate(data, split, layout, task, candidate, **options)
                for name, values in fitted.items():
                    predictions[name][which] = values
    return {
        name: _best_of(found, sets[name], layout, task) if found else None
        for name, found in predictions.items()
    }


def _after(past: Past, count: int) -> Fold:
    """Rows of a past and of `count` windows after it, all in one array."""
    train, validation = len(past.train), len(past.validation)
    ends = np.cumsum([0, train, validation, count])
    train, validation, held_out = map(np.arange, ends[:-1], ends[1:])
    return Fold(held_out, validation, train)


def cross_validate(
    sets: Mapping[str, np.ndarray],
    folds: Mapping[str, list[Fold]],
    layout: Layout,
    task: Task,
    candidate: Candidate,
    *,
    steps: int = 1000,
    segment_steps: int = 100,
    batch: int = 256,
    weight_decay: float = 1e-4,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Forecasts of the windows held out, each by the model of its fold.

    The folds of all sets are trained side by side in one compiled program, as seeds are elsewhere.
    What is forecast for a set does not depend on the other sets, but for rounding.

    **Arguments:**

    - `sets`: windows [n, window] in tokens by set.
    - `folds`: of the sets to forecast.
    - `steps`, `batch`, `weight_decay`: of Adam with cosine decay, on the decision loss.
    - `segment_steps`: steps between the validations, of which the best is kept.
    - `seed`: of starts and batches; fold `k` of every set has the key of `seed + k`.

    **Returns:** decision forecasts of each set of `folds`, tokens [n, pairs], of the parts held
    out one after another.

    **Raises:** `InputError` for a training part without variation; `lpo.optim.Diverged`.
    """
    data, held_out = _fold_data(sets, folds, task)
    keys = jnp.concatenate([seed_keys(seed, len(split)) for split in folds.values()])
    training = _fold_training(candidate, task, layout, steps, batch, weight_decay)
    state = jax.jit(jax.vmap(training.init))(keys)
    for segment in run(
        training,
        keys,
        state,
        data,
        steps=steps,
        segment_steps=segment_steps,
        data_axes=_FOLD_AXES,
    ):
        state = segment.state
    outputs = _predict(candidate.forecaster, task, layout, state.best, data.windows, held_out)
    parts = iter(outputs)
    return {
        name: np.concatenate([next(parts)[: len(fold.held_out)] for fold in split])
        for name, split in folds.items()
    }


class _FoldData(NamedTuple):
    """What folds train on: `windows` [rows, window] of all sets, shared, and for each fold

    `train` [most] its rows of them, of which the first `count` are meant; `validation`
    [VALIDATION, window]; `scale` of the loss.
    """

    windows: Array
    train: Array
    count: Array
    validation: Array
    scale: Array


_SHARED: Any = None
_EACH: Any = 0
_FOLD_AXES = _FoldData(_SHARED, _EACH, _EACH, _EACH, _EACH)


def _fold_data(
    sets: Mapping[str, np.ndarray], folds: Mapping[str, list[Fold]], task: Task
) -> tuple[_FoldData, Array]:
    """The folds of all sets after one another, and the rows [folds, most] that each forecasts."""
    train, validation, scales, held_out = [], [], [], []
    first = 0
    for name, split in folds.items():
        for fold in split:
            train.append(first + fold.train)
            held_out.append(first + fold.held_out)
            spaced = np.linspace(0, len(fold.validation) - 1, VALIDATION).round().astype(int)
            validation.append(sets[name][fold.validation[spaced]])
            scales.append(robust.loss_scale(task, fit_scaler(sets[name][fold.train])))
        first += len(sets[name])
    data = _FoldData(
        windows=jnp.asarray(np.concatenate([sets[name] for name in folds]), jnp.float32),
        train=_padded(train),
        count=jnp.array([len(rows) for rows in train]),
        validation=jnp.asarray(np.stack(validation), jnp.float32),
        scale=jnp.array(scales, jnp.float32),
    )
    return data, _padded(held_out)


def _padded(rows: list[np.ndarray]) -> Array:
    most = max(len(row) for row in rows)
    return jnp.asarray(np.stack([np.pad(row, (0, most - len(row)), "edge") for row in rows]))


def _fold_training(
    candidate: Candidate, task: Task, layout: Layout, steps: int, batch: int, weight_decay: float
) -> Training:
    """Empirical risk of one fold, as `lpo.robust.empirical_risk` but on rows of shared windows."""
    forecaster, learning_rate = candidate
    optimiser = adam(learning_rate, steps, weight_decay)
    in_units = robust.decision_loss(forecaster, task, layout, scale=1.0)

    def loss_of(data: _FoldData) -> robust.WindowLoss:
        return lambda params, windows, key=None: in_units(params, windows, key) / data.scale

    def init(key: Array) -> PredictorState:
        return start_predictor(forecaster.init(key), optimiser)

    def update(key: Array, state: PredictorState, data: _FoldData):
        rows_key, dropout_key = jax.random.split(key)
        places = jax.random.randint(rows_key, (batch,), 0, data.count)
        windows, loss = data.windows[data.train[places]], loss_of(data)
        state, losses = descend(state, optimiser, lambda params: loss(params, windows, dropout_key))
        return state, {"loss": jnp.mean(losses)}

    def close(state: PredictorState, data: _FoldData):
        return validate(state, loss_of(data), robust.Windows(data.windows, data.validation))

    return Training(init, update, close)


def _predict(
    forecaster: Forecaster, task: Task, layout: Layout, params: Any, windows: Array, rows: Array
) -> np.ndarray:
    """Decision forecasts [folds, most, pairs] of each fold's `rows` by its `params`, in tokens."""

    def one_fold(fold: tuple[Any, Array]) -> Array:
        params, rows = fold
        history, _ = pairs(windows[rows], layout)
        return decision_forecast(forecaster.head, forecaster.apply(params, history), task.fractile)

    # one fold after another, or the activations of all would be in memory together
    outputs = jax.jit(lambda folds: jax.lax.map(one_fold, folds))((params, rows))
    return np.asarray(outputs, np.float64)


def _best_of(
    predictions: dict[str, np.ndarray], windows: np.ndarray, layout: Layout, task: Task
) -> Floor:
    _, target = pairs(windows, layout)
    costs = {name: score(task, values, target).cost for name, values in predictions.items()}
    return Floor(min(costs, key=lambda name: costs[name]), predictions, costs)
