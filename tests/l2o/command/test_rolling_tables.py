"""Tables of a rolling run, from solves made by hand."""

import numpy as np
import pytest

from lpo.l2o.command.analyses.rolling_tables import profile_table, solve_table, start_table
from lpo.l2o.warm.rolling import Solve

CAME = ((1.0, 120.0), (2.0, 100.9), (3.0, 100.0))
COLD = Solve(0, "none", False, False, np.nan, 0.0, CAME, 4.0, 100.0, 99.0, 0.01, 1, "")
WARM = COLD._replace(
    starter="nearest", started=True, start_usd=105.0, start_s=0.5, incumbents=((0.6, 105.0),),
    objective=102.0, gap=0.03,
)  # fmt: skip
LATER = [
    COLD._replace(period=1, objective=200.0, incumbents=((8.0, 200.0),), end_s=8.0),
    WARM._replace(period=1, objective=200.0, start_usd=210.0, incumbents=((2.0, 200.0),), gap=0.0),
]


def test_a_row_a_start_by_the_medians_and_means_that_it_says():
    table = start_table([COLD, WARM, *LATER], gap=0.01).set_index("start")
    none, near = (table.loc[name] for name in ("none", "nearest"))
    assert none["first_s"] == 5.0 and np.isnan(near["first_s"])  # never in half of the hours
    assert list(table.index) == ["none", "nearest"]
    assert near["never"] == 0.5 and none["never"] == 0.0
    assert near["speedup"] == pytest.approx((0.0 + 4.0) / 2) and none["speedup"] == 1.0
    assert (none["fastest"], near["fastest"]) == (1, 1)
    assert near["excess"] == pytest.approx(0.01) and near["worst_excess"] == pytest.approx(0.02)
    assert near["start_excess"] == pytest.approx(0.05) and np.isnan(none["start_excess"])
    assert near["no_worse"] == 0.5 and near["reached_gap"] == 0.5
    assert (near["started"], none["started"], near["fallback"]) == (1.0, 0.0, 0.0)
    assert (none["end_s"], near["make_s"]) == (6.0, 0.5)
    assert list(table["learned"]) == [False, True]


def test_a_row_a_solve_and_shares_by_seconds():
    each = solve_table([WARM, COLD])
    assert list(each["starter"]) == ["nearest", "none"] and list(each["best_known"]) == [100.0] * 2
    assert each["first_s"].isna().tolist() == [True, False]
    profile = profile_table([COLD, WARM, *LATER], limit_s=10.0)
    own = profile.loc[profile["start"] == "none"]
    assert list(own["seconds"]) == [2.0, 8.0, 10.0] and list(own["share"]) == [0.5, 1.0, 1.0]
