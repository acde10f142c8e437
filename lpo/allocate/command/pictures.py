"""The pictures of a plan."""

from typing import Any

import pandas as pd

from lpo.runs import Picture, fronts
from lpo.runs.pictures import bar_picture

MOST_ROWS = 30


def plan_pictures(
    costs: pd.DataFrame, plan: pd.DataFrame, degrees: pd.DataFrame
) -> dict[str, Picture]:
    """Costs, memory and compute in use, tensor-parallel degrees; by the name of their file.

    The tables are those of `lpo.allocate.explain.words`.
    """
    largest = plan.sort_values("rental_usd", ascending=False, kind="stable").head(MOST_ROWS)
    deployments = largest.assign(
        deployment=largest["model"]
        + " on "
        + largest["tier"]
        + ", TP "
        + largest["tensor_parallel"].astype(str),
        memory=largest["memory_use"],
        compute=largest["compute_use"],
    )
    tiers = [str(name) for name in degrees.columns[1:]]
    return {
        "costs": bar_picture(
            "Cost",
            "Dollars of the rental period (rent, storage) and of an hour (delay, dropped queries), "
            "or all of the rental period with horizon_consistent.",
            costs.loc[costs["part"] != "objective"],
            "part",
            ["usd"],
            "$",
        ),
        "use": bar_picture(
            "Memory and compute in use",
            "Share of the GPUs' memory that holds weights and cache, and of their compute; the "
            f"{MOST_ROWS} deployments with the most rent at most.",
            deployments,
            "deployment",
            ["memory", "compute"],
            "share in use",
            limit=1.0,
        ),
        "tensor_parallel": bar_picture(
            "Tensor-parallel degrees",
            "GPUs rented at each degree, by tier.",
            degrees,
            "tensor_parallel",
            tiers,
            "GPUs",
            stacked=True,
        ),
    }


def front_picture(front: pd.DataFrame) -> Picture:
    """Cost against broken limits; `front`: rows of a stress table, one law."""
    several = len(set(front["profile"])) > 1
    drawn = front.assign(
        line=[
            f"x {row['inflation']:g}" + (f", {row['profile']}" if several else "")
            for row in front.to_dict("records")
        ]
    )
    labels = {
        "violated": "share of samples that break a limit",
        "in_sample_usd": "cost that the plan promises, $",
        "total_usd": "realised cost, mean, $",
        "line": "deviations",
    }
    # what the published profile promises leaves a part of the cost out
    value = "total_usd" if several else "in_sample_usd"
    arguments = (drawn, "violated", value, "gamma", "line", labels)

    def interactive() -> Any:
        from lpo.runs import interactive_fronts  # plotly is an extra

        return interactive_fronts.front(*arguments)

    return Picture(
        "What robustness costs",
        "Plans for several uncertainty budgets: what they cost, and how often they break a limit, "
        f"with 95 % intervals; deviations {front['distribution'].iloc[0]}.",
        fronts.front(*arguments),
        interactive,
    )
