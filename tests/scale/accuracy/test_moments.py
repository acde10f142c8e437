"""What all rules share: where answers are refused, and where they are traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.laws import Rule, make_laws
from tests.quick import jit

K = np.array([1, 2, 9])
MEANS, SPREADS = [0.9, 0.6], [0.05, 0.1]


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_a_traced_call_gives_the_same(rule, correlation, models_of):
    laws, numbers = make_laws(rule=rule, correlation=correlation)
    models = models_of(MEANS, SPREADS)
    plain = accuracy_moments(laws, numbers, models, K)
    assert all(isinstance(row, np.ndarray) and row.shape == (2, 3) for row in plain)
    assert all(row.dtype == np.float64 for row in plain)
    assert (plain[0] > 0.0).all() and (plain[0] <= 1.0).all() and (plain[1] > 0.0).all()
    with jax.enable_x64(True):
        given = jax.tree.map(jnp.asarray, (numbers, models, K.astype(float)))
        traced = jit(lambda n, m, k: accuracy_moments(laws, n, m, k, 9))(*given)
    for ours, theirs in zip(traced, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule != Rule.WEIGHTED])
def test_one_pass_is_one_pass(rule, models_of):
    """Whatever the rule and the correlation: its score, or whether it is right."""
    laws, numbers = make_laws(rule=rule, correlation=0.5)
    mean, _ = accuracy_moments(laws, numbers, models_of([0.5, 0.4], [0.01, 0.02]), K)
    np.testing.assert_allclose(mean[:, 0], [0.5, 0.4], atol=1e-9)


def test_numbers_of_one_model(models_of):
    models = jax.tree.map(lambda leaf: float(leaf[0]), models_of(MEANS, SPREADS))
    mean, sd = accuracy_moments(*make_laws(), models, K)
    assert mean.shape == sd.shape == (1, 3)


@pytest.mark.parametrize("k", [[0.5], [], [[1, 2]], [np.inf]])
def test_numbers_of_passes_that_mean_nothing(k, models_of):
    with pytest.raises(InputError, match="`k` must be an array of numbers of at least 1"):
        accuracy_moments(*make_laws(), models_of(MEANS, SPREADS), np.array(k))


def test_beta_distributions_that_do_not_exist(models_of):
    beta, varied = make_laws(accuracy="beta"), make_laws(rule="pass_at_k", varied=True)
    for laws, numbers in (beta, varied):
        for mean, sd in ((0.5, 0.6), (1.0, 0.0)):
            with pytest.raises(InputError, match=r"model 1: .* for a Beta distribution"):
                accuracy_moments(laws, numbers, models_of([0.5, mean], [0.1, sd]), K)
    accuracy_moments(*make_laws(rule="majority", accuracy="beta"), models_of([1.0], [0.6]), K)
