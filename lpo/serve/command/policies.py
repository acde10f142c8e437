"""Policies on one instance: chains for means, single requests for percentiles."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable, progress
from lpo.runs.lines import Lines
from lpo.runs.pictures import bar_picture
from lpo.serve.command.comparing import class_rows, policy_row, series
from lpo.serve.command.config import ServeConfig, SimulatorKind
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.plan_tables import plan_tables
from lpo.serve.command.problem import Planned, Problem, planned
from lpo.serve.command.requesting import Requested, request_row, simulate_requests, wait_rows
from lpo.serve.command.simulating import Simulated, simulate_chain
from lpo.serve.iteration_time import TwoRegimeKV
from lpo.serve.plans.knapsack import load

METRICS = (
    "reward_per_gpu",
    "lp_reward_per_gpu",
    "reward_ratio",
    "reward_se",
    "throughput_tokens_per_gpu_s",
    "ttft_p50_s",
    "ttft_p99_s",
    "tpot_mean_s",
    "abandonment",
)
"""Of the policy that is named first, in `summary.json`."""

_SHOWN = {
    "policy": "policy",
    "simulator": "chain",
    "reward_per_gpu": "revenue",
    "reward_se": "+-",
    "reward_ratio": "of R*",
    "throughput_tokens_per_gpu_s": "tokens",
    "abandonment": "give up",
    "least_served_class": "least served",
    "ttft_p50_s": "TTFT p50",
    "ttft_p99_s": "TTFT p99",
    "tpot_mean_s": "TPOT",
}
"""Columns on the terminal, and what they are called there."""


def compare_policies(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate every policy that is asked for on `n` GPUs."""
    each = [planned(problem, policy, cfg.n) for policy in problem.policies]
    runs, requested = simulate_all(cfg, problem, each, cfg.n)
    table = pd.DataFrame(
        [
            policy_row(problem, run, cfg.n) | (request_row(more) if more else {})
            for run, more in zip(runs, requested, strict=True)
        ]
    )
    first = table.iloc[0]
    ranked = table.sort_values("reward_per_gpu", ascending=False, kind="stable")
    classes = pd.concat([class_rows(problem, run, cfg.n) for run in runs])
    tables = {
        "policies": ResultTable("Policies", _caption(cfg, problem), ranked),
        "classes": ResultTable(
            "Classes",
            "Per GPU: requests per second and mean numbers in each stage, with standard errors, "
            "beside the policy's own plan.",
            classes,
        ),
        **plan_tables(problem, cfg.n),
        "series": ResultTable(
            "Series",
            "Means of windows over seeds, per GPU; revenue per second.",
            pd.concat([series(problem, run, cfg.n) for run in runs]),
        ),
    }
    waits = [wait_rows(more) for more in requested if more]
    if waits:
        tables["waits"] = ResultTable(
            "Waits",
            "Of single requests, by class and of all: time to first token, and time per output "
            "token with the wait between prefill and decode.",
            pd.concat(waits),
        )
    return Findings(
        result=_result(problem, first),
        metrics={name: _number(first, name) for name in METRICS},
        tables=tables,
        pictures=_pictures(ranked, tables["series"].data),
        shown=[
            (
                "policies; revenue, tokens per GPU and second; TTFT, TPOT of requests, seconds",
                pd.DataFrame({say: ranked[name] for name, say in _SHOWN.items() if name in ranked}),
            )
        ],
        notes=_notes(problem, requested),
    )


def simulate_all(
    cfg: ServeConfig, problem: Problem, each: Sequence[Planned], gpus: int
) -> tuple[list[Simulated], list[Requested | None]]:
    """Run chain and single requests of every policy, or single requests alone."""
    runs: list[Simulated] = []
    requested: list[Requested | None] = []
    with progress(len(each), "policies", "policy") as advance:
        for one in each:
            more = None
            if cfg.requests.enabled:
                more = simulate_requests(cfg, problem, one, gpus)
            if cfg.simulator is SimulatorKind.request:
                assert more is not None
                runs.append(more.simulated)
            else:
                runs.append(simulate_chain(cfg, problem, one, gpus))
            requested.append(more)
            advance(1)
    return runs, requested


