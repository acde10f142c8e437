"""Protocols: from a workload to training windows, validation windows and named test sets.

`lead_time` and `honest` are ours, `paper` is the published set-up (docs/protocols.md).
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from lpo.errors import InputError
from lpo.workload import published
from lpo.workload.clock import second_of_day
from lpo.workload.cutting import (
    FEW_WINDOWS,
    Cutting,
    cut_shifts,
    cut_tests,
    evenly,
    note,
    scored_windows,
    target_clock,
)
from lpo.workload.evaluation_sets import Demand, standard_sets, suite_sets, validation_shifts
from lpo.workload.series import Series, Source, Workload, bins_per, coarsen
from lpo.workload.splits import temporal_split
from lpo.workload.windows import Layout, Scaler, fit_scaler

Suite: TypeAlias = Literal["standard", "full"]


class Protocol(NamedTuple):
    """How series become windows. Bins of `bin_s` seconds; the other lengths are in bins.

    `fractions`: shares of train and validation in the series trained on, the rest is its test part;
    `gap`: bins left out between parts. A window starts every `train_stride` bins in the train part,
    every `test_stride` bins elsewhere. `horizon`: bins a decision covers, None for one bin and
    targets without an axis of slots. `warning` is set where results mean less than they seem to,
    and goes into every result file.
    """

    name: str
    bin_s: float
    context: int
    lead: int
    window: int
    train_stride: int
    test_stride: int
    fractions: tuple[float, float]
    gap: int
    warning: str | None
    horizon: int | None = None


class Clocks(NamedTuple):
    """Second of day at which the bin of each target begins: float32 [n, pairs] (, horizon).

    On the clock of the series trained on; NaN where a bin's time on it is not known.
    """

    train: np.ndarray
    tests: dict[str, np.ndarray]


class Problem(NamedTuple):
    """What a method trains on and is judged by; all windows float32 tokens [n, window].

    `tests`: the first entry, named `own`, is the test part of the series trained on; every other is
    a shifted set. `validation` has no rows under the protocol `paper`. `sources`: the files behind
    the series. `notes`: what was left out or must be said beside the results. `validation_shifts`:
    shifted sets that methods may be chosen by, made without a test part; of `lead_time` only.
    `clocks`: of the training windows and of every test set, None under `paper`, whose bins have no
    time.
    """

    protocol: Protocol
    layout: Layout
    scaler: Scaler
    train: np.ndarray
    validation: np.ndarray
    tests: dict[str, np.ndarray]
    own: str
    sources: list[Source]
    notes: list[str]
    validation_shifts: dict[str, np.ndarray]
    clocks: Clocks | None


def lead_time(
    bin_s: float = 60.0, context: int = 30, lead: int = 10, horizon: int | None = None
) -> Protocol:
    """Decide now the capacity of the bin `lead` bins ahead, from the last `context` bins.

    With a `horizon` the decision covers that many bins, the first of them `lead` bins ahead. One
    pair a window. Training windows start at every bin; scored windows at every bin too (every
    origin with a full context and target), or every `horizon` bins (every slot is scored once).
    Raises `InputError` unless all are positive.
    """
    slots = 1 if horizon is None else horizon
    if not (bin_s > 0 and context >= 1 and lead >= 1 and slots >= 1):
        raise InputError(
            "`bin_s` must be positive, `context`, `lead` and `horizon` at least 1, "
            f"got {bin_s:g}, {context}, {lead}, {horizon}."
        )
    window = context + lead + slots - 1
    return Protocol(
        "lead_time",
        bin_s,
        context,
        lead,
        window,
        1,
        slots,
        (0.6, 0.2),
        gap=window,
        warning=None,
        horizon=horizon,
    )


def honest() -> Protocol:
    """One 5 s bin ahead from the last 7, in windows of 28 bins, hence 21 pairs a window.

    Test windows start every 21 bins, so that every target is scored once (rows that do not
    overlap would leave a quarter of the targets unscored); train windows start at every bin, for a
    score model of windows should not depend on the phase at which a series was cut.
    """
    return Protocol("honest", 5.0, 7, 1, 28, 1, 21, (0.6, 0.2), gap=28, warning=None)


def paper() -> Protocol:
    """The published set-up of 3D-Learning, for comparison with its printed figures only.

    Needs the four Azure series; trains on the first 70 % of 2023 conversation in rows of 28 bins.
    """
    return Protocol("paper", 5.0, 7, 1, 28, 28, 28, (0.7, 0.0), 0, published.WARNING)


def from_trace(series: Series) -> Workload:
    """Workload of one series; its only shifted sets are changes of its own test part."""
    return Workload(series.name, series.name, {series.name: series})


def build(
    workload: Workload,
    protocol: Protocol,
    *,
    seed: int,
    suite: Suite = "standard",
    max_windows: int | None = None,
) -> Problem:
    """Windows, scaler and test sets of a workload under a protocol.

    `seed` (not negative) fixes what is random in the shifts, each set its own stream. `suite`:
    which shifted test sets there are; `full`, of `lead_time` only, adds the shift suite.
    `max_windows`: of each test set and validation shift at most so many windows,
    evenly spaced; None for all. Series that are too short for a window are left out of the tests
    and named in the notes.

    Raises `InputError` when the series trained on is missing, too short or constant, when bins
    are asked for that are no multiple of a series' own, when `suite` is `full` under another
    protocol than `lead_time`, or when `max_windows` is below 1.
    """
    _refuse(workload, protocol, suite, max_windows)
    if protocol.name == "paper":
        return _build_published(workload, protocol, max_windows)
    grid, grid_notes = _on_grid(workload, protocol.bin_s)
    train, validation, test = _split(grid[workload.train], workload, protocol)

    layout = Layout(protocol.window, protocol.context, protocol.lead, protocol.horizon)
    own = f"{workload.train}_test"
    parts = grid | {workload.train: test}
    sets = standard_sets(parts, workload.train, own, seed=seed)
    shifts: dict[str, np.ndarray] = {}
    bin_s, window = protocol.bin_s, protocol.window
    if suite == "full":
        enough = window + (FEW_WINDOWS - 1) * protocol.test_stride
        sets |= suite_sets(parts, workload.train, own, bin_s=bin_s, enough=enough, seed=seed)
    if protocol.name == "lead_time":
        shifts = validation_shifts(
            workload, train.tokens, validation.tokens, bin_s=bin_s, window=window, seed=seed
        )
    in_train = Cutting(layout, protocol.train_stride)
    in_tests = Cutting(layout, protocol.test_stride, max_windows)
    tests, test_notes = cut_tests({name: each.tokens for name, each in sets.items()}, in_tests)
    shifted, shift_notes = cut_shifts(shifts, in_tests)
    return Problem(
        protocol=protocol,
        layout=layout,
        scaler=fit_scaler(train.tokens),
        train=scored_windows(train.tokens, in_train),
        validation=scored_windows(validation.tokens, in_tests._replace(most=None)),
        tests=tests,
        own=own,
        sources=_sources(workload),
        notes=grid_notes + test_notes + (shift_notes if suite == "full" else []),
        validation_shifts=shifted,
        clocks=Clocks(
            target_clock(train.clock, in_train),
            {name: target_clock(sets[name].clock, in_tests) for name in tests},
        ),
    )


def _refuse(workload: Workload, protocol: Protocol, suite: Suite, max_windows: int | None) -> None:
    if workload.train not in workload.series:
        raise InputError(
            f"workload `{workload.name}` trains on `{workload.train}`, which is not one of "
            f"its series: {', '.join(workload.series)}."
        )
    if suite == "full" and protocol.name != "lead_time":
        raise InputError(
            f"`suite` full is for the protocol lead_time, got {protocol.name}: use standard."
        )
    if max_windows is not None and max_windows < 1:
        raise InputError(f"`max_windows` must be at least 1, or None for all, got {max_windows}.")


def _split(whole: Demand, workload: Workload, protocol: Protocol) -> list[Demand]:
    """Train, validation and test part of the series trained on."""
    try:
        split = temporal_split(
            len(whole.tokens), protocol.fractions, gap=protocol.gap, window=protocol.window
        )
    except InputError as error:
        series = workload.series[workload.train]
        where = series.source.path if series.source else f"series `{workload.train}`"
        raise InputError(
            f"{where}: {error} A bin is {protocol.bin_s:g} s: give a longer trace, or a smaller "
            "`protocol.bin_s`, `context` or `lead`."
        ) from None
    return [Demand(*(each[part.start : part.stop] for each in whole)) for part in split]


def _build_published(workload: Workload, protocol: Protocol, max_windows: int | None) -> Problem:
    grid, grid_notes = _on_grid(workload, protocol.bin_s)
    sets, set_notes = published.published_sets({name: each.tokens for name, each in grid.items()})
    layout = Layout(protocol.window, protocol.context, protocol.lead)
    rows, row_notes = cut_tests(sets, Cutting(layout, protocol.test_stride))
    own_rows = rows.pop("23V")
    train_rows = int(protocol.fractions[0] * len(own_rows))
    train = own_rows[:train_rows]
    tests = {published.OWN: own_rows[train_rows:]} | rows
    return Problem(
        protocol=protocol,
        layout=layout,
        scaler=fit_scaler(train),
        train=train,
        validation=own_rows[:0],
        tests={name: each[evenly(len(each), max_windows)] for name, each in tests.items()},
        own=published.OWN,
        sources=_sources(workload),
        notes=grid_notes + set_notes + row_notes,
        validation_shifts={},
        clocks=None,
    )


def _on_grid(workload: Workload, bin_s: float) -> tuple[dict[str, Demand], list[str]]:
    """Demand of each series in bins of `bin_s` seconds, and notes on what did not fit the grid."""
    grid: dict[str, Series] = {}
    short, partial = [], []
    for name, series in workload.series.items():
        group = bins_per(bin_s, series.bin_s)
        if len(series.tokens) < group and name != workload.train:
            short.append(name)
            continue
        grid[name] = coarsen(series, bin_s)
        left_over = len(series.tokens) % group
        if left_over:
            partial.append(f"{name} {left_over} of {series.bin_s:g} s")
    notes = note(f"left out, shorter than one bin of {bin_s:g} s", short)
    reference = grid[workload.train]
    demand = {
        name: Demand(series.tokens, second_of_day(series, reference))
        for name, series in grid.items()
    }
    return demand, notes + note(f"bins at the end that fill no bin of {bin_s:g} s", partial)


def _sources(workload: Workload) -> list[Source]:
    return [series.source for series in workload.series.values() if series.source is not None]
