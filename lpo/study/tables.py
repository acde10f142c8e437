"""Tables of the study: every cell on every set, and its summary over the shifted sets."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo import provision, workload
from lpo.provision import block_length, ratio_of_sums, seed_interval
from lpo.study.work import VALIDATION, judged_sets
from lpo.train.scoring import estimate, score_unit, window_regret

GAP = 0.08  # of the floor: a shift whose gap is smaller leaves nothing to close
REFERENCES = {
    "matched": None,  # DFL-matched of the same architecture
    "linear": ("linear_normalised", "dfl"),
    "mean7": ("rule", "mean7_tuned"),
}
ROW = ["setting", "architecture", "method"]

Key = tuple[str, str]  # architecture, method
Values = dict[Key, dict[str, np.ndarray]]


class Judged(NamedTuple):
    """Everything known of one setting.

    `forecasts`: (architecture, method) -> set -> [seeds, n, pairs(, slots)]. `floors`: set ->
    forecasts [1, n, pairs] of the best cross-validated predictor trained on that set.
    """

    setting: str
    problem: workload.Problem
    task: provision.Task
    forecasts: Values
    floors: dict[str, np.ndarray]


class Scored(NamedTuple):
    """Regret [seeds, n] by (architecture, method) and set, and its unit [n] by set."""

    judged: Judged
    excess: Values
    units: dict[str, np.ndarray]
    floors: dict[str, np.ndarray]


def score_setting(judged: Judged) -> Scored:
    """Regrets of all forecasts of a setting."""
    problem, task = judged.problem, judged.task
    sets = judged_sets(problem)

    def regret(forecasts: np.ndarray, name: str) -> np.ndarray:
        return window_regret(forecasts, sets[name], problem, task)

    return Scored(
        judged,
        {
            key: {name: regret(values, name) for name, values in by_set.items()}
            for key, by_set in judged.forecasts.items()
        },
        {name: score_unit(windows, problem, task) for name, windows in sets.items()},
        {name: regret(values, name) for name, values in judged.floors.items()},
    )


def set_table(scored: Scored) -> pd.DataFrame:
    """One row a cell and set: mean, both intervals, paired differences, floor, share closed.

    `minus_<reference>`: over seeds, negative favours the method. `gap`: (DFL - floor) / floor;
    `closed`: (DFL - method) / (DFL - floor) where the gap is at least `GAP`.
    """
    problem = scored.judged.problem
    block = block_length(problem.layout.window, problem.protocol.test_stride)
    rows = []
    for (architecture, method), by_set in scored.excess.items():
        for name, excess in by_set.items():
            unit = scored.units[name]
            row: dict[str, Any] = {"setting": scored.judged.setting, "architecture": architecture}
            row |= {"method": method, "test_set": name, "windows": len(unit)}
            row |= estimate("mean", excess, unit, block)
            by_seed = ratio_of_sums(excess, unit)
            for label, key in REFERENCES.items():
                other = scored.excess.get(key or (architecture, "dfl_matched"), {}).get(name)
                if other is not None:
                    row |= _difference(
                        f"minus_{label}",
                        by_seed - ratio_of_sums(other, unit),
                    )
            floor = scored.floors.get(name)
            dfl = scored.excess.get((architecture, "dfl"), {}).get(name)
            if floor is not None:
                row["floor"] = float(floor.sum() / unit.sum())
                if dfl is not None:
                    from_dfl = ratio_of_sums(dfl, unit)
                    row["gap"] = float(from_dfl.mean() / row["floor"] - 1.0)
                    if row["gap"] >= GAP:
                        whole = from_dfl.mean() - row["floor"]
                        row |= _difference("closed", (from_dfl - by_seed) / whole)
            rows.append(row)
    return pd.DataFrame(rows)


def _difference(name: str, values: np.ndarray) -> dict[str, float]:
    interval = seed_interval(values)
    return {
        name: float(values.mean()),
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }


def summary_table(scored: Scored) -> pd.DataFrame:
    """One row a cell: own part, average and worst over shifted sets, the same on validation.

    Sets of fewer than `FEW_WINDOWS` windows do not count. Intervals and differences are paired over
    seeds; the worst set is each seed's own.
    """
    tests = [
        name
        for name, windows in scored.judged.problem.tests.items()
        if len(windows) >= workload.FEW_WINDOWS and name != scored.judged.problem.own
    ]
    shifts = [f"{VALIDATION}:{name}" for name in scored.judged.problem.validation_shifts]
    measures = {
        key: _measures(scored, by_set, tests, shifts) for key, by_set in scored.excess.items()
    }
    closed = _closed(scored, tests)
    rows = []
    for (architecture, method), mine in measures.items():
        row: dict[str, Any] = {"setting": scored.judged.setting, "architecture": architecture}
        row["method"] = method
        for name, values in mine.items():
            row |= _difference(name, values)
            if name in ("own", "average", "worst"):
                for label, key in REFERENCES.items():
                    other = measures.get(key or (architecture, "dfl_matched"))
                    if other is not None:
                        row |= _difference(f"{name}_minus_{label}", values - other[name])
        rows.append(row | closed.get((architecture, method), {}))
    return pd.DataFrame(rows)


def _measures(
    scored: Scored, by_set: dict[str, np.ndarray], tests: list[str], shifts: list[str]
) -> dict[str, np.ndarray]:
    """Scores [seeds] of one method: own, average, worst, and on the validation part."""

    def score(name: str) -> np.ndarray:
        return ratio_of_sums(by_set[name], scored.units[name])

    found = {"own": score(scored.judged.problem.own)}
    present = [name for name in tests if name in by_set]
    if present:
        over = np.array([score(name) for name in present])
        found |= {"average": over.mean(axis=0), "worst": over.max(axis=0)}
    if VALIDATION in by_set:
        found["validation"] = score(VALIDATION)
    chosen_by = [name for name in shifts if name in by_set]
    if chosen_by:
        over = np.array([score(name) for name in [VALIDATION, *chosen_by]])
        found |= {"validation_average": over.mean(axis=0), "validation_worst": over.max(axis=0)}
    return found


def _closed(scored: Scored, tests: list[str]) -> dict[Key, dict[str, float]]:
    """Gaps of at least `GAP` of an architecture: how many, and the shares of them closed."""
    shares: dict[Key, dict[str, float]] = {}
    means = {
        key: {
            name: float(values.sum() / (len(values) * scored.units[name].sum()))
            for name, values in by_set.items()
        }
        for key, by_set in scored.excess.items()
    }
    for (architecture, method), mine in means.items():
        dfl = means.get((architecture, "dfl"))
        if dfl is None:
            continue
        values = []
        for name in tests:
            if name in scored.floors:
                floor = float(scored.floors[name].sum() / scored.units[name].sum())
                if dfl[name] >= (1.0 + GAP) * floor:
                    values.append((dfl[name] - mine[name]) / (dfl[name] - floor))
        if values:
            shares[architecture, method] = {
                "gaps": len(values),
                "closed_mean": float(np.mean(values)),
                "closed_least": float(np.min(values)),
            }
    return shares
