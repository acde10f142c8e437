"""Votes against enumeration of all ballots, binomial tails, and sums over the common factor."""

from fractions import Fraction
from itertools import product
from math import comb, factorial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.accuracy.ties import shares
from lpo.scale.laws import LawNumbers, make_laws
from tests.quick import jit

RIGHT = [0.0, 0.1, 0.5, 0.6, 0.93, 1.0]


def majority(models, k, **given):
    laws, numbers = make_laws(rule="majority", **given)
    return accuracy_moments(laws, numbers, models, k)


def worth(ballot):
    """Of a ballot in which answer 0 is right."""
    counts = [ballot.count(answer) for answer in set(ballot)]
    first = counts.count(max(counts))
    return (ballot.count(0) == max(counts)) / first


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_every_ballot(wrong, models_of):
    k = np.arange(1, 7)
    ours = majority(models_of(RIGHT, [0.0] * 6), k, wrong_answers=wrong)
    for at, p in enumerate(RIGHT):
        chances = [p] + [(1.0 - p) / wrong] * wrong
        for j, passes in enumerate(k):
            first = second = 0.0
            for ballot in product(range(wrong + 1), repeat=int(passes)):
                chance = np.prod([chances[answer] for answer in ballot])
                first, second = first + chance * worth(ballot), second + chance * worth(ballot) ** 2
            assert ours[0][at, j] == pytest.approx(first, abs=1e-13)
            assert ours[1][at, j] == pytest.approx(np.sqrt(max(second - first**2, 0.0)), abs=1e-7)


