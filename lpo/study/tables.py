"""Tables of the study: every cell on every set, and its summary over the shifted sets."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from lpo import provision, workload
from lpo.provision import block_interval, block_length, ratio_of_sums, seed_interval
from lpo.study.problem import VALIDATION, judged_sets
from lpo.train.scoring import estimate, score_unit, window_regret

GAP = 0.08  # of the floor: a shift whose gap is smaller leaves nothing to close
RULE = "rule"  # architecture of the rules
FLOOR = ("floor", "target_trained")
MATCHED = "dfl_matched"
REFERENCES = {  # what every method is compared with; a name alone: of its own architecture
    "matched": MATCHED,
    "dfl": "dfl",
    "gaussian": "gaussian_augmentation",
    "imagined": "diffusion_augmentation",
    "linear": ("linear_normalised", "dfl"),
    "mean7": (RULE, "mean7_tuned"),
    "max7": (RULE, "max7_tuned"),
}
# measures of the summary that have differences; methods are chosen by the last
COMPARED = ("own", "average", "worst", "validation_average")

Key: TypeAlias = tuple[str, str]
"""Architecture and method."""

BySet: TypeAlias = dict[str, np.ndarray]


class Scored(NamedTuple):
    """A setting with the regrets of everything that was judged in it.

    `excess`: regret [seeds, n] by set; rules have one seed. `floors`: the same [1, n] of the best
    predictor that knows the shift, of sets that have one. `units`: what regret is divided by, [n].
    `nr_code`: the published score [seeds] by test set, where the task is normalised.
    """

    setting: str
    problem: workload.Problem
    excess: dict[Key, BySet]
    floors: BySet
    units: BySet
    nr_code: dict[Key, BySet]


def score_setting(
    setting: str,
    problem: workload.Problem,
    task: provision.Task,
    forecasts: dict[Key, BySet],
    floors: BySet,
) -> Scored:
    """Regrets of forecasts [seeds, n, pairs(, slots)] and of floors, by set."""
    sets = judged_sets(problem)

    def regrets(by_set: BySet) -> BySet:
        return {
            name: window_regret(values, sets[name], problem, task)
            for name, values in by_set.items()
        }

    return Scored(
        setting,
        problem,
        {key: regrets(by_set) for key, by_set in forecasts.items()},
        regrets(floors),
        {name: score_unit(windows, problem, task) for name, windows in sets.items()},
        {
            key: _nr_code(by_set, problem, task)
            for key, by_set in (forecasts | {FLOOR: floors}).items()
        }
        if task.normalised
        else {},
    )


def _nr_code(by_set: BySet, problem: workload.Problem, task: provision.Task) -> BySet:
    scores = {}
    for name in problem.tests.keys() & by_set.keys():
        _, target = workload.pairs(problem.tests[name].astype(np.float64), problem.layout)
        each = [provision.score(task, values, target).nr_code for values in by_set[name]]
        scores[name] = np.array(each, np.float64)  # NaN where there is none
    return scores


def set_table(scored: Scored) -> pd.DataFrame:
    """One row a set and cell, or floor: mean, both intervals, paired differences, share closed.

    `minus_<reference>`: over seeds, negative favours the method; of DFL-matched also over windows,
    the mean of the seeds. `gap`: (DFL - floor) / floor;
    `closed`: (DFL - method) / (DFL - floor) where the gap is at least `GAP`, `closed_matched` the
    same from DFL-matched. `nr_code`: mean over seeds of the published score.
    """
    problem = scored.problem
    block = block_length(problem.layout.window, problem.protocol.test_stride)
    rows = []
    for name, unit in scored.units.items():
        judged = scored.excess | {FLOOR: scored.floors}
        excess = {key: by_set[name] for key, by_set in judged.items() if name in by_set}
        means = {key: ratio_of_sums(values, unit) for key, values in excess.items()}
        floor = scored.floors.get(name)
        for key, mine in means.items():
            row: dict[str, Any] = _cell(scored, key) | {"test_set": name, "windows": len(unit)}
            row |= estimate("mean", excess[key], unit, block) | _differences("", key, means)
            if (key[0], MATCHED) in excess:
                over = (excess[key] - excess[key[0], MATCHED]).mean(axis=0)
                low, high = block_interval(over, unit, block=block)
                row |= {"minus_matched_window_low": low, "minus_matched_window_high": high}
            codes = scored.nr_code.get(key, {})
            if name in codes:
                row["nr_code"] = float(codes[name].mean())
            if floor is not None:
                row |= _gap(key[0], mine, means, float(floor.sum() / unit.sum()))
            rows.append(row)
    return pd.DataFrame(rows)


def _cell(scored: Scored, key: Key) -> dict[str, str]:
    return {"setting": scored.setting, "architecture": key[0], "method": key[1]}


def _gap(
    architecture: str, mine: np.ndarray, means: dict[Key, np.ndarray], floor: float
) -> dict[str, float]:
    row = {"floor": floor}
    for label, reference in (("closed", "dfl"), ("closed_matched", MATCHED)):
        start = means.get((architecture, reference))
        if start is None:
            continue
        gap = float(start.mean()) / floor - 1.0
        if reference == "dfl":
            row["gap"] = gap
        if gap >= GAP:
            row |= _share(label, start - mine, start - floor)
    return row


def _share(name: str, part: np.ndarray, whole: np.ndarray) -> dict[str, float]:
    """Ratio of means over seeds, both [seeds] and paired; its interval is that of the ratio
    linearised in both (delta method)."""
    share = part.mean() / whole.mean()
    return _estimate(name, share + (part - share * whole) / whole.mean())


def _differences(prefix: str, key: Key, values: dict[Key, np.ndarray]) -> dict[str, float]:
    """Paired differences of `key` to those of `REFERENCES` that there are, with intervals."""
    row = {}
    for label, reference in REFERENCES.items():
        place = (key[0], reference) if isinstance(reference, str) else reference
        other = values.get(place)
        if other is not None:
            row |= _estimate(f"{prefix}minus_{label}", values[key] - other)
    return row


def _estimate(name: str, values: np.ndarray) -> dict[str, float]:
    """Mean over seeds with its interval."""
    low, high = seed_interval(values)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def summary_table(scored: Scored) -> pd.DataFrame:
    """One row a cell: own part, average and worst over shifted sets, the same on validation.

    Test sets of fewer than `FEW_WINDOWS` windows do not count. Differences are paired over seeds;
    the worst set is each seed's own. `floored_*`: over the shifted sets that have a floor, which
    makes them comparable with the row of the floor (that is no method). `gaps`: how many sets have
    a gap of at least `GAP`; `closed_mean`, `closed_least`: shares of them that are closed.
    """
    problem = scored.problem
    tests = [
        name
        for name, windows in problem.tests.items()
        if len(windows) >= workload.FEW_WINDOWS and name != problem.own
    ]
    over = {
        "": tests,
        "floored_": [name for name in tests if name in scored.floors],
        "validation_": [VALIDATION, *(f"{VALIDATION}:{k}" for k in problem.validation_shifts)],
    }
    measures = {
        key: _measures(by_set, scored.units, problem.own, over)
        for key, by_set in (scored.excess | {FLOOR: scored.floors}).items()
    }
    compared = {
        name: {key: mine[name] for key, mine in measures.items() if name in mine}
        for name in COMPARED
    }
    rows = []
    for key, mine in measures.items():
        row: dict[str, Any] = {}
        for name, values in mine.items():
            row |= _estimate(name, values)
            if name in COMPARED:
                row |= _differences(f"{name}_", key, compared[name])
        if row:
            rows.append(_cell(scored, key) | row | _closed(scored, key, tests))
    return pd.DataFrame(rows)


def _measures(
    by_set: BySet, units: BySet, own: str, over: dict[str, list[str]]
) -> dict[str, np.ndarray]:
    """Scores [seeds] of one method, those that need sets it has; `over`: sets by prefix."""
    scores = {name: ratio_of_sums(values, units[name]) for name, values in by_set.items()}
    found = {"own": scores[own]} if own in scores else {}
    if VALIDATION in scores:
        found["validation"] = scores[VALIDATION]
    for prefix, names in over.items():
        if names and all(name in scores for name in names):
            each = np.array([scores[name] for name in names])
            found |= {f"{prefix}average": each.mean(axis=0), f"{prefix}worst": each.max(axis=0)}
    return found


def _closed(scored: Scored, key: Key, tests: list[str]) -> dict[str, float]:
    """Gaps of an architecture that are at least `GAP`: how many, and the shares closed."""
    mine, start = scored.excess.get(key), (key[0], "dfl")
    if mine is None or start not in scored.excess:
        return {}
    shares = []
    for name in tests:
        if name in scored.floors:
            unit = scored.units[name]
            means = {start: ratio_of_sums(scored.excess[start][name], unit)}
            floor = float(scored.floors[name].sum() / unit.sum())
            gap = _gap(key[0], ratio_of_sums(mine[name], unit), means, floor)
            shares += [gap["closed"]] if "closed" in gap else []
    if not shares:
        return {}
    return {
        "gaps": len(shares),
        "closed_mean": float(np.mean(shares)),
        "closed_least": float(np.min(shares)),
    }
