"""Tables in words against sums by hand."""

import numpy as np
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.explain import words
from lpo.allocate.instance import Instance
from lpo.allocate.instances.generate import generate
from lpo.allocate.options import Options, make_options
from lpo.allocate.validate.cost import Cost


@pytest.fixture(scope="module")
def instance() -> Instance:
    return generate("robust", 3, size=(3, 2, 8))


@pytest.fixture(scope="module")
def allocation(instance) -> Allocation:
    """Two replicas of the first model on every tier at some degree, types spread over them."""
    I, J, K, N = instance.shape
    replicas, share = np.zeros((J, K, N), np.int64), np.zeros((I, J, K, N))
    for k in range(K):
        replicas[0, k, k % N] = 2
        share[:, 0, k, k % N] = 0.9 / K
    return Allocation(replicas, share, np.full(I, 0.1))


def test_use_of_memory_and_compute(instance, allocation):
    data = instance.data
    legacy = words.usage(instance, allocation, Options(replicas=2))
    physical = words.usage(instance, allocation, Options(replicas=2, legacy_units=False))
    for k in range(len(instance.tiers)):
        n = k % 4
        degree, at = instance.tensor_parallel[n], (0, k, n)
        cached = demanded = by_hour = 0.0
        for i in range(3):
            tokens = (data.input_tokens[i] + data.output_tokens[i]) * allocation.share[i, 0, k, n]
            hourly = tokens * data.arrivals_per_hour[i]
            cached += data.kv_gb_per_token[0] / degree * hourly * data.residency_h[i, 0, k]
            demanded += data.tflop_per_kilotoken[i] * tokens
            by_hour += data.tflop_per_kilotoken[i] / 1000 * hourly
        memory = (2 * data.weights_gb[0] / degree + cached) / (2 * data.memory_gb[k])
        compute = 2 * degree * data.compute_tflops[k]
        assert legacy.memory[at] == pytest.approx(memory)
        assert legacy.compute[at] == pytest.approx(demanded / compute)
        assert physical.compute[at] == pytest.approx(by_hour / 3600 / compute)
    assert np.isnan(legacy.memory[1]).all()


def test_plan_and_routes_count_everything(instance, allocation):
    plan = words.plan_table(instance, allocation, Options(replicas=2))
    assert list(plan["deployment"]) == list(range(1, 9))
    assert plan["gpus"].to_numpy().sum() == 2 * 2 * (1 + 2 + 4 + 8)
    share = words.percent(0.9 / 8)
    assert plan["serves"].tolist()[0] == ", ".join(
        f"{name} {share}" for name in instance.query_types
    )
    routes = words.routes_table(instance, allocation, Options(replicas=2))
    assert len(routes) == 3 * 8
    queries = routes["queries_per_hour"].to_numpy().sum()
    assert queries == pytest.approx(0.9 * instance.data.arrivals_per_hour.sum())
    # the delay of a route in the published profile is not divided by its degree
    published = words.routes_table(instance, allocation, make_options(profile="reference"))
    np.testing.assert_allclose(
        published["delay_ms"], routes["delay_ms"] * routes["tensor_parallel"]
    )


def test_degrees_take_small_tiers_together(instance, allocation):
    table = words.degrees_table(instance, allocation)
    assert "other tiers" in table and len(table.columns) == 1 + words.TIERS_SHOWN + 1
    assert table.drop(columns=["tensor_parallel"]).to_numpy().sum() == 60


def test_shares_of_the_objective(instance):
    parts = Cost(50.0, 5.0, 5.0, 20.0, 30.0, 10.0)
    corrected = words.costs_table(parts, Options())
    assert corrected["usd"].iloc[-1] == 120
    published = words.costs_table(parts, make_options(profile="reference"))
    assert published["usd"].iloc[-1] == 100  # without the nominal delay, which has no share
    assert np.isnan(published["share"].to_numpy()).sum() == 1
    for table in (corrected, published):
        assert np.nansum(table["share"].iloc[:-1]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("share", "words_"), [(1.0, "100 %"), (0.7369, "73.7 %"), (0.0002, "0.02 %")]
)
def test_percent(share, words_):
    assert words.percent(share) == words_
