"""The least fleet that keeps percentiles, for an instance or a trace."""

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, Infeasible, ResultTable
from lpo.runs.lines import Lines
from lpo.serve.capacity import Capacity, Limits, Measured, Tried, fleet_for
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.problem import Problem
from lpo.serve.command.replaying import classes_frame
from lpo.serve.command.requesting import USUAL, draw_requests
from lpo.serve.command.simulating import span_of
from lpo.serve.command.traces import requests_of_trace
from lpo.serve.plans.knapsack import minimum_fleet
from lpo.serve.requests import stack_requests

_SHOWN = {
    "n": "GPUs",
    "meets": "keep limits",
    "seeds_passed": "share of seeds",
    "ttft_s": "TTFT, s",
    "tpot_s": "TPOT, s",
    "abandonment": "give up",
}
"""Columns on the terminal, and what they are called there."""


def find_least_fleet(cfg: ServeConfig, problem: Problem) -> Findings:
    """Search the least fleet for the first policy, all seeds with the same requests at every size.

    Raises Infeasible on limits that no fleet, or not the largest allowed one, keeps.
    """
    policy, limits = problem.policies[0], limits_of(cfg)
    begin_s, end_s, window_s = 0.0, np.inf, None
    if problem.trace is None:
        span = span_of(problem.instance, cfg.requests.warm_up_s, cfg.requests.seconds, USUAL)
        begin_s, end_s = span.warm_up_s, span.warm_up_s + span.seconds
        requests = draw_requests(cfg, problem, cfg.n, end_s, cfg.search.seeds)
    else:
        window_s = cfg.trace.replan_s
        seeds = range(cfg.search.seeds)
        requests = stack_requests(
            [requests_of_trace(cfg, problem.trace, problem.instance, seed=seed) for seed in seeds]
        )
    kv_tokens = cfg.requests.kv_tokens
    try:
        found = fleet_for(
            policy,
            problem.instance,
            requests,
            limits,
            gpus=cfg.n,
            max_gpus=cfg.search.most,
            from_s=begin_s,
            to_s=end_s,
            window_s=window_s,
            weight=cfg.trace.smoothing,
            margin=1.0 if problem.trace is None else cfg.trace.margin,
            levels=problem.levels,
            times=problem.iteration_time,
            kv_tokens=None if kv_tokens is None else int(kv_tokens),
            seed=cfg.seed,
        )
    except InputError as error:  # numbers were checked before: no fleet keeps the limits
        raise Infeasible(_in_keys(str(error))) from error
    return _findings(cfg, problem, limits, found)


def _in_keys(words: str) -> str:
    """The names of the library as the keys of the configuration."""
    keys = {"max_gpus": "search.most", "ttft_s": "search.ttft_s", "tpot_s": "search.tpot_s"}
    for name, key in keys.items():
        words = words.replace(f"`{name}`", f"`{key}`")
    return words


def limits_of(cfg: ServeConfig) -> Limits:
    """The limits of the configuration."""
    asked = cfg.search
    return Limits(
        ttft_s=asked.ttft_s,
        ttft_percentile=asked.ttft_percentile,
        tpot_s=asked.tpot_s,
        tpot_percentile=asked.tpot_percentile,
        abandonment=asked.abandonment,
        per_class=asked.per_class,
    )


def tried_table(found: Capacity) -> pd.DataFrame:
    """One row a fleet that was simulated: the median seed, of the worst class where each counts."""
    return pd.DataFrame([_tried_row(tried) for tried in found.tried])


def _tried_row(tried: Tried) -> dict[str, object]:
    row: dict[str, object] = {"n": tried.gpus, "meets": tried.meets}
    row |= {"seeds_passed": tried.share.share}
    row |= {"seeds_low": tried.share.low, "seeds_high": tried.share.high}
    for name, values in zip(Measured._fields, tried.measured, strict=True):
        worst = np.nanmax(values, axis=1) if not np.isnan(values).all() else values[:, 0]
        row |= {name: np.median(worst), f"{name}_least": worst.min(), f"{name}_most": worst.max()}
    return row


def _findings(cfg: ServeConfig, problem: Problem, limits: Limits, found: Capacity) -> Findings:
    table = tried_table(found)
    least = minimum_fleet(problem.instance, cfg.n)
    share = found.confirmed
    lost = float(np.median(np.nanmax(found.at.measured.abandonment, axis=1)))
    notes = []
    if limits.abandonment is None and lost > 0.0:
        notes.append(
            f"{100.0 * lost:.3g} % of the requests give up or are lost on {found.gpus} GPUs, which "
            "no limit forbids: a fleet that loses requests is quick with the others; set "
            "search.abandonment."
        )
    if found.smaller_passed:
        notes.append(
            f"smaller fleets passed too ({', '.join(map(str, found.smaller_passed))}): more GPUs "
            "were not always better here, or the seeds are too few to tell."
        )
    tables = {
        "fleets": ResultTable(
            "Fleets that were tried",
            f"{cfg.search.seeds} seeds, the same requests for every fleet. A fleet meets the "
            "limits if at least half of the seeds do (seeds_passed, with its 95 % interval). The "
            "numbers are of the median seed, and of the best and worst one.",
            table,
        )
    }
    if problem.trace is not None:
        tables["trace_classes"] = ResultTable(
            "Classes", "Of the head of the trace.", classes_frame(problem.trace)
        )
    limited = [
        Lines(title, "n", name, reference=limit)
        for title, name, limit in (
            ("Time to first token", "ttft_s", limits.ttft_s),
            ("Time per output token", "tpot_s", limits.tpot_s),
            ("Share that gives up", "abandonment", limits.abandonment),
        )
        if limit is not None
    ]
    return Findings(
        result=f"{found.gpus} GPUs keep the limits with {problem.policies[0].name}; "
        f"{least.least:.4g} could just serve everything; in {100.0 * share.share:.0f} % of the "
        f"seeds {found.gpus} do and {found.gpus - 1} do not (95 %: {100.0 * share.low:.0f} to "
        f"{100.0 * share.high:.0f} %)",
        metrics={
            "least_fleet": float(found.gpus),
            "minimum_fleet": least.least,
            "confirmed_share": share.share,
            "confirmed_low": share.low,
            "confirmed_high": share.high,
        },
        tables=tables,
        pictures={
            "fleets": line_picture(
                "What the fleets keep",
                "The median seed; dashed: the limit.",
                table,
                limited,
                {"ttft_s": "seconds", "tpot_s": "seconds", "abandonment": "share of requests"},
            )
        },
        shown=[
            (
                "fleets that were tried; median seed",
                pd.DataFrame({say: table[name] for name, say in _SHOWN.items()}),
            )
        ],
        notes=notes,
    )
