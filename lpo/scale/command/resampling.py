"""How sure the choice is: made again on resampled queries."""

import jax
import pandas as pd

from lpo.runs import ResultTable
from lpo.scale.command.choosing import METHODS, Chosen
from lpo.scale.command.config import ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.select import chosen_k_bootstrap
from lpo.scale.simulate import query_paths, resampled_means


def resampled_table(cfg: ScaleConfig, asked: Question, chosen: Chosen) -> ResultTable:
    """One row a scenario, model, number of slots and method: the most frequent k."""
    drawing, resampling = jax.random.split(jax.random.key(cfg.seed))
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
    found = chosen_k_bootstrap(chosen.options, means, asked.limits, chosen.allowed, asked.k)
    index = pd.MultiIndex.from_product(
        [asked.scenarios, asked.models.names, asked.parallel, METHODS],
        names=["scenario", "model", "parallel", "method"],
    )
    table = pd.DataFrame(
        {"modal_k": found.modal.ravel(), "frequency": found.frequency.ravel()}, index=index
    )
    return ResultTable(
        "The choice on resampled queries",
        f"{cfg.bootstrap} resamples of {cfg.trials} simulated queries, the limits kept in the "
        "mean: the most frequent k and its share of the resamples.",
        table.reset_index(),
    )
