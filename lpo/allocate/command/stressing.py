"""Plans for other uncertainty budgets, and how often they and the plan break limits when drawn."""

from typing import Any, NamedTuple

import jax
import pandas as pd

from lpo.allocate.command.config import AllocateConfig
from lpo.allocate.command.plan import Plan
from lpo.allocate.command.problem import Problem, uncertainty_of
from lpo.allocate.command.solving import solve
from lpo.allocate.options import CORRECTED, make_options
from lpo.allocate.validate.front import non_dominated
from lpo.allocate.validate.stress import Policy, stress
from lpo.allocate.validate.stress_table import limits_table, stress_table
from lpo.runs import progress

OWN = "this plan"


class Stressed(NamedTuple):
    """Tables of a stress test.

    table: one row a policy, law and inflation. limits: one row a limit too. front: the rows of
    the first law and of plans for a budget, with `gamma`, `profile`, and whether a plan is
    `efficient`: none of the same profile costs and violates less. notes: budgets without a plan.
    """

    table: pd.DataFrame
    limits: pd.DataFrame
    front: pd.DataFrame
    notes: list[str]


def run_stress(cfg: AllocateConfig, problem: Problem, plan: Plan) -> Stressed:
    """Judge the plan, and those of `stress.gammas` for `stress.profiles`, by the same draws."""
    instance, options, uncertainty = problem[:3]
    policies, notes, budgets = [], [], {}
    names = [each.name for each in cfg.stress.profiles or [cfg.profile]]
    with progress(len(names) * len(cfg.stress.gammas), "other budgets", unit="plan") as advance:
        for name in names:
            own = name == options.profile
            model = options if own else make_options(profile=name)
            start, found = plan.allocation if own else None, []
            # a plan for a larger budget is one for a smaller, to begin from
            for gamma in sorted(cfg.stress.gammas, reverse=True):
                sets = uncertainty_of(cfg, instance, gamma)
                label = f"gamma {gamma:g}" + ("" if len(names) == 1 else f", {name}")
                solved = solve(cfg, Problem(instance, model, sets, []), start)
                if solved.allocation is None:
                    notes.append(f"{label}: no plan, {solved.status}")
                else:
                    start = solved.allocation
                    found.append(Policy(label, start, model, sets))
                    budgets[label] = {"policy": label, "gamma": gamma, "profile": name}
                advance(1)
            policies += reversed(found)
    policies.append(Policy(OWN, plan.allocation, options, uncertainty))
    judged = stress(
        instance,
        policies,
        jax.random.key(cfg.seed),
        samples=cfg.stress.samples,
        distributions=[law.name for law in cfg.stress.distributions],
        inflations=cfg.stress.inflation,
        truth=CORRECTED if options.published else options,
    )
    table = stress_table(judged)
    return Stressed(table, limits_table(judged), _front(table, budgets), notes)


def of_first_law(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the law of deviations that the table has first."""
    return table.loc[table["distribution"] == table["distribution"].iloc[0]]


def _front(table: pd.DataFrame, budgets: dict[str, dict[str, Any]]) -> pd.DataFrame:
    drawn = of_first_law(table)
    rows = drawn.merge(pd.DataFrame(list(budgets.values())), on="policy")
    parts = [
        part.assign(
            efficient=non_dominated(part["total_usd"].to_numpy(), part["violated"].to_numpy())
        )
        for _, part in rows.groupby(["profile", "inflation"], sort=False)
    ]
    return pd.concat(parts, ignore_index=True)
