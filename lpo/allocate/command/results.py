"""What is said about a plan: binding limits, changes, stress, figures, report, terminal."""

import pandas as pd

from lpo.allocate.allocation import Allocation
from lpo.allocate.command.config import AllocateConfig
from lpo.allocate.command.pictures import front_picture, plan_pictures
from lpo.allocate.command.plan import SHOWN_ROWS, Plan, headline, plan_notes
from lpo.allocate.command.problem import Problem
from lpo.allocate.explain import words
from lpo.allocate.explain.binding import binding_limits, demand_prices
from lpo.allocate.explain.compare import changes
from lpo.allocate.explain.fixed import solve_fixed
from lpo.allocate.explain.performance_table import performance_table
from lpo.runs import Picture, Report, ResultTable, RunFolder, environment, print_table, write_report

PLAIN_DOLLARS = "Prices are of the cost in plain dollars, not of the weighted one."
PER_QUERY = {"more": "more_usd_per_query_h", "less": "less_usd_per_query_h"}
FIRST = 12  # binding limits on the terminal


def write_results(
    folder: RunFolder,
    cfg: AllocateConfig,
    problem: Problem,
    plan: Plan,
    before: Allocation | None,
) -> dict[str, float]:
    """Write the other tables, figures and the report of a plan; return the metrics."""
    tables, pictures, notes = dict(plan.tables), _pictures(problem, plan), plan_notes(plan)
    tables |= _explanations(problem, plan)
    if before is not None:
        tables |= _changes(cfg, problem, plan, before)
    if cfg.stress.enabled:
        more, picture, missing = _stress(folder, cfg, problem, plan)
        tables, pictures, notes = tables | more, pictures | picture, notes + missing
    tables["performance"] = ResultTable(
        "Models on tiers",
        "Delay on one GPU and error, least and largest of the query types, as expected; worst: "
        "with the whole deviation. degrees: at which the weights fit.",
        performance_table(problem.instance),
    )
    for name, table in tables.items():
        folder.write_table(name, table.data)
    for name, picture in pictures.items():
        folder.write_figure(name, picture.static)
    opening = [f"{headline(plan)}.", *(f"Note: {line}." for line in notes)]
    page = write_report(
        folder,
        Report(
            f"lpo allocate: {problem.instance.name}, {problem.options.profile}",
            " ".join(opening),
            list(tables.values()),
            list(pictures.values()),
        ),
    )
    print(f"report: {page}")
    return plan.metrics


def _pictures(problem: Problem, plan: Plan) -> dict[str, Picture]:
    degrees = words.degrees_table(problem.instance, plan.allocation)
    return plan_pictures(plan.tables["costs"].data, plan.tables["plan"].data, degrees)


def _explanations(problem: Problem, plan: Plan) -> dict[str, ResultTable]:
    instance, options, uncertainty = problem[:3]
    case = (instance, plan.allocation, options, uncertainty)
    fixed = solve_fixed(*case)
    dollars = "" if problem.weights is None else f" {PLAIN_DOLLARS}"
    found = binding_limits(*case, fixed=fixed)
    found.sort(key=lambda each: 0.0 if each.binding else each.slack_share)
    limits = pd.DataFrame(found)
    tight = limits.loc[limits["binding"].to_numpy(bool)].drop(columns=["binding", "slack"])
    print_table(
        tight[["limit", "detail", "right", "unit", "looser", "tighter", "price_unit"]].head(FIRST),
        "binding limits; looser: $ saved by one more of it, these GPUs rented",
    )
    if dollars:
        print(f"note: {PLAIN_DOLLARS}")
    if len(tight) > FIRST:
        print(f"and {len(tight) - FIRST} binding limits more in tables/binding.csv")
    return {
        "binding": ResultTable(
            "Limits",
            "Nearest first. looser: dollars that one more of price_unit would save, tighter: that "
            "one less would cost, in the small, with the deployments as they are (inf: they could "
            "not serve any more)." + dollars,
            limits,
        ),
        "demand_prices": ResultTable(
            "Price of demand",
            "Dollars that one more query an hour would cost (more_usd_per_query_h), and one fewer "
            "save (less_...), in the small, "
            "with the deployments as they are." + dollars,
            pd.DataFrame(demand_prices(*case, fixed=fixed)).rename(columns=PER_QUERY),
        ),
    }


def _changes(
    cfg: AllocateConfig, problem: Problem, plan: Plan, before: Allocation
) -> dict[str, ResultTable]:
    instance, options, uncertainty = problem[:3]
    found = changes(instance, before, plan.allocation, options, uncertainty)
    lines = [each.words for each in (*found.deployments, *found.routes)]
    print(f"changed against {cfg.against}:")
    for line in lines[:SHOWN_ROWS] or ["nothing"]:
        print(f"  {line}")
    if len(lines) > SHOWN_ROWS:
        print(f"  and {len(lines) - SHOWN_ROWS} lines more in tables/changes.csv")
    rows = [
        *({"kind": each.change, "change": each.words} for each in found.deployments),
        *({"kind": "moved", "change": each.words} for each in found.routes),
    ]
    return {
        "changes": ResultTable(
            "Changes",
            f"Against {cfg.against}, under the numbers of this instance.",
            pd.DataFrame(rows, columns=pd.Index(["kind", "change"])),
        ),
        "cost_changes": ResultTable(
            "Change of cost",
            "Dollars; both plans priced under the numbers of this instance.",
            pd.DataFrame(found.costs),
        ),
    }


def _overview(table: pd.DataFrame) -> pd.DataFrame:
    """One row a policy: what it promises, and the share of draws that break any limit."""
    shown: dict[str, dict[str, object]] = {}
    for row in table.to_dict("records"):
        known = {key: row[key] for key in ("policy", "in_sample_usd", "price_of_robustness")}
        broken = {f"violated, deviations x {row['inflation']:g}": row["violated"]}
        shown[row["policy"]] = known | shown.get(row["policy"], {}) | broken
    return pd.DataFrame(list(shown.values()))


def _stress(
    folder: RunFolder, cfg: AllocateConfig, problem: Problem, plan: Plan
) -> tuple[dict[str, ResultTable], dict[str, Picture], list[str]]:
    # JAX takes a second
    from lpo.allocate.command.stressing import of_first_law, run_stress

    found = run_stress(cfg, problem, plan)
    folder.record(environment=environment())  # the device, now that there is one
    law = cfg.stress.distributions[0].name
    title = f"{cfg.stress.samples} draws of delay and error, deviations {law}"
    print_table(_overview(of_first_law(found.table)), title)
    tables = {
        "stress": ResultTable(
            "Stress",
            "violated: share of the samples in which any limit is broken, with its 95 % interval; "
            "total_usd: realised cost, mean; in_sample_usd: what the model that made the plan "
            "promises; price_of_robustness: over the first plan of its profile.",
            found.table,
        ),
        "stress_limits": ResultTable(
            "Stress by limit",
            "excess: mean of what is beyond the limit, as a share of it.",
            found.limits,
        ),
        "front": ResultTable(
            "Cost against broken limits",
            "Plans for several uncertainty budgets; the first law of deviations. efficient: no "
            "other plan of the profile costs (total_usd) and violates at most as much.",
            found.front,
        ),
    }
    return tables, {"front": front_picture(found.front)}, found.notes
