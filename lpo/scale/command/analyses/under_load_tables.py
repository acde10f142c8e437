"""Tables of queries on a cluster, and of what is chosen under load and without."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.scale.command.choosing import METHODS, choose, selection_table
from lpo.scale.command.config import ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.curves import Curves, Estimate
from lpo.scale.under_load import UnderLoad

UNDER, WITHOUT = "under load", "without load"


class Cases(NamedTuple):
    """found: what was simulated. measured: the time of a query in this run, steady or not. under,
    without: curves [m, p, K] under load and without, at the cost that is asked for. average,
    marginal: both costs under load."""

    found: UnderLoad
    measured: Estimate
    under: Curves
    without: Curves
    average: Estimate
    marginal: Estimate


def query_table(asked: Question, cases: Cases) -> pd.DataFrame:
    """One row a model, number of slots and k."""
    found, time = cases.found, cases.under.time
    shape = found.steady.shape
    model, slots, count = (axis.ravel() for axis in np.indices(shape))
    columns = {
        "load": found.load[:, None],
        "steady": found.steady,
        "time_s": time.mean,
        "time_sd": time.sd,
        "time_sem": time.sem,
        "measured_s": cases.measured.mean,
        "unloaded_s": cases.without.time.mean,
        "cost_average_usd": cases.average.mean,
        "cost_marginal_usd": cases.marginal.mean,
        "accuracy": cases.under.accuracy.mean,
        "unfinished": found.unfinished,
    }
    keys = {
        "model": np.array(asked.models.names)[model],
        "k": asked.k[count],
        "parallel": asked.parallel[slots],
    }
    each = {name: np.broadcast_to(values, shape).ravel() for name, values in columns.items()}
    return pd.DataFrame(keys | each)


def selections_table(cfg: ScaleConfig, asked: Question, cases: Cases) -> pd.DataFrame:
    """The columns of `selection_table`, the setting before and the load of the choice behind."""
    tables = []
    for setting, curves in ((UNDER, cases.under), (WITHOUT, cases.without)):
        table = selection_table(asked, curves, choose(cfg, asked, curves))
        table.insert(0, "setting", setting)
        tables.append(table)
    rows = pd.concat(tables, ignore_index=True)
    load = query_table(asked, cases)[["model", "k", "parallel", "load"]]
    return rows.merge(load, on=["model", "k", "parallel"], how="left")


def passes_by_method(selections: pd.DataFrame) -> pd.DataFrame:
    """One row a scenario, model, number of slots and setting, one column a method."""
    keys = ["scenario", "model", "parallel", "setting"]
    table = selections.pivot(index=keys, columns="method", values="k")[list(METHODS)]
    cases = selections[keys[:3]].drop_duplicates()
    order = cases.merge(selections[["setting"]].drop_duplicates(), how="cross")
    return order.merge(table.reset_index(), on=keys)
