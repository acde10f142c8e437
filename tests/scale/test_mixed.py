"""Mixed queries against scipy's quadrature, loops over all mixes, and what one model can do."""

import itertools

import jax
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.mixed import best_mix, mixed_accuracy
from lpo.scale.models import Models
from lpo.scale.passes import pass_moments
from tests import quick


def models(accuracy, sd):
    rest = [np.zeros(len(accuracy))] * 8
    return Models(np.asarray(accuracy, float), np.asarray(sd, float), *rest)


def by_quadrature(given, passes):
    def integrand(x):
        each = norm.cdf((x - given.accuracy) / given.accuracy_sd) ** np.asarray(passes)
        return 1.0 - np.prod(each)

    z = np.array([-4.0, -1.0, 1.0, 4.0])
    breaks = np.unique(np.clip(given.accuracy[:, None] + given.accuracy_sd[:, None] * z, 0.0, 1.0))
    ends = np.concatenate([[0.0], breaks, [1.0]])
    return sum(
        quad(integrand, low, high, epsabs=1e-13, epsrel=1e-13)[0]
        for low, high in itertools.pairwise(ends)
        if high > low
    )


@pytest.mark.parametrize(
    "passes", [(1, 0, 0), (0, 0, 3), (2, 1, 0), (5, 9, 4), (0, 300, 1), (0.5, 2.5, 7.25)]
)
@pytest.mark.parametrize("sd", [(0.02, 0.07, 0.3), (0.001, 0.1, 0.05)])
def test_accuracy_is_the_integral(passes, sd):
    given = models((0.94, 0.6, 0.3), sd)
    found = mixed_accuracy(given, passes)
    assert found == pytest.approx(by_quadrature(given, passes), abs=1e-11)


def test_accuracy_by_hand():
    given = models((0.5, 0.5, 0.8), (0.01, 0.01, 0.0))
    found = mixed_accuracy(given, [[0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0], [9, 9, 1]])
    two = 0.5 + 0.01 / np.sqrt(np.pi)
    np.testing.assert_allclose(found, [0.0, 0.5, two, two, 0.8], atol=1e-12)


def random_case(rng, least, most):
    m = int(rng.integers(least, most + 1))
    given = models(rng.uniform(0.3, 0.95, m), rng.uniform(0.01, 0.2, m))
    cost, time = np.exp(rng.uniform(np.log(0.03), np.log(0.5), (2, m)))
    return given, cost, time


def test_enumeration_finds_the_best_of_all_mixes():
    rng = np.random.default_rng(0)
    for _ in range(15):
        given, cost, time = random_case(rng, 2, 3)
        found = best_mix(given, cost, time, Limits(1.0, 0.5, 0.9), 2, method="enumeration")
        counts = [range(int(min(1.0 / c, 1.0 / t)) + 1) for c, t in zip(cost, time, strict=True)]
        every = np.array(list(itertools.product(*counts)))
        fits = every[(every @ cost <= 1.0) & (every @ time / 2 <= 0.5)]
        accuracy = mixed_accuracy(given, fits)
        assert found.accuracy == pytest.approx(accuracy.max(), abs=1e-13)
        assert mixed_accuracy(given, found.passes) == pytest.approx(found.accuracy, abs=1e-14)
        assert found.exact and found.feasible == (found.accuracy >= 0.9)
        assert found.cost == pytest.approx(found.passes @ cost) and found.cost <= 1.0
        assert found.time == pytest.approx(found.passes @ time / 2) and found.time <= 0.5


def test_mixes_of_so_many_passes_in_all():
    rng = np.random.default_rng(2)
    for method in ("enumeration", "greedy"):
        for _ in range(5):
            given, cost, time = random_case(rng, 2, 3)
            limits = Limits(1.0, 0.5, 0.0)
            found = best_mix(given, cost, time, limits, 2, method=method, k_max=4)
            every = np.array(list(itertools.product(range(5), repeat=len(cost))))
            fits = (every @ cost <= 1.0) & (every @ time / 2 <= 0.5) & (every.sum(1) <= 4)
            best = mixed_accuracy(given, every[fits]).max()
            assert found.passes.sum() <= 4
            assert found.accuracy == pytest.approx(best, abs=1e-13 if found.exact else 5e-3)


