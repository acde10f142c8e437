"""Revenue per GPU and queues against the number of GPUs, beside what the plan promises."""

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.serve.command.class_panels import class_panels
from lpo.serve.command.comparing import class_rows, policy_row
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.fleets import Size, each_on_every_fleet, simulate_runs
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import Simulated
from lpo.serve.measures import rewards
from lpo.serve.plans.knapsack import load

BAND = (0.05, 0.95)
"""Of single runs: the share of them that earn less than either end of a band."""


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate each policy on every fleet."""
    runs = each_on_every_fleet(cfg, problem)
    found = simulate_runs(cfg, runs)
    rows = [fleet_row(problem, run.size, each) for run, each in zip(runs, found, strict=True)]
    table = pd.DataFrame(rows)
    classes = pd.concat(
        [class_rows(problem, each, run.size.gpus) for run, each in zip(runs, found, strict=True)],
        ignore_index=True,
    )
    earned = [float(each.measures.reward.mean) / problem.optimum.value for each in found]
    most = runs[-1].size.gpus
    at_most = [i for i, run in enumerate(runs) if run.size.gpus == most]
    best = max(at_most, key=lambda i: earned[i])
    shown = table.pivot(index="policy", columns="n", values="reward_ratio")
    shown = shown.loc[[policy.name for policy in problem.policies]].reset_index()
    return Findings(
        result=(
            f"{runs[best].policy.name} earns most on {most} GPUs: "
            f"{100.0 * earned[best]:.1f} % of R* = {problem.optimum.value:.6g}"
        ),
        metrics={
            f"reward_ratio/{run.policy.name}/n_{run.size.gpus}": share
            for run, share in zip(runs, earned, strict=True)
        },
        tables={
            "fleets": ResultTable(
                "Revenue by fleet size",
                "reward_per_gpu: mean revenue per GPU and second with its standard error over "
                "seeds; low, high: 5 and 95 % quantiles of the means of single runs of `seconds`; "
                "reward_ratio: over R*.",
                table,
            ),
            "classes": ResultTable(
                "Classes by fleet size",
                "Per GPU: requests per second and mean numbers in each stage, with standard "
                "errors, beside the policy's own plan.",
                classes,
            ),
        },
        pictures=_pictures(cfg, problem, table, classes),
        shown=[("share of R* by number of GPUs", shown)],
        notes=list(problem.optimum.notes),
    )


def fleet_row(problem: Problem, size: Size, run: Simulated) -> dict[str, object]:
    """What a policy earned on a fleet, over all seeds and in the single ones."""
    totals = run.totals
    earned = rewards(totals, problem.instance, problem.pricing).sum(-1)
    each = earned / (size.gpus * totals.seconds.sum(-1))
    low, high = np.quantile(each, BAND)
    ends = {"seeds": size.seeds, "seconds": size.seconds, "low": low, "high": high}
    return policy_row(problem, run, size.gpus) | ends


def _pictures(
    cfg: ServeConfig, problem: Problem, table: pd.DataFrame, classes: pd.DataFrame
) -> dict[str, Picture]:
    setting = f"{cfg.instance.name}, load {load(problem.instance):.3g}"
    revenue = Lines(
        "",
        "n",
        "reward_per_gpu",
        "policy",
        reference=problem.optimum.value,
        log=(True, False),
        band=("low", "high"),
    )
    planless = [policy.name for policy in problem.policies if not policy.planned]
    plans = [str(name) for name in classes.columns if str(name).startswith("planned_")]
    shown = classes.copy()
    shown.loc[shown["policy"].isin(planless), plans] = np.nan
    queues = class_panels(
        shown,
        {
            "waiting_prefill": ("waiting for prefill", "requests per GPU"),
            "waiting_decode": ("waiting to decode", "requests per GPU"),
        },
    )
    return {
        "revenue": line_picture(
            "Revenue per GPU against fleet size",
            f"{setting}, {problem.pricing} prices. Shaded: 90 % of single runs. Dashed: R*, the "
            "plan's revenue, which no policy beats for long.",
            table,
            [revenue],
        ),
        "queues": line_picture(
            "Queues against fleet size",
            f"{setting}. Bars: 95 % over seeds. Dashed: the plan of each policy that follows one.",
            *queues,
        ),
    }
