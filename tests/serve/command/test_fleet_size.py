"""Revenue and queues by fleet size."""

import numpy as np
import pytest

from lpo.serve.command.analyses.fleet_size import find


@pytest.fixture(scope="module")
def found(serve_asked):
    return find(
        *serve_asked(
            "+experiment=serve_fleet_size",
            "policy=[credit_gate,fcfs_partition]",
            "analysis.fleets=[10,40]",
            "analysis.values.seeds=[8.0]",
            "analysis.values.decode_times=[1.0]",
            "seconds=200.0",
            "warm_up_s=100.0",
            "windows=2",
        )
    )


def test_larger_fleets_earn_more_of_what_nobody_beats(found):
    table = found.tables["fleets"].data
    share = table.pivot(index="policy", columns="n", values="reward_ratio")
    assert share.loc["credit_gate", 40] > share.loc["credit_gate", 10] > 0.9
    assert abs(share.loc["fcfs_partition", 40] - share.loc["fcfs_partition", 10]) < 0.02
    assert (table["reward_per_gpu"] <= table["lp_reward_per_gpu"] + 3 * table["reward_se"]).all()
    assert found.metrics["reward_ratio/credit_gate/n_40"] == share.loc["credit_gate", 40]
    assert "credit_gate earns most on 40 GPUs" in found.result


def test_bands_hold_the_mean_and_shrink(found):
    table = found.tables["fleets"].data
    assert (table["low"] < table["reward_per_gpu"]).all()
    assert (table["high"] > table["reward_per_gpu"]).all()
    width = (table["high"] - table["low"]).groupby(table["n"]).mean()
    assert width[40] < width[10]


def test_queues_are_near_the_plan_of_the_credit_gate(found):
    classes = found.tables["classes"].data
    rows = classes[(classes["policy"] == "credit_gate") & (classes["n"] == 40)]
    np.testing.assert_allclose(rows["waiting_prefill"], rows["planned_waiting_prefill"], atol=0.8)
    assert len(found.pictures["queues"].static.axes) == 4
    assert len(found.pictures["queues"].interactive().data) > 8
