"""Policies on random instances."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.command.analyses.policy_bars import find

ASKED = [
    "+experiment=serve_policy_bars",
    "policy=[credit_gate,fcfs_partition]",
    "n=20",
    "windows=8",
]


def test_shares_of_the_optimum_by_policy_and_load(serve_asked):
    cfg, problem = serve_asked(
        *ASKED,
        "analysis.cases=4",
        "analysis.values.load=[0.6,3.0]",
        "analysis.values.load_cases=[2.0]",
        "analysis.values.warm_up=[4.0]",
        "analysis.values.decode_times=[4.0]",
    )
    found = find(cfg, problem)
    runs: Any = found.tables["runs"].data
    assert len(runs) == 2 * (4 + 2 * 2)
    assert (runs["share"] <= 1.0 + 4.0 * runs["share_se"] + 0.02).all()
    scaled = runs[runs["scaled_to"].notna()]
    np.testing.assert_allclose(scaled["load"], scaled["scaled_to"])
    drawn = runs[runs["scaled_to"].isna()]
    bars: Any = found.tables["bars"].data.set_index("policy")
    for policy, rows in drawn.groupby("policy"):
        assert bars.loc[policy, "mean"] == pytest.approx(rows["share"].mean())
        assert bars.loc[policy, "sd"] == pytest.approx(rows["share"].std())
    assert bars["best"].sum() == 4
    share: Any = found.tables["loads"].data.pivot(index="policy", columns="load", values="share")
    assert share.loc["credit_gate", 3.0] > share.loc["fcfs_partition", 3.0] + 0.1
    assert (share[0.6] > 0.9).all() and share.loc["credit_gate", 0.6] > 0.98
    assert "order of arrival" in found.notes[1]
    metrics: Any = found.metrics
    assert metrics["draws"] == 4 + metrics["draws_with_faster_mixed_decoding"]


def test_seconds_have_no_meaning_across_instances(serve_asked):
    cfg, problem = serve_asked(*ASKED, "seconds=10.0")
    with pytest.raises(InputError, match="seconds: 10"):
        find(cfg, problem)
