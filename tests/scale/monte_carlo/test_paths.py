"""Single queries: the same ones whatever else is asked, and tokens as the laws say."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from lpo.errors import InputError
from lpo.scale.laws import make_laws
from lpo.scale.models import Models, chosen
from lpo.scale.monte_carlo import query_paths
from lpo.scale.passes import make_pairs

K, M = 10, 300
KEY = jax.random.key(1)
SLOTS = (1, 4)


def made(laws, given, k=K, parallel: Any = SLOTS, trials=M, pairs=None):
    return query_paths(KEY, laws[0], laws[1], given, k, parallel, trials, pairs)


@pytest.fixture(scope="module")
def laws():
    return make_laws(correlation=0.3, rule="verifier")


@pytest.fixture(scope="module")
def paths(laws, reference_models):
    return made(laws, reference_models.models)


def same(one, other, *, exactly=True):
    for first, second in zip(one, other, strict=True):
        if exactly:
            np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, second, rtol=3e-7, atol=1e-7)


def test_shapes(paths):
    assert paths.cost.shape == paths.accuracy.shape == (9, M, K)
    assert paths.time.shape == (9, 2, M, K)
    assert {leaf.dtype for leaf in paths} == {np.dtype(np.float32)}


def test_more_passes_change_nothing_before(laws, paths, reference_models):
    longer = made(laws, reference_models.models, 2 * K)
    same((leaf[..., :K] for leaf in longer), paths)


def test_more_queries_change_nothing_before(laws, paths, reference_models):
    """Also beyond a chunk."""
    more = made(laws, reference_models.models, trials=700)
    same((leaf[..., :M, :] for leaf in more), paths)
    first = more.cost[0, :, 0]
    assert len(np.unique(first)) > 0.99 * len(first)


def test_a_model_alone_is_what_it_is_in_a_stack(laws, paths, reference_models):
    name = reference_models.names[3]
    alone = made(laws, chosen(reference_models, [name]).models)
    same(alone, (leaf[3:4] for leaf in paths), exactly=False)
    number = Models(*(float(leaf[3]) for leaf in reference_models.models))
    same(made(laws, number), alone)


@pytest.mark.parametrize(
    ("rule", "latency"), [("best_of_k", "waves"), ("pass_at_k", "work_conserving")]
)
def test_a_query_gets_dearer_later_and_better(rule, latency, reference_models):
    laws = make_laws(rule=rule, latency=latency)
    paths = made(laws, reference_models.models)
    assert all((np.diff(leaf) >= 0.0).all() for leaf in paths)


def test_other_laws_have_the_same_passes(paths, reference_models):
    other = make_laws(latency="mean", rule="majority", wrong_answers=3)
    ours = made(other, reference_models.models)
    np.testing.assert_array_equal(ours.cost, paths.cost)
    np.testing.assert_allclose(ours.time[:, 0], paths.time[:, 0], rtol=1e-6)  # one slot: the sum


def test_lengths_are_clipped_normal():
    """Wide lengths, so that every clip binds; a cost that is prompts, a time that is outputs."""
    one, nothing = np.ones(1), np.zeros(1)
    lengths = (100.0 * one, 800.0 * one, 900.0 * one, 800.0 * one)
    wide = Models(one, nothing, *lengths, one, nothing, nothing, one)
    paths = made(make_laws(latency="mean"), wide, 1, 1, 40_000)
    prompt, output = paths.cost.astype(float).ravel(), paths.time.astype(float).ravel()
    for tokens, mean, sd, most in ((prompt, 100.0, 800.0, 1600.0), (output, 900.0, 800.0, None)):
        assert tokens.min() == 1.0
        assert abs((tokens == 1.0).mean() - stats.norm.cdf(1.0, mean, sd)) < 0.01
        if most:
            assert tokens.max() == most
    assert (output <= 16.0 * prompt).all() and (output == 16.0 * prompt).mean() > 0.2
    inside = (prompt > 1.0) & (prompt < 1600.0)
    ends = (1.0 - 100.0) / 800.0, 1500.0 / 800.0
    law = stats.truncnorm(*ends, 100.0, 800.0)
    assert stats.kstest(prompt[inside], law.cdf).pvalue > 1e-3


def test_pairs_are_drawn_by_weight_and_stay_together():
    pairs = make_pairs([10.0, 20.0, 40.0], [7.0, 5.0, 3.0], [1.0, 0.0, 3.0])
    one = np.array([1.0])
    models = Models(one, one, one, one, one, one, one, 0 * one, 0 * one, one)
    paths = made(make_laws(latency="mean"), models, 1, 1, 20_000, pairs)
    drawn, counts = np.unique(
        np.stack([paths.cost[0, :, 0], paths.time[0, 0, :, 0]]), axis=1, return_counts=True
    )
    np.testing.assert_array_equal(drawn, [[10.0, 40.0], [7.0, 3.0]])
    assert stats.binomtest(int(counts[0]), 20_000, 0.25).pvalue > 1e-3


def test_bad_numbers(reference_models):
    laws, models = make_laws(), reference_models.models
    for name, k, P, trials in (("k_max", 0, 1, 9), ("parallel", 3, [2, 0], 9), ("trials", 3, 1, 0)):
        with pytest.raises(InputError, match=f"`{name}` must be whole numbers of at least 1"):
            made(laws, models, k, P, trials)
    with pytest.raises(InputError, match="whole"):
        made(laws, models, 3, 1.5, 9)
    uneven = models._replace(accuracy=models.accuracy[:4])
    with pytest.raises(InputError, match="`models` must be arrays of one length"):
        made(laws, uneven, 3, 1, 9)
    beta = make_laws(accuracy="beta")
    with pytest.raises(InputError, match="accuracy"):
        made(beta, models._replace(accuracy=models.accuracy * 0.0), 3, 1, 9)
