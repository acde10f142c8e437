"""Policies on random instances: shares of R*, as they are drawn and scaled to given loads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import numbers_or
from lpo.runs.pictures import bar_picture
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.fleets import Run, Size, share_of_optimum, simulate_runs
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import WARM_UP, mean_decode_s
from lpo.serve.instance import Instance
from lpo.serve.plans.knapsack import load
from lpo.serve.plans.plan import solve_plan
from lpo.serve.policies import Gate, Policy, Pools
from lpo.serve.random_instances import (
    RandomInstances,
    at_load,
    in_units_of,
    random_instances,
)

LOADS = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0)
EQUAL = 0.002
"""Of R*: policies this close to the best earn the same."""


class Case(NamedTuple):
    """An instance, in units of its mean decode time. load: that it was scaled to, None as drawn."""

    number: int
    load: float | None
    problem: Problem


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate every policy on every case, all cases of a policy in one program."""
    for key in ("seconds", "warm_up_s"):
        if getattr(cfg, key) is not None:
            raise InputError(
                f"{key}: {getattr(cfg, key)} given; allowed: null (time is in mean decode times of "
                f"each instance: analysis.values.decode_times, warm_up)"
            )
    values = numbers_or(
        cfg, classes=(2,), decode_times=(10,), warm_up=(WARM_UP,), load=LOADS, load_cases=(8,)
    )
    drawn = random_instances(
        cfg.seed, cfg.analysis.cases, int(values["classes"][0]), like=problem.instance
    )
    scaled = drawn.instances[: int(values["load_cases"][0])]
    size = Size(cfg.n, cfg.seeds, values["warm_up"][0], values["decode_times"][0])
    table = _simulate(cfg, problem, size, [(None, drawn.instances)])
    loads = _simulate(cfg, problem, size, [(each, scaled) for each in values["load"]])
    bars = _bars(table, problem.policies)
    lines = _lines(loads)
    rounded = lines["share"].round(4)  # of equal policies the one that is named first
    best = lines.loc[rounded.groupby(lines["load"]).idxmax()]
    notes = [_drawn_note(drawn), *_order_notes(loads, problem.policies)]
    first = bars.iloc[0]
    return Findings(
        result=(
            f"{first['policy']} earns {100 * first['mean']:.1f} % of R* in the mean of "
            f"{len(drawn.instances)} random instances, the most of {len(bars)} policies"
        ),
        metrics={
            "draws": float(drawn.draws),
            "draws_with_faster_mixed_decoding": float(drawn.faster_mixed),
            **{f"share/{row['policy']}": float(row["mean"]) for row in bars.to_dict("records")},
            **{f"sd/{row['policy']}": float(row["sd"]) for row in bars.to_dict("records")},
        },
        tables={
            "bars": ResultTable(
                "Shares of R* over random instances",
                "Mean, standard deviation, smallest and largest over instances as they are drawn; "
                "best: in how many of them the policy earns most.",
                bars,
            ),
            "best": ResultTable(
                "The best policy at each load",
                "Of the means over instances; share_se: standard error over instances.",
                best,
            ),
            "loads": ResultTable(
                "Shares of R* by load",
                "Means over the same instances, their arrivals scaled to each load.",
                lines,
            ),
            "instances": ResultTable("Instances", "As they are drawn.", _instances(drawn)),
            "runs": ResultTable(
                "Runs",
                "share: revenue over R*, from intensities, with the flow out of the system as "
                "control variate; share_se: its standard error. scaled_to: load that arrivals were "
                "scaled to.",
                pd.concat([table, loads], ignore_index=True),
            ),
        },
        pictures=_pictures(cfg, bars, lines, len(drawn.instances), len(scaled)),
        shown=[("share of R* over random instances", bars), ("best by load", best)],
        notes=notes,
    )


def _simulate(
    cfg: ServeConfig,
    problem: Problem,
    size: Size,
    groups: Sequence[tuple[float | None, Sequence[Instance]]],
) -> pd.DataFrame:
    """One row a policy and case."""
    cases = [
        Case(
            number,
            wanted,
            _own_problem(problem, instance, wanted),
        )
        for wanted, instances in groups
        for number, instance in enumerate(instances)
    ]
    pairs = [(case, policy) for policy in problem.policies for case in cases]
    found = simulate_runs(cfg, [Run(case.problem, policy, size) for case, policy in pairs])
    rows: list[dict[str, object]] = []
    for (case, policy), run in zip(pairs, found, strict=True):
        share = share_of_optimum(case.problem, run, size.gpus)
        rows.append(
            {
                "policy": policy.name,
                "instance": case.number,
                "scaled_to": case.load,
                "load": load(case.problem.instance),
                "share": float(share.mean),
                "share_se": float(share.error),
            }
        )
    return pd.DataFrame(rows).astype({"scaled_to": "float64"})


