"""What a certificate adds, against biases drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit.ope.log import make_log
from lpo.bandit.ope.shift import Shift, check_shift, shift_allowance
from lpo.errors import InputError

N, K, C = 9, 3, 2


@pytest.fixture(params=["joint", "disjoint", "contexts"])
def case(request):
    rng = np.random.default_rng(0)
    blocks = 1 if request.param == "joint" else K
    roots = rng.normal(size=(2, blocks, C, C))  # two parts
    roots[1, 0] = np.outer([1.0, 2.0], [0.0, 1.0])  # one of them in a single direction
    budgets = roots @ roots.swapaxes(-1, -2)
    features = rng.normal(size=(N, C) if request.param == "contexts" else (N, K, C))
    return (rng.dirichlet(np.ones(K), (2, N)), features, budgets), roots


def allowance(case, shift):
    with jax.enable_x64(True):
        return np.asarray(shift_allowance(*map(jnp.asarray, case), shift))


def of_arms(features):
    return features if features.ndim == 3 else np.repeat(features[:, None], K, 1)


def test_per_row_is_the_mean_of_norms(case):
    given, roots = case
    pi, x, expected = given[0], of_arms(given[1]), np.zeros(2)
    for p in range(2):
        for i in range(N):
            for a in range(K):
                for part in roots:
                    length = np.linalg.norm(part[a % len(part)].T @ x[i, a])
                    expected[p] += pi[p, i, a] * length / N
    np.testing.assert_allclose(allowance(given, Shift.PER_ROW), expected, rtol=1e-12)


def test_fixed_is_the_greatest_change_of_value_by_a_bias_of_the_certificate(case):
    given, roots = case
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(20000, *roots.shape[:2], C))
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    bias = np.einsum("mgcd,smgd->sgc", roots, unit)  # parts add up
    bias = np.broadcast_to(bias, (len(bias), K, C))
    change = np.einsum("pia,iac,sac->ps", given[0], of_arms(given[1]), bias) / N
    fixed = allowance(given, Shift.FIXED)
    assert (change.max(1) <= fixed + 1e-12).all()
    assert (change.max(1) >= 0.9 * fixed).all()
    assert (fixed <= allowance(given, Shift.PER_ROW)).all()


def test_a_bias_that_depends_on_the_row_reaches_per_row():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    budgets = np.broadcast_to(np.eye(C) * 0.04, (1, K, C, C))
    pi = np.zeros((1, 3, K))
    pi[..., 0] = 1.0  # a fixed bias of this arm meets the mean of features, (0, 1/3)
    assert allowance((pi, features, budgets), Shift.PER_ROW)[0] == pytest.approx(0.2)
    assert allowance((pi, features, budgets), Shift.FIXED)[0] == pytest.approx(0.2 / 3)


@pytest.mark.parametrize(
    ("budgets", "features", "message"),
    [
        (np.eye(C), None, "must be [parts, 3, 2, 2]"),
        (np.ones((1, 1, C, C)), None, "one block for all arms needs `features` [n, 3, c]"),
        (np.ones((1, 2, C, C)), np.ones((N, K, C)), "must be [parts, 1 or 3, 2, 2]"),
        (np.ones((1, 1, C, C)), np.ones((N, 2, C)), "`features` must be finite, [9, 3, c]"),
        (np.full((1, K, C, C), np.inf), None, "`budgets` must be finite"),
        (-np.ones((1, K, C, C)), None, "symmetric and positive semidefinite"),
        (np.array([[[[1.0, 0.5], [0.0, 1.0]]] * K]), None, "symmetric and positive semidefinite"),
    ],
)
def test_refusals(budgets, features, message):
    log = make_log(np.ones((N, C)), np.arange(N) % K, np.ones(N), np.ones(N))
    with pytest.raises(InputError) as error:
        check_shift(log, budgets, features)
    assert message in str(error.value)