def test_greedy_is_nearly_always_the_best():
    rng = np.random.default_rng(1)
    lost = []
    while len(lost) < 60:
        given, cost, time = random_case(rng, 2, 4)
        limits = Limits(1.0, 1.0, 0.0)
        exact = best_mix(given, cost, time, limits, 1, most=20_000)
        if exact.exact:
            greedy = best_mix(given, cost, time, limits, 1, method="greedy")
            assert not greedy.exact and greedy.cost <= 1.0 and greedy.time <= 1.0
            lost.append(exact.accuracy - greedy.accuracy)
    assert min(lost) > -1e-12 and max(lost) < 5e-3
    assert np.mean(np.array(lost) < 1e-12) > 0.9


def test_many_models_are_left_to_greedy_and_no_worse_than_any_alone(reference_models):
    given = reference_models.models
    cost = given.input_price * given.prompt + given.output_price * given.output
    time = given.input_s * given.prompt + given.output_s * given.output
    limits = Limits(0.5, 60.0, 0.9)
    mixed = best_mix(given, cost, time, limits, 4)
    assert not mixed.exact and mixed.feasible and mixed.cost <= 0.5 and mixed.time <= 60.0
    most = np.floor(np.minimum(0.5 / cost, 60.0 * 4 / time))
    alone = mixed_accuracy(given, np.diag(most))
    assert mixed.accuracy >= alone.max() - 1e-14


def test_a_dear_model_and_a_slow_one_leave_room_for_each_other():
    given, cost, time = models((0.6, 0.6), (0.1, 0.1)), [0.4, 0.1], [0.1, 0.4]
    found = best_mix(given, cost, time, Limits(1.0, 1.0, 0.0), 1)
    assert found.passes.tolist() == [2, 2]
    assert found.accuracy > mixed_accuracy(given, [[2, 0], [0, 2]]).max()


def test_of_equals_the_mix_that_uses_least_wins():
    given = models((0.5, 0.5), (0.1, 0.1))
    for method in ("enumeration", "greedy"):
        found = best_mix(
            given, np.array([0.4, 0.5]), np.zeros(2), Limits(1.0, 1.0, 0.0), 1, method=method
        )
        assert found.passes.tolist() == [2, 0]


def test_whole_passes_up_to_the_limit():
    found = best_mix(models([0.5], [0.1]), [0.1], [0.0], Limits(0.3, 1.0, 0.0), 1)
    assert found.passes.tolist() == [3]


def test_nothing_fits():
    for method in ("enumeration", "greedy"):
        found = best_mix(
            models([0.5, 0.9], [0.1, 0.1]),
            [2.0, 3.0],
            [1.0, 1.0],
            Limits(1.0, 9.0, 0.0),
            1,
            method=method,
        )
        assert found.passes.tolist() == [0, 0] and not found.feasible
        assert (found.accuracy, found.cost, found.time) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "`method` must be one of auto, enumeration, greedy"),
        ({"cost": [1.0]}, "`cost` must be a finite number"),
        ({"time": [1.0, -1.0]}, "`time` must be a finite number"),
        ({"limits": Limits(0.0, 1.0, 0.0)}, "`limits.cost` must be positive"),
        ({"parallel": 0}, "`parallel` must be at least 1"),
        ({"cost": [1.0, 0.0], "time": [1.0, 0.0]}, "model 1 use nothing of a finite limit"),
        ({"limits": Limits(np.inf, np.inf, 0.0)}, "model 0 use nothing of a finite limit"),
        ({"method": "enumeration", "most": 3, "cost": [1e-3, 1e-3]}, "for up to 3 mixes"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {
        "models": models([0.5, 0.9], [0.1, 0.1]),
        "cost": [0.5, 0.5],
        "time": [0.0, 0.0],
        "limits": Limits(1.0, 1.0, 0.0),
        "parallel": 1,
    } | change
    with pytest.raises(InputError, match=message):
        best_mix(**given)


def test_passes_that_add_nothing_are_left_out(reference_models):
    """Within ten minutes and two dollars accuracy is 1 to all digits with many mixes."""
    models = reference_models.models
    with jax.enable_x64(True):
        one = jax.tree.map(np.asarray, quick.jit(pass_moments)(models))
    found = best_mix(models, one.cost, one.time, Limits(2.0, 600.0, 0.95), 4)
    cheaper = np.zeros_like(found.passes)
    cheaper[reference_models.names.index("nvidia-nemotron-nano-9b-v2")] = 290
    assert 1.0 - found.accuracy < 2e-14
    assert found.cost + 1e-9 < cheaper @ one.cost and found.time < 187.1
