"""How sure the choice is: made again on resampled queries."""

from typing import Any

import jax
import numpy as np
import pandas as pd

from lpo.runs import ResultTable
from lpo.scale.command.choosing import METHODS, Chosen
from lpo.scale.command.config import ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.monte_carlo import query_paths, resampled_means
from lpo.scale.select import chosen_k_bootstrap


def resampled_table(cfg: ScaleConfig, asked: Question, chosen: Chosen) -> ResultTable:
    """One row a scenario, model, number of slots and method: the most frequent k."""
    drawing = jax.random.key(cfg.seed)  # the queries of the curves (`sweep`)
    resampling = jax.random.fold_in(drawing, 1)
    paths = query_paths(
        drawing,
        asked.laws,
        asked.numbers,
        asked.models.models,
        cfg.k_max,
        asked.parallel,
        cfg.trials,
        pairs=asked.pairs,
    )
    means = resampled_means(resampling, paths, cfg.bootstrap)
    slots = cfg.slot_price * asked.parallel[:, None] * means.time  # as `with_slots`
    means = means._replace(cost=means.cost + slots)
    found = chosen_k_bootstrap(chosen.options, means, asked.limits, chosen.allowed, asked.k)
    chosen_at = np.stack([one.at for one in chosen.selections], -1)
    index = pd.MultiIndex.from_product(
        [asked.scenarios, asked.models.names, asked.parallel, METHODS],
        names=["scenario", "model", "parallel", "method"],
    )
    table = pd.DataFrame(
        {
            "k": np.where(chosen_at < 0, -1, asked.k[chosen_at]).ravel(),
            "modal_k": found.modal.ravel(),
            "frequency": found.frequency.ravel(),
        },
        index=index,
    )
    return ResultTable(
        "The choice on resampled queries",
        f"{cfg.bootstrap} resamples of {cfg.trials} simulated queries, the limits kept in the "
        "mean: k of the run, the most frequent k and its share of the resamples.",
        table.reset_index(),
    )


def resampled_words(cfg: ScaleConfig, found: ResultTable) -> str:
    """What the first row of the table says: how often the first method takes the same k."""
    row: Any = found.data.iloc[0]
    return (
        f"tables/bootstrap.csv: {row.method} of {row.model} on P = {row.parallel} takes k = "
        f"{row.modal_k} in {row.frequency:.0%} of {cfg.bootstrap} resamples (k = {row.k} in this "
        "run); the other models and methods are there."
    )
