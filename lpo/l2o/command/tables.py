"""Tables of what methods reached."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.l2o.command.competing import Entry
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.world import World
from lpo.l2o.contest import Drawn
from lpo.l2o.diversity import diversity
from lpo.l2o.measures import evaluations_to, gap_at, gaps, or_worst
from lpo.provision.intervals import Interval, seed_interval


def power(number: float) -> str:
    """Such as 1e-3, 5e-2."""
    return np.format_float_scientific(number, trim="-", exp_digits=1)


def goal_of(cfg: L2oConfig, world: World) -> float:
    """What methods are to reach: a gap, and an objective where the least is 0."""
    assert cfg.success is not None
    return cfg.success if least_is_zero(world) else cfg.target


def least_is_zero(world: World) -> bool:
    """Whether objectives speak for themselves."""
    return not np.asarray(world.least).any()


def method_table(cfg: L2oConfig, world: World, entries: list[Entry]) -> pd.DataFrame:
    """One row a method and amount of work that it has something after."""
    rows: list[dict[str, Any]] = []
    given: Any = cfg
    zero = least_is_zero(world)
    for entry in entries:
        every = [_of_gaps(world, trace.value) for trace in entry.traces]
        for work in given.work:
            at = np.stack(
                [
                    np.asarray(gap_at(gap, trace.calls, work))
                    for gap, trace in zip(every, entry.traces, strict=True)
                ]
            )
            if np.isnan(at).all():
                continue
            value = at * _denominator(world) + np.asarray(world.least)
            low, high = _interval(at)
            rows.append(
                {
                    "method": entry.name,
                    "evaluations": work,
                    "gap_median": np.median(at),
                    "gap_mean": at.mean(),
                    f"reached_{power(cfg.target)}": (at <= cfg.target).mean(),
                    "gap_mean_low": low,
                    "gap_mean_high": high,
                    "value_mean": value.mean(),
                    "value_median": np.median(value),
                    "success": (value < given.success).mean() if zero else np.nan,
                }
            )
    return pd.DataFrame(rows)


def summary_table(cfg: L2oConfig, world: World, entries: list[Entry]) -> pd.DataFrame:
    """One row a method: work to the target, and what it ends with."""
    rows = []
    given: Any = cfg
    zero, goal = least_is_zero(world), goal_of(cfg, world)
    for entry in entries:
        every = [_of_gaps(world, trace.value) for trace in entry.traces]
        needed = np.stack(
            [
                np.asarray(evaluations_to(trace.value if zero else gap, trace.calls, goal))
                for gap, trace in zip(every, entry.traces, strict=True)
            ]
        )
        median = float(np.median(needed))
        last = np.stack([np.asarray(gap[:, -1]) for gap in every])
        value = last * _denominator(world) + np.asarray(world.least)
        gap_ends, value_ends = _interval(last), _interval(value)
        one = entry.traces[0]
        rows.append(
            {
                "method": entry.name,
                "kind": entry.kind,
                "evaluations_to_target": median if np.isfinite(median) else np.nan,
                "reached": np.isfinite(needed).mean(),
                "evaluations": int(one.calls[0, -1]),
                "depth": int(one.depth[0, -1]),
                "gap_mean": last.mean(),
                "gap_mean_low": gap_ends[0],
                "gap_mean_high": gap_ends[1],
                "value_mean": value.mean(),
                "value_mean_low": value_ends[0],
                "value_mean_high": value_ends[1],
                "success": (value < given.success).mean() if zero else np.nan,
                "milliseconds": 1e3 * entry.seconds / (len(one.value) * len(entry.traces)),
                "rate": np.nan if entry.rate is None else entry.rate,
            }
        )
    return pd.DataFrame(rows)


def curve_table(world: World, entries: list[Entry]) -> pd.DataFrame:
    """Gaps by work: method, kind, evaluations, gap_median, gap_mean, value_median, value_mean."""
    parts = []
    for entry in entries:
        gap = np.mean([np.asarray(_of_gaps(world, each.value)) for each in entry.traces], 0)
        value = np.mean([np.asarray(each.value) for each in entry.traces], 0)
        parts.append(
            pd.DataFrame(
                {
                    "method": entry.name,
                    "kind": entry.kind,
                    "evaluations": np.asarray(entry.traces[0].calls)[0],
                    "gap_median": np.median(gap, 0),
                    "gap_mean": gap.mean(0),
                    "value_median": np.median(value, 0),
                    "value_mean": value.mean(0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def diversity_table(world: World, drawn: list[Drawn]) -> pd.DataFrame:
    """By the number of samples: the best one's gap, and how different samples are. Empty for one
    sample a problem."""
    count = drawn[0].each.value.shape[1] if drawn else 1
    if count < 2:
        return pd.DataFrame()
    found = [diversity(one.each.x, one.each.value) for one in drawn]
    best = np.stack([np.asarray(each.best_of) for each in found])
    least, under = np.asarray(world.least)[:, None], _denominator(world)[:, None]
    return pd.DataFrame(
        {
            "samples": np.arange(1, count + 1),
            "gap_mean": ((best - least) / under).mean((0, 1)),
            "value_mean": best.mean((0, 1)),
            "distance": np.mean([each.distance for each in found]),
            "value_sd": np.mean([each.value_sd for each in found]),
        }
    )


def _of_gaps(world: World, values: Any) -> Any:
    return or_worst(gaps(values, world.least, world.scale))


def _denominator(world: World) -> np.ndarray:
    return np.maximum(np.abs(np.asarray(world.least)), world.scale)


def _interval(gap: np.ndarray) -> Interval:
    """95 % t-interval of the mean of gaps or objectives [seeds, B]: over seeds, over problems for
    one seed."""
    return seed_interval(gap.mean(1) if len(gap) > 1 else gap[0])