_MOST_LINES = 7  # that can be told apart


def _number(row: pd.Series, name: str) -> float | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else float(value)


def _result(problem: Problem, first: pd.Series) -> str:
    share = _number(first, "reward_ratio")
    if share is None:
        return f"{first['policy']} ran; nothing is paid"
    return (
        f"{first['policy']} earns {100.0 * share:.1f} % of the plan's R* = "
        f"{problem.optimum.value:.6g} per GPU and second"
    )


def _caption(cfg: ServeConfig, problem: Problem) -> str:
    return (
        f"{cfg.n} GPUs, {cfg.seeds} seeds, {problem.pricing} prices, load "
        f"{load(problem.instance):.3g}. reward_per_gpu: mean revenue per GPU and second from "
        "intensities, reward_se its standard error, reward_counted: from completions, "
        "reward_controlled: less what chance in the arrivals did, which may lift reward_ratio a "
        "little above 1; reward_ratio: over R*, the "
        "linear program's (lp_reward_per_gpu). simulator: the one behind these columns; "
        "percentiles are of single requests."
    )


def _pictures(table: pd.DataFrame, windows: pd.DataFrame) -> dict[str, Picture]:
    best = list(table["policy"][:_MOST_LINES])
    found = {
        "series": line_picture(
            "Revenue and queues over time",
            f"Means over seeds of each window, per GPU; the {_MOST_LINES} policies at most that "
            "earn most.",
            windows.loc[windows["policy"].isin(best)],
            [
                Lines("Revenue", "end_s", "reward_per_gpu", "policy"),
                Lines("Waiting for prefill", "end_s", "waiting_prefill_per_gpu", "policy"),
                Lines("Waiting to decode", "end_s", "waiting_decode_per_gpu", "policy"),
                Lines("Prefilling", "end_s", "prefilling_per_gpu", "policy"),
            ],
            {
                "end_s": "seconds after the warm-up",
                "waiting_prefill_per_gpu": "requests per GPU",
                "waiting_decode_per_gpu": "requests per GPU",
                "prefilling_per_gpu": "share of GPUs",
            },
        )
    }
    if len(table) > 1 and not np.isnan(table["reward_ratio"].to_numpy(np.float64)).any():
        found = {
            "policies": bar_picture(
                "Share of the plan's revenue",
                "Mean over seeds; 1 is the linear program's R*, which no policy beats for long.",
                table,
                "policy",
                ["reward_ratio"],
                LABEL_RATIO,
                limit=1.0,
            ),
            **found,
        }
    return found


LABEL_RATIO = "share of R*"


def _notes(problem: Problem, requested: Sequence[Requested | None]) -> list[str]:
    notes = list(problem.optimum.notes)
    notes += [
        f"class {i} has no patience limit and {100.0 * share:.3g} % of it cannot be served: its "
        "queue, its waits and the share that is unfinished grow with the length of the run."
        for i, share in enumerate(
            problem.optimum.rejected / np.maximum(problem.instance.arrival, 1e-30)
        )
        if share > 1e-6
    ]
    if load(problem.instance) < 0.9:
        notes.append(
            f"the load is {load(problem.instance):.2g}: everybody can be served, and serving in "
            "the order of arrival (fcfs) is optimal."
        )
    if isinstance(problem.iteration_time, TwoRegimeKV) and any(requested):
        notes.append(
            "single requests pay for the cache that attention reads (k_kv), plan and chains do "
            "not: shares of R* of simulator=request refer to a faster GPU."
        )
    lost = {more.simulated.planned.policy.name: more.dropped for more in requested if more}
    notes += [
        f"{name}: {count} requests did not fit the buffers of the request-level simulator and "
        "count as lost."
        for name, count in lost.items()
        if count
    ]
    return notes
