import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.gradient import adam, gradient_descent
from lpo.l2o.classical.ishd import ishd_euler
from lpo.l2o.classical.method import path
from lpo.l2o.classical.tuning import tuned
from lpo.l2o.family import sample_problems
from tests.l2o.worlds import quadratic

FAMILY = quadratic((1.0, 9.0))
PROBLEMS = sample_problems(FAMILY, jax.random.key(0), 8)
STARTS = jax.random.normal(jax.random.key(1), (8, 2))


def test_descent_finds_the_rate_of_the_condition_number():
    # 2 / (least + greatest eigenvalue) is the best in the long run; from 2 / 9 on it diverges
    rates = np.asarray([0.4, 0.2, 0.05, 0.1, 0.02, 3.0])
    found = tuned(FAMILY, gradient_descent, rates, PROBLEMS, STARTS, 40)
    assert found.rate == pytest.approx(0.2)
    assert not found.at_edge
    assert found.rates.tolist() == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.4, 3.0])


def test_score_is_the_mean_of_the_least_value():
    rates = np.asarray([0.01, 0.1])
    found = tuned(FAMILY, adam, rates, PROBLEMS, STARTS, 15)
    for rate, score in zip(rates, found.score, strict=True):
        least = [
            path(FAMILY, adam(FAMILY, rate), p, x, 15).value.min()
            for p, x in zip(PROBLEMS, STARTS, strict=True)
        ]
        np.testing.assert_allclose(score, np.mean(least), rtol=1e-5)
    assert found.rate == pytest.approx(0.1) and found.at_edge


def test_a_rate_that_diverges_is_never_chosen():
    found = tuned(FAMILY, gradient_descent, np.asarray([0.1, 1e6]), PROBLEMS, STARTS, 60)
    assert found.rate == pytest.approx(0.1) and np.isinf(found.score[1])
    with pytest.raises(InputError, match=r"No rate from 1e\+06 to 1e\+07"):
        tuned(FAMILY, gradient_descent, np.asarray([1e6, 1e7]), PROBLEMS, STARTS, 60)


def test_rates_of_the_inertial_system():
    found = tuned(FAMILY, ishd_euler, np.geomspace(0.01, 3.0, 9), PROBLEMS, STARTS, 40)
    assert 0.15 < found.rate < 0.7  # about 1 / sqrt(9)


@pytest.mark.parametrize("rates", [[], [0.0, 1.0], [jnp.nan], [-1.0], [np.inf]])
def test_bad_rates_are_refused(rates: list[float]):
    with pytest.raises(InputError, match="`rates` must be positive"):
        tuned(FAMILY, gradient_descent, np.asarray(rates), PROBLEMS, STARTS, 5)
