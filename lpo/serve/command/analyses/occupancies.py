"""Whether slots are shared between classes as planned: occupancies against the number of GPUs."""

import numpy as np
import pandas as pd

from lpo.runs import Findings, ResultTable
from lpo.serve.command.class_panels import class_panels
from lpo.serve.command.comparing import class_rows
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.fleets import each_on_every_fleet, simulate_runs
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import Simulated
from lpo.serve.plans.knapsack import load

STAGES = {
    "prefilling": ("prefills", "prefills per GPU"),
    "decoding_mixed": ("decodes where prefills run", "decodes per GPU"),
    "decoding_solo": ("decodes on the other GPUs", "decodes per GPU"),
}


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate each policy on every fleet and compare X / n and Y / n with its plan."""
    runs = each_on_every_fleet(cfg, problem)
    found = simulate_runs(cfg, runs)
    tables = [_rows(problem, each) for each in found]
    away = [_distance(table) for table in tables]
    distances = pd.DataFrame(
        {
            "policy": [run.policy.name for run in runs],
            "n": [run.size.gpus for run in runs],
            "distance": away,
            "reward_ratio": [
                float(each.measures.reward.mean) / problem.optimum.value for each in found
            ],
        }
    )
    most = runs[-1].size.gpus
    at_most = [i for i, run in enumerate(runs) if run.size.gpus == most]
    nearest = min(at_most, key=lambda i: away[i])
    shown = distances.pivot(index="policy", columns="n", values="distance").reset_index()
    table = pd.concat(tables, ignore_index=True)
    return Findings(
        result=(
            f"{runs[nearest].policy.name} is nearest to its plan on {most} GPUs, "
            f"{away[nearest]:.3g} slots per GPU away"
        ),
        metrics={
            f"distance/{run.policy.name}/n_{run.size.gpus}": distance
            for run, distance in zip(runs, away, strict=True)
        },
        tables={
            "distances": ResultTable(
                "Distance from the plan",
                "Sum over classes and kinds of slots of |mean occupancy - plan|, slots per GPU; "
                "reward_ratio: revenue over that of the plan.",
                distances,
            ),
            "occupancies": ResultTable(
                "Occupancies",
                "Per GPU and class: prefills, decodes on GPUs that may prefill and decodes on the "
                "others, with standard errors over seeds, beside the plan.",
                table,
            ),
        },
        pictures={
            "occupancies": line_picture(
                "Occupancies against fleet size",
                f"{cfg.instance.name}, load {load(problem.instance):.3g}. Bars: 95 % over seeds. "
                "Dashed: the plan of each policy. Revenue needs the sums over classes only; the "
                "split between the two kinds of GPUs follows the plan where the router draws them.",
                *class_panels(table, STAGES),
            )
        },
        shown=[("slots per GPU away from the plan, by number of GPUs", shown)],
        notes=list(problem.optimum.notes),
    )


def _rows(problem: Problem, run: Simulated) -> pd.DataFrame:
    """One row a class: occupancies and their plan."""
    plan, gpus = run.planned.plan, int(run.planned.targets.gpus)
    rows = class_rows(problem, run, gpus)
    names = ["policy", "n", "class", *(f"{stage}{end}" for stage in STAGES for end in ("", "_se"))]
    table = pd.DataFrame({name: rows[name] for name in names})
    for stage, planned in zip(STAGES, (plan.x, plan.y_m, plan.y_s), strict=True):
        table[f"planned_{stage}"] = planned
    return table


def _distance(table: pd.DataFrame) -> float:
    """Sum over classes and stages of |mean - plan|, slots per GPU."""
    columns = [(table[stage], table[f"planned_{stage}"]) for stage in STAGES]
    return float(sum(np.abs(mean.to_numpy() - plan.to_numpy()).sum() for mean, plan in columns))
