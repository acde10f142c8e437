"""Paid when complete or in two parts: what policies earn either way, and which queue they build."""

from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import numbers_or
from lpo.runs.pictures import bar_picture
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.fleets import Run, Size, simulate_runs
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import Simulated, mean_decode_s, span_of
from lpo.serve.measures import measure, rewards
from lpo.serve.plans.knapsack import load
from lpo.serve.plans.plan import FluidPlan, solve_plan
from lpo.serve.plans.program import Pricing
from lpo.serve.totals import Totals

SCHEMES = (Pricing.BUNDLED, Pricing.SEPARATE)
QUEUES = ("waiting_prefill", "waiting_decode")


class Tried(NamedTuple):
    """A policy under the plan for one way of paying. totals: from an empty fleet on; counted: of
    them, after the warm-up."""

    name: str
    scheme: Pricing
    run: Simulated
    totals: Totals
    counted: Totals


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate each policy under the plans for both ways of paying, and pay it both ways."""
    values = numbers_or(cfg, decode_times=(40,))
    plans = {
        scheme: solve_plan(problem.instance, problem.levels, pricing=scheme) for scheme in SCHEMES
    }
    tried = _tried(cfg, problem, values["decode_times"][0])
    plan_table = pd.DataFrame([_plan_row(problem, scheme, plans[scheme]) for scheme in SCHEMES])
    best = {scheme: plans[scheme].value for scheme in SCHEMES}
    table = pd.DataFrame([_row(problem, each, cfg.n, best) for each in tried])
    series = pd.concat([_series(problem, each, cfg.n) for each in tried], ignore_index=True)
    rows = table.to_dict("records")
    columns = ("run", *(f"share_{scheme}" for scheme in SCHEMES), *QUEUES)
    brief = pd.DataFrame({name: table[name] for name in columns})
    first = {scheme: max(rows, key=lambda row, s=scheme: row[f"share_{s}"]) for scheme in SCHEMES}
    backlog = {
        scheme: [row["waiting_decode"] for row in rows if row["plan"] == str(scheme)]
        for scheme in SCHEMES
    }
    return Findings(
        result=(
            f"paid when complete, {first[Pricing.BUNDLED]['run']} earns most; paid in two parts, "
            f"{first[Pricing.SEPARATE]['run']} does"
        ),
        metrics={
            **{f"lp_reward_per_gpu/{scheme}": best[scheme] for scheme in SCHEMES},
            **{
                f"decode_backlog_per_gpu/{scheme}": float(np.mean(each))
                for scheme, each in backlog.items()
                if each
            },
            **{
                f"share/{scheme}/{row['policy']}/{row['plan']}_plan": float(row[f"share_{scheme}"])
                for row in rows
                for scheme in SCHEMES
            },
        },
        tables={
            "schemes": ResultTable(
                "Policies, paid either way",
                "plan: the prices that the plan of the policy was made for. reward_bundled, "
                "reward_separate: revenue per GPU and second if a request is paid when it is "
                "complete, and if its prompt is paid after the prefill; share: over the R* of that "
                "way of paying. Requests that wait: per GPU.",
                table,
            ),
            "plans": ResultTable(
                "Plans",
                "What each plan would earn either way, its share of GPUs that prefill, and the "
                "requests per GPU that it keeps waiting.",
                plan_table,
            ),
            "series": ResultTable("Series", "Means over seeds of each window, per GPU.", series),
        },
        pictures=_pictures(cfg, problem, table, series, best),
        shown=[("plans, per GPU", plan_table), ("policies, share of R* and queues per GPU", brief)],
        notes=list(problem.optimum.notes),
    )


def _tried(cfg: ServeConfig, problem: Problem, decode_times: float) -> list[Tried]:
    """From an empty fleet: the warm-up is cut into windows like what counts."""
    seconds = decode_times * mean_decode_s(problem.instance)
    span = span_of(problem.instance, cfg.warm_up_s, seconds if cfg.seconds is None else cfg.seconds)
    window_s = span.seconds / cfg.windows
    lead = int(np.ceil(span.warm_up_s / window_s - 1e-9))
    windows = lead + cfg.windows
    size = Size(cfg.n, cfg.seeds, 0.0, windows * window_s)
    runs: list[Run] = []
    for policy in problem.policies:
        fixed = policy.pricing == Pricing.SEPARATE and problem.pricing == Pricing.BUNDLED
        for scheme in SCHEMES[1:] if fixed else SCHEMES:
            runs.append(Run(problem, policy._replace(pricing=scheme), size))
    found = simulate_runs(replace(cfg, windows=windows), runs)
    return [
        Tried(
            f"{run.policy.name}, {run.policy.pricing} plan",
            Pricing(run.policy.pricing),
            each,
            each.totals,
            jax.tree.map(lambda leaf: leaf[:, lead:], each.totals),
        )
        for run, each in zip(runs, found, strict=True)
    ]


def _plan_row(problem: Problem, scheme: Pricing, plan: FluidPlan) -> dict[str, object]:
    instance = problem.instance
    prompts, decodes = instance.price_prompt * instance.prompt, instance.price_decode
    done = decodes * instance.decode @ plan.completed
    return {
        "plan": str(scheme),
        "reward_bundled": float(prompts @ plan.completed + done),
        "reward_separate": float(prompts @ plan.admitted + done),
        "prefilling": float(plan.x.sum()),
        "waiting_prefill": float(plan.q_p.sum()),
        "waiting_decode": float(plan.q_d.sum()),
    }


def _row(
    problem: Problem, tried: Tried, gpus: int, best: dict[Pricing, float]
) -> dict[str, object]:
    m = measure(tried.counted, problem.instance, gpus)
    earned = {Pricing.BUNDLED: m.reward_bundled, Pricing.SEPARATE: m.reward_separate}
    row: dict[str, object] = {
        "run": tried.name,
        "policy": tried.run.planned.policy.name,
        "plan": str(tried.scheme),
    }
    for scheme, estimate in earned.items():
        row[f"reward_{scheme}"] = float(estimate.mean)
        row[f"reward_{scheme}_se"] = float(estimate.error)
        row[f"share_{scheme}"] = float(estimate.mean) / best[scheme]
    return row | {
        "waiting_prefill": float(m.waiting_prefill.mean),
        "waiting_decode": float(m.waiting_decode.mean),
        "abandonment": float(m.abandonment.mean),
        "mixed_gpus": float(tried.run.planned.targets.mixed),
    }


def _series(problem: Problem, tried: Tried, gpus: int) -> pd.DataFrame:
    """One row a window."""
    t = tried.totals
    per = gpus * t.seconds.sum(0)
    values = {
        **{
            f"reward_{scheme}": rewards(t, problem.instance, scheme).sum(0) / per
            for scheme in SCHEMES
        },
        "waiting_prefill": t.time.waiting_prefill.sum(-1).sum(0) / per,
        "waiting_decode": t.time.waiting_decode.sum(-1).sum(0) / per,
    }
    return pd.DataFrame({"run": tried.name, "end_s": np.cumsum(t.seconds.mean(0))} | values)


def _pictures(
    cfg: ServeConfig,
    problem: Problem,
    table: pd.DataFrame,
    series: pd.DataFrame,
    best: dict[Pricing, float],
) -> dict[str, Picture]:
    setting = f"{cfg.instance.name}, load {load(problem.instance):.3g}, {cfg.n} GPUs"
    shares = table.rename(columns={f"share_{scheme}": f"paid {scheme}" for scheme in SCHEMES})
    return {
        "queues": line_picture(
            "Queues and revenue from an empty fleet",
            f"{setting}, means over {cfg.seeds} seeds. A plan for separate prices prefills whoever "
            "pays for it and lets them wait afterwards; a bundled one keeps the queue in front of "
            "the prefill. Dashed: R* of each way of paying.",
            series,
            [
                Lines("Waiting for prefill", "end_s", "waiting_prefill", "run"),
                Lines("Waiting to decode", "end_s", "waiting_decode", "run"),
                *(
                    Lines(f"Revenue, {scheme}", "end_s", f"reward_{scheme}", "run")._replace(
                        reference=best[scheme]
                    )
                    for scheme in SCHEMES
                ),
            ],
            {
                "end_s": "seconds",
                "run": "policy",
                "waiting_prefill": "requests per GPU",
                "waiting_decode": "requests per GPU",
                **{f"reward_{scheme}": "per GPU and second" for scheme in SCHEMES},
            },
        ),
        "shares": bar_picture(
            "Revenue either way, over R*",
            f"{setting}, after the warm-up. 1: the R* of that way of paying.",
            shares,
            "run",
            [f"paid {scheme}" for scheme in SCHEMES],
            "share of R*",
            limit=1.0,
        ),
    }