def _own_problem(problem: Problem, instance: Instance, wanted: float | None) -> Problem:
    instance = instance if wanted is None else at_load(instance, wanted)
    instance = in_units_of(instance, mean_decode_s(instance))
    optimum = solve_plan(instance, problem.levels, pricing=problem.pricing)
    return problem._replace(instance=instance, optimum=optimum)


def _bars(table: pd.DataFrame, policies: Sequence[Policy]) -> pd.DataFrame:
    shares = np.stack(
        [table.loc[table["policy"] == policy.name, "share"].to_numpy() for policy in policies]
    )
    wins = np.bincount(shares.argmax(0), minlength=len(policies))
    rows = [
        {
            "policy": policy.name,
            "mean": each.mean(),
            "sd": each.std(ddof=1) if len(each) > 1 else np.nan,
            "least": each.min(),
            "most": each.max(),
            "best": won,
        }
        for policy, each, won in zip(policies, shares, wins, strict=True)
    ]
    return pd.DataFrame(rows).sort_values("mean", ascending=False, ignore_index=True)


def _lines(loads: pd.DataFrame) -> pd.DataFrame:
    each = loads.groupby(["policy", "scaled_to"], sort=False)["share"]
    lines = each.agg(share="mean", share_se="sem").reset_index()
    return lines.rename(columns={"scaled_to": "load"})


def _instances(drawn: RandomInstances) -> pd.DataFrame:
    rows: list[dict[str, float]] = []
    for number, instance in enumerate(drawn.instances):
        hardware = instance.hardware
        row: dict[str, float] = {
            "instance": number,
            "load": load(instance),
            "alpha": hardware.alpha,
            "beta": hardware.beta,
            "tau_solo": hardware.tau_solo,
        }
        for part in ("arrival", "prompt", "decode"):
            numbers = getattr(instance, part)
            row |= {f"{part}_{i}": float(number) for i, number in enumerate(numbers)}
        rows.append(row)
    return pd.DataFrame(rows)


def _drawn_note(drawn: RandomInstances) -> str:
    return (
        f"{drawn.faster_mixed} of {drawn.draws} draws had tau / tau_solo below (batch - 1) / "
        "batch, where decoding is faster beside a prefill; they were drawn again."
    )


def _order_notes(loads: pd.DataFrame, policies: Sequence[Policy]) -> list[str]:
    """Where serving in the order of arrival is as good as any."""
    served = [policy for policy in policies if policy.gate == Gate.FCFS]
    if not served or len(policies) < 2:
        return []
    plain = min(served, key=lambda policy: policy.pools != Pools.NONE).name
    means = loads.pivot_table(index="scaled_to", columns="policy", values="share")
    behind = means.max(axis=1).to_numpy() - means[plain].to_numpy()
    good = [f"{busy:g}" for busy, lost in zip(means.index, behind, strict=True) if lost <= EQUAL]
    where = f"at load {', '.join(good)}" if good else "at none of these loads"
    return [
        f"{plain} (order of arrival) is as good as any of these policies {where}: none earns "
        f"{100.0 * EQUAL:g} % of R* more in the mean over instances."
    ]


def _pictures(
    cfg: ServeConfig, bars: pd.DataFrame, lines: pd.DataFrame, drawn: int, scaled: int
) -> dict[str, Picture]:
    return {
        "bars": bar_picture(
            "Share of R* over random instances",
            f"{drawn} instances as drawn, {cfg.n} GPUs: mean, and the standard deviation over "
            "instances as a thin line.",
            bars,
            "policy",
            ["mean"],
            "share of R*",
            limit=1.0,
            spreads={"mean": "sd"},
        ),
        "loads": line_picture(
            "Share of R* against load",
            f"{scaled} random instances whose arrivals are scaled, {cfg.n} GPUs. Bars: 95 % of the "
            "mean over instances. Below load 1 everybody can be served and the order hardly "
            "matters; above, who is turned away does.",
            lines,
            [Lines("", "load", "share", "policy", error="share_se", reference=1.0)],
            {"share": "share of R*"},
        ),
    }
