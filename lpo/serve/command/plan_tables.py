"""What the plan says, in tables: by class, prices, the least fleet."""

import numpy as np
import pandas as pd

from lpo.runs import ResultTable
from lpo.serve.command.problem import Problem
from lpo.serve.plans.knapsack import load, minimum_fleet
from lpo.serve.rates import service_rates


def plan_tables(problem: Problem, gpus: int) -> dict[str, ResultTable]:
    """Return the tables of the plan for `gpus` GPUs, by the name of their file."""
    return {
        "plan": ResultTable(
            "Plan",
            "The best steady state, all GPUs together: requests in each stage, and how many per "
            "second arrive, begin a prefill and are complete. value_of_arrival: what one more "
            "request of the class is worth; tokens_displaced: decode tokens of capacity that it "
            "takes.",
            class_table(problem, gpus),
        ),
        "prices": ResultTable(
            "Prices",
            "What one more would earn in the plan, currency per second: duals of the linear "
            "program, one-sided where the optimum is degenerate.",
            price_table(problem),
        ),
        "fleet": ResultTable(
            "Fleet",
            "The least fleet that could serve everything, and the load that its share makes. "
            "Policies differ where the load is about 1 or more; far below, serving in the order "
            "of arrival is as good as any. planned_mixed_gpus: prefill slots of the plan; policies "
            "round them (mixed_gpus of their table).",
            fleet_table(problem, gpus),
        ),
    }


def class_table(problem: Problem, gpus: int) -> pd.DataFrame:
    """One row a class."""
    plan, instance = problem.optimum, problem.instance
    rates = service_rates(instance)
    return pd.DataFrame(
        {
            "class": np.arange(len(instance.arrival)),
            "prompt_tokens": instance.prompt,
            "decode_tokens": instance.decode,
            "arriving_per_s": gpus * instance.arrival,
            "admitted_per_s": gpus * plan.admitted,
            "completed_per_s": gpus * plan.completed,
            "prefilling": gpus * plan.x,
            "decoding_beside_prefill": gpus * plan.y_m,
            "decoding_alone": gpus * plan.y_s,
            "waiting_prefill": gpus * plan.q_p,
            "waiting_decode": gpus * plan.q_d,
            "pays": rates.w,
            "tokens_displaced": rates.size,
            "value_of_arrival": plan.duals.arrival,
        }
    )


def price_table(problem: Problem) -> pd.DataFrame:
    """One row a price."""
    duals = problem.optimum.duals
    rows = [
        ("GPU", None, duals.gpu),
        ("prefill slot", None, duals.prefill_slot),
        ("decode slot beside a prefill", None, duals.mixed_slot),
        ("decode slot alone", None, duals.solo_slot),
        *(("request per second", i, price) for i, price in enumerate(duals.arrival)),
        *(("prefilled request per second", i, price) for i, price in enumerate(duals.prefilled)),
    ]
    for name, price in duals.levels.items():
        each = np.atleast_1d(price)
        whose = [None] if np.ndim(price) == 0 else range(len(each))
        rows += [(f"limit {name}", i, number) for i, number in zip(whose, each, strict=True)]
    table = pd.DataFrame(rows, columns=pd.Index(["one_more", "class", "currency_per_s"]))
    return table.astype({"class": "Int64", "currency_per_s": "float64"})


def fleet_table(problem: Problem, gpus: int) -> pd.DataFrame:
    """One row."""
    least = minimum_fleet(problem.instance, gpus, slack=1.0)
    return pd.DataFrame(
        [
            {
                "gpus": gpus,
                "load": load(problem.instance),
                "least_for_prefill": least.prefill,
                "least_for_decode": least.decode,
                "least_with_square_root_slack": least.planned,
                "planned_mixed_gpus": gpus * float(problem.optimum.x.sum()),
            }
        ]
    )