def test_one_wrong_answer_is_a_binomial_tail(models_of):
    k = np.arange(1, 201)
    mean, sd = majority(models_of(RIGHT, [0.0] * 6), k)
    right, half = np.array(RIGHT)[:, None], (k + 1) // 2
    tail = stats.binom.sf(half - 1, 2 * half - 1, right)
    np.testing.assert_allclose(mean, tail, atol=1e-13)
    np.testing.assert_allclose(mean[:, 1::2], mean[:, 0:-1:2], atol=1e-13)  # even k
    tie = np.where(k % 2 == 0, stats.binom.pmf(k // 2, k, right), 0.0)
    np.testing.assert_allclose(sd**2, tail * (1.0 - tail) - 0.25 * tie, atol=1e-13)


def exact_share(wrong, k, n):
    """What n right votes of k are worth, from exponential generating functions in fractions."""
    j = k - n

    def power(most, cells):
        series = [Fraction(1)] + [Fraction(0)] * j
        cell = [Fraction(int(i <= most), factorial(i)) for i in range(j + 1)]
        for _ in range(cells):
            series = [sum(series[a] * cell[b - a] for a in range(b + 1)) for b in range(j + 1)]
        return series

    ways = sum(
        Fraction(comb(wrong, t), (t + 1) * factorial(n) ** t) * power(n - 1, wrong - t)[j - n * t]
        for t in range(wrong + 1)
        if n * t <= j
    )
    return float(ways * factorial(j) / Fraction(wrong) ** j)


def test_many_votes_against_fractions():
    for wrong, k, n in ((3, 60, 20), (3, 60, 15), (4, 60, 12), (2, 60, 21), (7, 50, 8)):
        assert shares(wrong, k)[0][k, n] == pytest.approx(exact_share(wrong, k, n), abs=1e-13)


@pytest.mark.parametrize("correlation", [1e-6, 0.2, 0.7, 0.99])
def test_correlated_votes_by_a_sum_over_the_common_factor(correlation, models_of):
    right = RIGHT[1:-1]
    k = np.array([1, 4, 15, 199])
    z, step = np.linspace(-8.3, 8.3, 20001, retstep=True)
    own, common = np.sqrt(1.0 - correlation), np.sqrt(correlation)
    ours = majority(models_of(right, [0.0] * 4), k, correlation=correlation)
    laws, numbers = make_laws(rule="pass_at_k", correlation=correlation)
    anyone = accuracy_moments(laws, numbers, models_of(right, [0.0] * 4), k)
    half = (k + 1) // 2
    for at, p in enumerate(right):
        given = special.ndtr((special.ndtri(p) + common * z) / own)[:, None]
        weight = step * stats.norm.pdf(z)
        tail = stats.binom.sf(half - 1, 2 * half - 1, given)
        np.testing.assert_allclose(ours[0][at], weight @ tail, atol=1e-10)
        np.testing.assert_allclose(anyone[0][at], weight @ (1.0 - (1.0 - given) ** k), atol=1e-10)


def test_weights_by_the_beta_distribution(models_of):
    k = np.array([1, 2, 5, 200])
    for heavy, light in ((2.0, 1.0), (0.3, 4.0), (20.0, 15.0)):
        laws, numbers = make_laws(rule="weighted", right_weight=heavy, wrong_weight=light)
        ours, sd = accuracy_moments(laws, numbers, models_of(RIGHT, [0.0] * 6), k)
        for j, passes in enumerate(k):
            n = np.arange(1, passes)
            wins = special.betainc((passes - n) * light, n * heavy, 0.5)
            wins = np.concatenate([[0.0], wins, [1.0]])
            chance = stats.binom.pmf(np.arange(passes + 1), passes, np.array(RIGHT)[:, None])
            np.testing.assert_allclose(ours[:, j], chance @ wins, atol=1e-12)
        np.testing.assert_allclose(sd**2, ours * (1.0 - ours), atol=1e-12)


def test_weights_that_all_weigh_one_are_a_majority(models_of):
    """In the limit of large shapes; odd k, so that nothing ties."""
    k = np.array([1, 5, 21])
    models = models_of(RIGHT, [0.0] * 6)
    laws, numbers = make_laws(rule="weighted", right_weight=1e5, wrong_weight=1e5)
    same, _ = accuracy_moments(laws, numbers, models, k)
    np.testing.assert_allclose(same, majority(models, k)[0], atol=1e-9)


def test_derivatives_against_differences(models_of):
    laws, _ = make_laws(rule="weighted", correlation=0.3)
    k = np.array([9])

    def share(right, heavy, light, correlation):
        given = LawNumbers(correlation, right_weight=heavy, wrong_weight=light)
        models = models_of([0.0], [0.0])._replace(accuracy=right)
        return accuracy_moments(laws, given, models, k)[0].sum()

    at = (0.6, 2.0, 1.5, 0.3)
    with jax.enable_x64(True):
        slopes = jit(jax.grad(share, (0, 1, 2, 3)))(*(jnp.asarray(each) for each in at))
    for i in range(4):
        up, down = ((*at[:i], at[i] + side, *at[i + 1 :]) for side in (1e-5, -1e-5))
        assert (share(*up) - share(*down)) / 2e-5 == pytest.approx(float(slopes[i]), rel=1e-6)


def test_certain_answers_have_the_right_derivative(models_of):
    """At p = 1 one lost vote of three changes nothing; of one it does."""
    laws, numbers = make_laws(rule="majority")

    def share(right):
        models = models_of([0.0], [0.0])._replace(accuracy=right)
        return accuracy_moments(laws, numbers, models, np.array([1, 3]))[0][0]

    with jax.enable_x64(True):
        slopes = jit(jax.jacfwd(share))
        for certain in (0.0, 1.0):
            slope = slopes(jnp.asarray([certain]))[:, 0]
            np.testing.assert_allclose(slope, [1.0, 0.0], atol=1e-12)


def test_what_is_refused(models_of):
    models = models_of([0.5], [0.0])
    with pytest.raises(InputError, match="`k` must be whole"):
        majority(models, np.array([1.5]))
    with pytest.raises(InputError, match="`k` must be at most 1000"):
        majority(models, np.array([1001]))
    laws, numbers = make_laws(rule="majority")
    with pytest.raises(InputError, match="`most` must be given"):
        jax.jit(lambda k: accuracy_moments(laws, numbers, models, k))(jnp.array([1, 2]))
    with pytest.raises(InputError, match="`most` must be at least"):
        accuracy_moments(laws, numbers, models, np.array([7]), 5)
