"""A trace under policies: with plans that follow it, with one plan, and with hindsight."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable, progress
from lpo.runs.lines import Lines
from lpo.serve.command.config import ServeConfig, TraceLengthsKind
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.plan_tables import plan_tables
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import finite
from lpo.serve.command.traces import GivenTrace, requests_of_trace
from lpo.serve.plans.knapsack import load
from lpo.serve.policies import Policy
from lpo.serve.replay import Planning, Replay, Series, replay, series, summary


def replay_trace(cfg: ServeConfig, problem: Problem) -> Findings:
    """Replay the trace under every policy, planned anew and by one plan."""
    given = trace_given(problem)
    ways = [Planning.REPLANNED, Planning.STATIC, Planning.HINDSIGHT]
    if cfg.trace.replan_s is None:
        ways = ways[1:]
    runs = list(replays(cfg, problem, problem.policies, ways))
    table = pd.DataFrame([row for row, _ in runs])
    windows = pd.concat([window_rows(row, done) for row, done in runs])
    first = runs[0][0]
    return Findings(
        result=f"{first['policy']}, {first['planning']}, earns "
        f"{100.0 * first['reward_ratio']:.1f} % of the hindsight plan's "
        f"{first['lp_reward_per_gpu']:.6g} per GPU and second",
        metrics=replay_metrics(first),
        tables={
            "policies": ResultTable("Replay", replay_caption(cfg, given), table),
            "trace_classes": ResultTable(
                "Classes",
                "Of the head of the trace, from which the first plan is made.",
                classes_frame(given),
            ),
            "series": ResultTable(
                "Series",
                "By window; requests per second of the whole fleet, revenue per GPU and second.",
                windows,
            ),
            **plan_tables(problem, cfg.n),
        },
        pictures={"series": series_picture(windows)},
        shown=[("replay; revenue per GPU and second, waits in seconds", shown_replays(table))],
        notes=load_notes(problem),
    )


def trace_given(problem: Problem) -> GivenTrace:
    """The trace of a problem that has one."""
    assert problem.trace is not None
    return problem.trace


def replays(
    cfg: ServeConfig,
    problem: Problem,
    policies: Sequence[Policy],
    ways: Iterable[Planning],
    *,
    class_error: float | None = None,
    lengths: TraceLengthsKind | None = None,
) -> Iterable[tuple[dict[str, Any], Replay]]:
    """Give a row and the replay of each policy and way of planning, on the same requests."""
    given, ways = trace_given(problem), list(ways)
    requests = requests_of_trace(
        cfg, given, problem.instance, seed=cfg.seed, class_error=class_error, lengths=lengths
    )
    kv_tokens = cfg.requests.kv_tokens
    with progress(len(policies) * len(ways), "replays", "replay") as advance:
        for policy in policies:
            for way in ways if policy.planned else [Planning.STATIC]:
                done = replay(
                    policy,
                    problem.instance,
                    requests,
                    gpus=cfg.n,
                    duration_s=given.rest.duration_s,
                    window_s=cfg.trace.replan_s or given.rest.duration_s,
                    planning=way,
                    weight=cfg.trace.smoothing,
                    margin=cfg.trace.margin,
                    levels=problem.levels,
                    times=problem.iteration_time,
                    kv_tokens=None if kv_tokens is None else int(kv_tokens),
                    seed=cfg.seed,
                )
                yield replay_row(policy, way, done), done
                advance(1)


def replay_row(policy: Policy, way: Planning, done: Replay) -> dict[str, Any]:
    """What a replay came to, all classes together."""
    found = summary(done)
    m = found.measures
    return {
        "policy": policy.name,
        "planning": str(way) if policy.planned else "none",
        "reward_per_gpu": found.reward,
        "lp_reward_per_gpu": found.lp_reward,
        "reward_ratio": found.reward_ratio,
        "throughput_tokens_per_gpu_s": finite(m.prompt_tokens + m.decode_tokens),
        "ttft_p50_s": finite(m.ttft_p50_s[0]),
        "ttft_p90_s": finite(m.ttft_p90_s[0]),
        "ttft_p99_s": finite(m.ttft_p99_s[0]),
        "tpot_mean_s": finite(m.tpot_mean_s[0]),
        "tpot_p99_s": finite(m.tpot_p99_s[0]),
        "abandonment": finite(m.abandonment[0]),
        "requests": int(m.requests[0]),
        "slot_use": finite(m.slot_use),
        "cache_tokens": finite(m.cache),
        "mixed_gpus": float(np.mean([float(each.targets.mixed) for each in done.plans])),
        "plans_kept": int(done.kept.sum()),
        "refused": found.refused,
        "dropped": found.dropped,
    }


def replay_metrics(row: dict[str, Any]) -> dict[str, float | None]:
    """The metrics of one replay, by the names that every run of the command has."""
    names = (
        "reward_per_gpu",
        "lp_reward_per_gpu",
        "reward_ratio",
        "throughput_tokens_per_gpu_s",
        "ttft_p50_s",
        "ttft_p99_s",
        "tpot_mean_s",
        "abandonment",
    )
    return {name: row[name] for name in names}


def shown_replays(table: pd.DataFrame) -> pd.DataFrame:
    """The columns for the terminal, in short words."""
    words = {
        "policy": "policy",
        "planning": "planning",
        "class_error": "class error",
        "lengths": "lengths",
        "reward_per_gpu": "revenue",
        "reward_ratio": "of hindsight",
        "abandonment": "give up",
        "ttft_p50_s": "TTFT p50",
        "ttft_p99_s": "TTFT p99",
        "tpot_mean_s": "TPOT",
        "mixed_gpus": "M",
    }
    return pd.DataFrame({say: table[name] for name, say in words.items() if name in table})


def window_rows(row: dict[str, Any], done: Replay) -> pd.DataFrame:
    """The series of a replay, one row a window."""
    found: Series = series(done)
    table = pd.DataFrame({"policy": row["policy"], "planning": row["planning"]}, range(1))
    table = table.loc[np.zeros(len(found.begin_s), int)].reset_index(drop=True)
    for name in Series._fields:
        values = np.asarray(getattr(found, name))
        if values.ndim == 1:
            table[name] = values
            continue
        for i in range(values.shape[1]):
            table[f"{name}_{i}"] = values[:, i]
    table["arriving"] = found.arrivals.sum(1)
    table["planned_for"] = np.nan if row["planning"] == "none" else found.rates.sum(1)
    return table


def series_picture(windows: pd.DataFrame) -> Picture:
    """Revenue, waits, requests and GPUs that prefill over time, of the first policies."""
    named = windows.assign(run=windows["policy"] + ", " + windows["planning"])
    each = named.drop_duplicates("policy")["run"], named["run"]  # every policy, then more plans
    kept = list(dict.fromkeys(pd.concat(each)))[:6]
    whole = named["end_s"] - named["begin_s"] > 0.5 * (named["end_s"] - named["begin_s"]).max()
    return line_picture(
        "The trace over time",
        "By window, at its beginning, without one that is cut short. The plan's rates are those "
        "measured before the window begins, with the margin.",
        named.loc[named["run"].isin(kept) & whole],
        [
            Lines("Revenue", "begin_s", "reward", "run"),
            Lines("Requests", "begin_s", "planned_for", "run", reference="arriving"),
            Lines("Time to first token, 99th percentile", "begin_s", "ttft_p99_s", "run"),
            Lines("GPUs that may prefill", "begin_s", "mixed", "run"),
        ],
        {
            "begin_s": "seconds after the head",
            "reward": "per GPU and second",
            "planned_for": "per second: planned for (line), came (dashed)",
            "ttft_p99_s": "seconds",
            "mixed": "M",
            "run": "policy, planning",
        },
    )


def classes_frame(given: GivenTrace) -> pd.DataFrame:
    """The classes of the head, with names."""
    table = given.table._asdict()
    words = {"names": "class", "rate": "requests_per_s"}
    words |= {"prompt": "prompt_tokens", "decode": "decode_tokens"}
    return pd.DataFrame({words.get(name, name): values for name, values in table.items()})


def replay_caption(cfg: ServeConfig, given: GivenTrace) -> str:
    """What was replayed, and how."""
    return (
        f"{given.name}: {len(given.rest.time_s)} requests in {given.rest.duration_s:.0f} s on "
        f"{cfg.n} GPUs, rates x {cfg.trace.rate_scale:g}, lengths {cfg.trace.lengths.name}, "
        f"{100.0 * cfg.trace.class_error:g} % taken for another class. Classes, mean lengths and "
        f"the first plan come from the {given.head.duration_s:.0f} s before. replanned: every "
        f"{cfg.trace.replan_s or np.inf:g} s from the rates measured until then; static: the first "
        "plan; hindsight: one plan for the rates of the whole replay, whose revenue in the linear "
        "program is lp_reward_per_gpu, what reward_ratio compares with. One replay, no interval."
    )


def load_notes(problem: Problem) -> list[str]:
    """Where the fleet is too large or too small for policies to matter."""
    share = load(problem.instance)
    notes = list(problem.optimum.notes)
    if share < 0.9:
        notes.append(
            f"the load of the head is {share:.2g}: everybody can be served, and policies differ "
            "in waits only; fewer GPUs (n) or a larger trace.rate_scale make them matter."
        )
    return notes
