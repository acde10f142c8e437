"""A plan that was found: written and shown before anything further is computed."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.allocate.allocation import Allocation
from lpo.allocate.command.problem import Problem, gammas_of
from lpo.allocate.command.solving import SOLVER_NAMES
from lpo.allocate.explain import words
from lpo.allocate.explain.limits import KINDS
from lpo.allocate.instances.files import write_solution
from lpo.allocate.model.exact import Solved
from lpo.allocate.validate.audit import Audit, audit
from lpo.allocate.validate.cost import Cost, cost, objective
from lpo.allocate.validate.performance import performance
from lpo.optim.outcome import MilpStatus
from lpo.runs import ResultTable, RunFolder, print_table

PLAN_CAPTION = (
    "One row a deployment; rental_usd for the rental period. serves: share of each query type. "
    "memory_use, compute_use: share of its GPUs' memory (weights and cache) and compute."
)
SMALL_GAP = 1e-3  # beyond it, nobody would call a plan optimal
SHOWN_ROWS = 40  # of a plan on the terminal


class Plan(NamedTuple):
    """A plan with its cost, its audit, how it was found, its tables, metrics and notes."""

    allocation: Allocation
    solved: Solved
    cost: Cost
    audit: Audit
    tables: dict[str, ResultTable]
    metrics: dict[str, float]
    notes: tuple[str, ...]

    @property
    def result(self) -> str:
        """How the search ended, in words."""
        gap = f"gap {words.percent(self.metrics['gap'])}"
        if "weighted_usd" in self.metrics:
            gap += " of the weighted cost"
        if np.isnan(self.metrics["gap"]):
            return "feasible (gap unknown)"
        if self.solved.status is not MilpStatus.OPTIMAL:
            return f"feasible ({gap})"
        if self.metrics["gap"] > SMALL_GAP:
            return f"within mip_gap ({gap})"
        return "optimal in weighted cost" if "weighted_usd" in self.metrics else "optimal"


def write_plan(folder: RunFolder, problem: Problem, solved: Solved) -> Plan:
    """Write `solution.json`, the tables of the plan and its metrics."""
    assert solved.allocation is not None
    instance, options, uncertainty = problem[:3]
    allocation = solved.allocation
    parts = cost(instance, allocation, options, uncertainty)
    checked = audit(instance, allocation, options, uncertainty)
    plan = Plan(
        allocation,
        solved,
        parts,
        checked,
        _tables(problem, allocation, parts, checked),
        _metrics(problem, solved, parts, checked),
        problem.notes,
    )
    write_solution(folder.path / "solution.json", instance, allocation)
    for name, table in plan.tables.items():
        folder.write_table(name, table.data)
    folder.record(metrics=plan.metrics)
    return plan


def _tables(
    problem: Problem, allocation: Allocation, parts: Cost, checked: Audit
) -> dict[str, ResultTable]:
    instance, options, uncertainty = problem[:3]
    met = performance(instance, allocation, options, uncertainty)
    return {
        "plan": ResultTable("Plan", PLAN_CAPTION, words.plan_table(instance, allocation, options)),
        "costs": ResultTable(
            "Cost",
            "Dollars; rent and storage of the rental period, delay and dropped queries of one hour "
            "(of the rental period with horizon_consistent). share: of the objective.",
            words.costs_table(parts, options),
        ),
        "types": ResultTable(
            "Query types",
            "worst_: against every realisation in the uncertainty set. Limits hold for the worst.",
            words.types_table(instance, allocation, met, checked),
        ),
        "routes": ResultTable(
            "Routes",
            "Whom each deployment serves. delay_ms and error of the route itself, worst_ with its "
            "whole deviation.",
            words.routes_table(instance, allocation, options),
        ),
        "audit": ResultTable(
            "Audit",
            "Every limit of the model at the plan, without a solver; violation is relative.",
            _with_units(words.audit_table(checked)),
        ),
    }


def _with_units(table: pd.DataFrame) -> pd.DataFrame:
    """The audit with the unit of left and right, "" for rows that have none."""
    kinds = [str(limit).partition(" of ")[0] for limit in table["limit"]]
    units = [KINDS[kind].unit if kind in KINDS else "" for kind in kinds]
    table.insert(list(table.columns).index("right") + 1, "unit", units)
    return table


def _metrics(problem: Problem, solved: Solved, parts: Cost, checked: Audit) -> dict[str, float]:
    allocation, instance = solved.allocation, problem.instance
    assert allocation is not None
    total = objective(parts, problem.options)
    bound = float("nan") if solved.bound is None else solved.bound
    known = {"lower_bound_usd": bound, "gap": _gap(total, bound)}
    if problem.weights is not None:
        weighted = objective(_weighted(parts, problem.weights), problem.options)
        known = {
            "lower_bound_usd": float("nan"),
            "weighted_usd": weighted,
            "weighted_bound_usd": bound,
            "gap": _gap(weighted, bound),
        }
    degrees = instance.tensor_parallel
    return {
        "objective_usd": total,
        **{f"{name}_usd": usd for name, usd in parts._asdict().items()},
        **known,
        "gpus": float((allocation.replicas * degrees).sum()),
        "deployments": float((allocation.replicas > 0).sum()),
        "audit_violation": checked.largest,
        "solver_s": solved.seconds,
        **gammas_of(problem.uncertainty),
    }


def _gap(total: float, bound: float) -> float:
    return float(np.maximum(total - bound, 0.0)) / total if total else 0.0


def _weighted(parts: Cost, weights: dict[str, float]) -> Cost:
    """Each part of the cost times its weight; `storage_model` has that of `storage`."""
    return Cost(*(usd * weights[name.partition("_")[0]] for name, usd in parts._asdict().items()))


def show_plan(plan: Plan) -> None:
    """Print deployments, query types, cost and notes."""
    deployments = plan.tables["plan"].data.drop(columns=["serves"])
    types = plan.tables["types"].data
    compact = pd.DataFrame(
        {
            "query_type": types["query_type"],
            "dropped": types["dropped_share"],
            "worst delay / limit": types["worst_delay_ms"] / types["delay_limit_ms"],
            "worst error / limit": types["worst_error"] / types["error_limit"],
            "served by": types["served_by"],
        }
    )
    for table, title in ((deployments, headline(plan)), (compact, None)):
        print_table(table.head(SHOWN_ROWS), title)
        if len(table) > SHOWN_ROWS:
            print(f"and {len(table) - SHOWN_ROWS} rows more in tables/")
    print_table(plan.tables["costs"].data)
    for line in plan_notes(plan):
        print(f"note: {line}")


def headline(plan: Plan) -> str:
    """Cost, result, solver and the outcome of the audit, in a line."""
    solved, metrics = plan.solved, plan.metrics
    name = SOLVER_NAMES[solved.solver]
    if "weighted_usd" in metrics:
        known = f"weighted cost {metrics['weighted_usd']:.6g}"
        least, bound = "no plan's is less than", metrics["weighted_bound_usd"]
    else:
        known, least, bound = "", "no plan costs less than $", metrics["lower_bound_usd"]
    bounded = f"{least} {bound:.6g}" if bound == bound else "no lower bound"
    known = f"{known}, {bounded}" if known else bounded
    kept = "keeps every limit" if plan.audit.ok else "BREAKS LIMITS"
    return (
        f"$ {metrics['objective_usd']:.6g}, {plan.result} ({known}); {metrics['gpus']:.0f} GPUs; "
        f"{name}, {solved.seconds:.2g} s; audit: the plan {kept}"
    )


def plan_notes(plan: Plan) -> list[str]:
    """What must be said beside a plan: why another solver ran, and limits that are broken."""
    broken = [
        f"audit: {row.limit} is {row.left:.6g}, allowed {row.right:.6g}"
        for row in plan.audit.violated
    ]
    return [*plan.notes, *plan.solved.notes, *broken]
