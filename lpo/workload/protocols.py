"""Protocols: from a workload to training windows, validation windows and named test sets.

`lead_time` and `honest` are ours, `paper` is the published set-up (docs/protocols.md).
"""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.workload import published
from lpo.workload.series import Series, Source, Workload, bins_per, coarsen
from lpo.workload.shifts import CORRUPTIONS, generator, mixture, mixture_pairs
from lpo.workload.splits import temporal_split
from lpo.workload.windows import Layout, Scaler, cut, fit_scaler

FEW_WINDOWS = 100  # below this a test set is reported but supports no conclusion


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


class Problem(NamedTuple):
    """What a method trains on and is judged by; all windows float32 tokens [n, window].

    `tests`: the first entry, named `own`, is the test part of the series trained on; every other is
    a shifted set. `validation` has no rows under the protocol `paper`. `sources`: the files behind
    the series. `notes`: what was left out or must be said beside the results.
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
    """Workload of one series; its only shifted sets are corruptions of its own test part."""
    return Workload(series.name, series.name, {series.name: series})


def build(workload: Workload, protocol: Protocol, *, seed: int) -> Problem:
    """Windows, scaler and test sets of a workload under a protocol.

    `seed` (not negative) fixes the corruptions, each set its own stream. Series that are too short
    for a window are left out of the tests and named in the notes.

    Raises `InputError` when the series trained on is missing, too short or constant, or when bins
    are asked for that are no multiple of a series' own.
    """
    if workload.train not in workload.series:
        raise InputError(
            f"workload `{workload.name}` trains on `{workload.train}`, which is not one of "
            f"its series: {', '.join(workload.series)}."
        )
    if protocol.name == "paper":
        return _build_published(workload, protocol)
    grid, grid_notes = _on_grid(workload, protocol.bin_s)
    tokens = grid[workload.train]
    try:
        split = temporal_split(
            len(tokens), protocol.fractions, gap=protocol.gap, window=protocol.window
        )
    except InputError as error:
        series = workload.series[workload.train]
        where = series.source.path if series.source else f"series `{workload.train}`"
        raise InputError(
            f"{where}: {error} A bin is {protocol.bin_s:g} s: give a longer trace, or a smaller "
            "`protocol.bin_s`, `context` or `lead`."
        ) from None
    train, validation, test = (tokens[part.start : part.stop] for part in split)

    layout = Layout(protocol.window, protocol.context, protocol.lead, protocol.horizon)
    own = f"{workload.train}_test"
    sets = _evaluation_sets(grid | {workload.train: test}, workload.train, own, seed)
    tests, test_notes = _cut_sets(sets, layout, protocol.test_stride)
    return Problem(
        protocol=protocol,
        layout=layout,
        scaler=fit_scaler(train),
        train=cut(train, layout, protocol.train_stride),
        validation=cut(validation, layout, protocol.test_stride),
        tests=tests,
        own=own,
        sources=_sources(workload),
        notes=grid_notes + test_notes,
    )


def _build_published(workload: Workload, protocol: Protocol) -> Problem:
    grid, grid_notes = _on_grid(workload, protocol.bin_s)
    sets, set_notes = published.published_sets(grid)
    layout = Layout(protocol.window, protocol.context, protocol.lead)
    rows, row_notes = _cut_sets(sets, layout, protocol.test_stride)
    own_rows = rows.pop("23V")
    train_rows = int(protocol.fractions[0] * len(own_rows))
    train = own_rows[:train_rows]
    return Problem(
        protocol=protocol,
        layout=layout,
        scaler=fit_scaler(train),
        train=train,
        validation=own_rows[:0],
        tests={published.OWN: own_rows[train_rows:]} | rows,
        own=published.OWN,
        sources=_sources(workload),
        notes=grid_notes + set_notes + row_notes,
    )


def _evaluation_sets(
    parts: dict[str, np.ndarray], train: str, own: str, seed: int
) -> dict[str, np.ndarray]:
    """Demand of every test set; `parts`: of `train` its test part, of other series the whole."""
    sets = {own: parts[train]}
    sets |= {name: tokens for name, tokens in parts.items() if name != train}
    sets |= {
        f"{first}+{second}": mixture(parts[first], parts[second])
        for first, second in mixture_pairs(list(parts), train)
    }
    for corruption, corrupt in CORRUPTIONS.items():
        name = f"{own}_{corruption}"
        sets[name] = corrupt(parts[train], generator(seed, name))
    return sets


def _on_grid(workload: Workload, bin_s: float) -> tuple[dict[str, np.ndarray], list[str]]:
    """Demand of each series in bins of `bin_s` seconds, and notes on what did not fit the grid."""
    grid: dict[str, np.ndarray] = {}
    short, partial = [], []
    for name, series in workload.series.items():
        group = bins_per(bin_s, series.bin_s)
        if len(series.tokens) < group and name != workload.train:
            short.append(name)
            continue
        grid[name] = coarsen(series, bin_s).tokens
        left_over = len(series.tokens) % group
        if left_over:
            partial.append(f"{name} {left_over} of {series.bin_s:g} s")
    notes = _note(f"left out, shorter than one bin of {bin_s:g} s", short)
    return grid, notes + _note(f"bins at the end that fill no bin of {bin_s:g} s", partial)


def _cut_sets(
    sets: dict[str, np.ndarray], layout: Layout, stride: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Windows of every set that holds one, and notes on what is not scored or only reported."""
    cuts = {name: cut(tokens, layout, stride) for name, tokens in sets.items()}
    counts = {name: len(windows) for name, windows in cuts.items()}
    tails = {name: (len(sets[name]) - layout.window) % stride for name, n in counts.items() if n}
    notes = _note(
        f"left out, shorter than one window of {layout.window} bins",
        [name for name, n in counts.items() if n == 0],
    )
    notes += _note(
        f"fewer than {FEW_WINDOWS} windows, report but draw no conclusion",
        [f"{name} {n}" for name, n in counts.items() if 0 < n < FEW_WINDOWS],
    )
    notes += _note(
        "bins at the end that fill no window", [f"{name} {n}" for name, n in tails.items() if n]
    )
    return {name: windows for name, windows in cuts.items() if len(windows)}, notes


def _note(text: str, items: list[str]) -> list[str]:
    return [f"{text}: {', '.join(items)}"] if items else []


def _sources(workload: Workload) -> list[Source]:
    return [series.source for series in workload.series.values() if series.source is not None]
