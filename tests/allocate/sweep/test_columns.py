"""Columns of the table of a sweep, against numbers reckoned by hand on the plan of `tiny`."""

import numpy as np
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.options import make_options
from lpo.allocate.sweep.columns import limit_columns, plan_columns, row_of_plan, scaled_columns
from lpo.allocate.uncertainty import budget

CORRECTED, REFERENCE = make_options(), make_options(profile="reference")
ONE = budget(1.0, 1.0)


def test_columns_of_a_plan(tiny):
    rent, model, data, unmet = 10 * (1 + 4), 0.1 * 12, 0.1 * (0.95 + 8), 5 * 10 * 0.05
    delay = 0.01 * 10 * (58 + 10) + 0.02 * 20 * (80 + 20)
    total = rent + model + data + delay + unmet
    assert plan_columns(tiny[0], tiny[1], CORRECTED, ONE) == pytest.approx(
        {
            "total_cost": total,
            "C1_rental": rent,
            "C2_storage": model + data,
            "C2_model": model,
            "C2_data": data,
            "C3_robust_delay": delay,
            "C4_unmet": unmet,
            "C1_pct": 100 * rent / total,
            "C2_pct": 100 * (model + data) / total,
            "C3_pct": 100 * delay / total,
            "C4_pct": 100 * unmet / total,
            "num_allocations": 3,
            "num_gpu_configs": 2,
            "total_gpus": 3,
            "num_unmet_queries": 1,
            "total_unmet_fraction": 0.05,
            "avg_delay": (58 + 80) / 1.95,
            "avg_error": (0.058 + 0.04) / 1.95,
            "num_tp_configs": 2,
            "avg_tp_degree": (1 * 1 + 2 * 2) / 3,
            "tp_1_count": 1,
            "tp_2_count": 1,
        }
    )


def test_the_published_profile_counts_other_things(tiny):
    found = plan_columns(tiny[0], tiny[1], REFERENCE, ONE)
    storage = 0.1 * (4 + 8 + 8) + 0.1 * 8.95  # weights once a route
    deviation = 0.01 * 10 * 10 + 0.02 * 20 * 40  # nominal delay is not paid, TP divides nothing
    assert found["C3_robust_delay"] == pytest.approx(deviation)
    assert found["total_cost"] == pytest.approx(50 + storage + deviation + 2.5)
    assert found["avg_delay"] == pytest.approx((40 + 36 + 160) / 1.95)
    limits = limit_columns(tiny[0], tiny[1], REFERENCE, ONE)
    assert limits["budget_slack"] == pytest.approx(200 - (2 * 50 + storage))  # rent twice
    assert limits["max_delay_utilization"] == pytest.approx(76 / 100)


def test_use_of_the_limits(tiny):
    small, large = (4 + 0.01 * 50) / 10, (8 / 2 + 0.01 * (45 + 400)) / 20
    assert limit_columns(tiny[0], tiny[1], CORRECTED, ONE) == pytest.approx(
        {
            "budget_utilization": (50 + 1.2 + 0.895) / 200,
            "budget_slack": 200 - (50 + 1.2 + 0.895),
            "avg_delay_utilization": (58 / 100 + 80 / 400) / 2,
            "max_delay_utilization": 58 / 100,
            "avg_error_utilization": (0.058 / 0.1 + 0.04 / 0.2) / 2,
            "max_error_utilization": 0.058 / 0.1,
            "avg_memory_util": (small + large) / 2,
            "max_memory_util": small,
        }
    )


def test_memory_in_use_is_shared_by_replicas(tiny):
    instance, plan = tiny
    doubled = Allocation(2 * plan.replicas, plan.share, plan.unmet)
    options = make_options(replicas=2)
    small, large = (4 + 0.005 * 50) / 10, (4 + 0.005 * 445) / 20
    found = limit_columns(instance, doubled, options, ONE)
    assert found["max_memory_util"] == pytest.approx(max(small, large))
    assert found["avg_memory_util"] == pytest.approx((small + large) / 2)


def test_without_a_plan_only_the_instance_is_described(tiny):
    instance = tiny[0]
    assert scaled_columns(instance) == pytest.approx(
        {
            "budget_threshold": 200,
            "scaled_p_c_mean": 1.5,
            "scaled_delta": 200,
            "scaled_Delta_i_mean": 250,
            "scaled_epsilon_mean": 0.15,
            "scaled_gpu_cost_mean": 1.5,
            "scaled_C_gpu_mean": 15,
        }
    )
    extra = ("scaled_delta", "budget_slack")
    assert row_of_plan(instance, None, CORRECTED, ONE, extra) == {"scaled_delta": 200}
    with_plan = row_of_plan(tiny[0], tiny[1], CORRECTED, ONE, extra)
    assert list(with_plan)[-2:] == ["scaled_delta", "budget_slack"]


def test_a_plan_that_serves_nobody_has_no_means(tiny):
    instance = tiny[0]
    nothing = Allocation(np.zeros((2, 2, 2), np.int64), np.zeros((2, 2, 2, 2)), np.ones(2))
    found = plan_columns(instance, nothing, CORRECTED, ONE)
    assert np.isnan([found[name] for name in ("avg_delay", "avg_error", "avg_tp_degree")]).all()
    assert found["total_cost"] == found["C4_unmet"] == pytest.approx(5 * 10 + 6 * 20)
