"""Widths: that they hold, what they are made of, and what follows from them."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lpo.bandit import (
    Case,
    Environment,
    Policy,
    Pooling,
    Settings,
    Widths,
    alignment,
    disjoint_family,
    effective_dimension,
)
from lpo.bandit.assumptions import make_assumptions
from lpo.bandit.policy import Claim, OfflineNoise
from lpo.bandit.radii import crossing, noise_norm, precision_constant, staged_radii
from lpo.bandit.spherical import spherical_family
from tests.bandit.worlds import Trace, Worlds, trace, worlds

SEEDS, HORIZON = 200, 150
CASES = Case.SMALL_SHIFT, Case.ALIGNED, Case.ADVERSARIAL
PER_BLOCK, PRECISION = Widths.PER_BLOCK, Pooling.PRECISION
SUB_GAUSSIAN = OfflineNoise.SUB_GAUSSIAN

POLICIES = {
    "product": Policy(),
    "ellipsoid": Policy(claim=Claim.ELLIPSOID, offline_noise=SUB_GAUSSIAN),
    "euclidean": Policy(claim=Claim.EUCLIDEAN),
    "precision": Policy(pooling=PRECISION),
}
BLOCKS = {
    "blocks": Policy(widths=PER_BLOCK),
    "precision_blocks": Policy(pooling=PRECISION, widths=PER_BLOCK),
}


@cache
def met(case: Case, joint: bool) -> Worlds:
    make: Any = spherical_family if joint else disjoint_family
    environment: Environment = make(case, 4, 4, 1000, delta=0.05)
    return worlds(environment, range(SEEDS), HORIZON)


@cache
def traced(policy: Policy, case: Case, joint: bool) -> Trace:
    return trace(policy, Settings(), met(case, joint))


def errors(policy: Policy, case: Case, joint: bool) -> dict[str, np.ndarray]:
    """The greatest error over width of each seed, by branch, of all arms in all rounds."""
    bounds, means = traced(policy, case, joint).decision.bounds, met(case, joint).rounds.means
    mean, width, pooled, pooled_width, means = map(np.asarray, (*bounds, means))
    return {
        "online": (np.abs(mean - means) / width).max((1, 2)),
        "pooled": (np.abs(pooled - means) / pooled_width).max((1, 2)),
    }


def rarely(failed: np.ndarray, delta: float) -> bool:
    """Whether so many failures can be chance where each has at most probability delta."""
    test: Any = stats.binomtest(int(failed.sum()), len(failed), delta, "greater")
    return test.pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *((name, case) for name in ("product", "blocks") for case in CASES),
        *((name, Case.ALIGNED) for name in ("ellipsoid", "euclidean")),
        *((name, Case.SMALL_SHIFT) for name in ("precision", "precision_blocks")),
    ],
)
def test_both_widths_hold_in_all_rounds(name, case):
    """Over 200 seeds, of all arms. They are wide, so that no run fails, and not hollow: the
    greatest error is a fair part of the width."""
    worst = errors((POLICIES | BLOCKS)[name], case, joint=False)
    for branch in worst.values():
        assert rarely(branch > 1.0, 0.05)
        assert branch.max() > 0.1


@pytest.mark.parametrize("case", [Case.ALIGNED, Case.MISALIGNED])
@pytest.mark.parametrize("name", ["product", "precision"])
def test_both_widths_hold_for_features_that_arms_share(case, name):
    for branch in errors(POLICIES[name], case, joint=True).values():
        assert rarely(branch > 1.0, 0.05)
        assert branch.max() > 0.1


def test_a_certificate_that_understates_the_bias_breaks_the_pooled_width():
    worst = errors(POLICIES["product"], Case.FALSE_CERTIFICATE, joint=False)
    assert (worst["pooled"] > 1.0).mean() > 0.9
    assert rarely(worst["online"] > 1.0, 0.05)


def before_rounds(given: Worlds, found: Trace) -> np.ndarray:
    """Sums of x x' of the rounds before each, [N, T, g, c, c]."""
    x, arm = np.asarray(given.rounds.features, float), np.asarray(found.decision.arm)
    x = np.take_along_axis(x, arm[..., None, None], 2)[:, :, 0]
    g = given.offline.moment.shape[1]
    block = np.eye(g)[arm if g > 1 else 0 * arm]
    outer = block[..., None, None] * (x[..., None] * x[..., None, :])[:, :, None]
    return np.cumsum(outer, 1) - outer


def norms(matrices: np.ndarray, given: Worlds) -> np.ndarray:
    """sqrt(x' M x) of all arms for the matrix of their block, [N, T, K]."""
    x = np.asarray(given.rounds.features, float)
    if matrices.shape[2] == 1:
        matrices = np.repeat(matrices, x.shape[2], 2)
    return np.sqrt(np.clip(np.einsum("ntkc,ntkcd,ntkd->ntk", x, matrices, x), 0, None))


@pytest.mark.parametrize("joint", [True, False])
def test_widths_and_regret_are_those_of_the_formulas(joint):
    """Every matrix inverted anew, every determinant computed, in NumPy: widths, the alignment bound
    on the penalty, the bounds of the theorem on regret, the effective dimension."""
    case, policy = Case.ALIGNED, POLICIES["product"]
    given, found = met(case, joint), traced(policy, case, joint)
    a, bounds = given.assumptions, found.decision.bounds
    lam, sigma = a.regularisation, a.noise
    gram = before_rounds(given, found)
    g, c = gram.shape[2:4]
    d, term = g * c, 2 * np.log(4 / a.delta)
    G = np.asarray(given.offline.gram, float)[:, None]
    V, W0 = gram + lam * np.eye(c), G + lam * np.eye(c)
    W = V + G

    def logdet(matrix: np.ndarray) -> np.ndarray:
        return np.linalg.slogdet(matrix)[1].sum(-1) - d * np.log(lam)

    beta = sigma * np.sqrt(term + logdet(V)) + np.sqrt(lam) * a.bound
    width = beta[..., None] * norms(np.linalg.inv(V), given)
    np.testing.assert_allclose(bounds.online_width, width, rtol=1e-3)
    since = logdet(W) - logdet(W0)
    noise = np.sqrt(d) + np.sqrt(term) + np.sqrt(term + since)
    beta_pooled = sigma * np.minimum(np.sqrt(term + logdet(W)), noise) + np.sqrt(lam) * a.bound
    inverse = np.linalg.inv(W)
    penalty = np.zeros(width.shape)
    for Q in np.moveaxis(np.asarray(given.certificate.budgets, float), 1, 0):
        penalty += norms(inverse @ (G @ Q[:, None] @ G) @ inverse, given)
    statistical = beta_pooled[..., None] * norms(inverse, given)
    np.testing.assert_allclose(bounds.pooled_width, statistical + penalty, rtol=2e-3)

    of_seeds = jax.vmap(lambda claim, log: alignment(claim, log, lam))
    kappa = of_seeds(given.certificate, given.offline)
    aligned = np.asarray(kappa, float)[:, None, None] * norms(inverse, given)
    assert (penalty <= aligned * (1 + 1e-3)).all()

    arm = np.asarray(found.decision.arm)[..., None]
    means = np.asarray(given.rounds.means, float)
    regret = means.max(-1) - np.take_along_axis(means, arm, -1)[..., 0]
    both = np.minimum(width, statistical + penalty)
    assert (regret <= 2 * np.take_along_axis(both, arm, -1)[..., 0] + 1e-5).all()
    last = HORIZON - 1
    online = 2 * beta[:, last] * np.sqrt(2 * HORIZON * logdet(V)[:, last])
    pooled = 2 * beta_pooled[:, last] * np.sqrt(2 * HORIZON * since[:, last])
    pooled += 2 * np.take_along_axis(penalty, arm, -1).sum((1, 2))
    assert (regret[:, :last].sum(1) <= np.minimum(online, pooled)).all()
    dimension = effective_dimension(since[:, last], last, d, lam)
    assert (np.asarray(dimension) <= d).all() and (np.asarray(dimension) > 0).all()


def test_the_norm_of_the_logs_noise_is_bounded():
    """As often as it should be: of 1e5 normal vectors, and of signs for the sub-Gaussian bound."""
    rng = np.random.default_rng(0)
    values = np.array([1.0, 0.7, 0.2, 0.05])  # eigenvalues of the covariance, at most 1
    for delta in (0.5, 0.1, 0.01):
        term = jnp.asarray(2 * np.log(1 / delta))
        normal = np.linalg.norm(rng.normal(size=(100_000, 4)) * np.sqrt(values), axis=1)
        signs = np.linalg.norm(rng.choice([-1.0, 1.0], (100_000, 4)) * np.sqrt(values), axis=1)
        for law, drawn in ((OfflineNoise.GAUSSIAN, normal), (SUB_GAUSSIAN, signs)):
            limit = float(noise_norm(law, values.sum(), term))
            assert (drawn > limit).mean() < delta
        assert noise_norm(SUB_GAUSSIAN, 4, term) == pytest.approx(
            np.sqrt(4 + 2 * np.sqrt(4 * term / 2) + term)
        )
    assert (normal > 0.8 * noise_norm(OfflineNoise.GAUSSIAN, values.sum(), term)).any()


def test_precision_pooling_pays_for_the_law_of_the_logs_noise():
    given, growth = make_assumptions(delta=0.1), jnp.eye(3)[None]
    for law in OfflineNoise:
        policy = Policy(pooling=PRECISION, offline_noise=law)
        found = precision_constant(policy, given, growth, 0.5 * growth)
        term = jnp.asarray(2 * np.log(4 / 0.1))
        np.testing.assert_allclose(found, 1 + noise_norm(law, 1.5, term), rtol=1e-6)


def test_a_sum_of_noises_rarely_crosses_at_any_time():
    """The least lucky noise is normal: 4000 walks of 3000 steps, at delta .2 and .1 for each of
    two arms; some cross, or the bound would be hollow."""
    rng, given = np.random.default_rng(1), make_assumptions(noise=0.5, delta=0.2)
    walks = np.cumsum(0.5 * rng.normal(size=(4000, 3000)).astype(np.float32), 1)
    count = jnp.arange(1.0, 3001.0)
    for arms in (1, 2):
        rates = []
        for split in (False, True):
            limit = crossing(Policy(union_split=split), given, count, arms)
            rates.append((walks > np.asarray(limit)).any(1).mean())
        assert 0.01 < rates[0] <= 0.2 / arms and rates[1] <= 0.1 / arms


def test_radii_of_stages():
    given = make_assumptions(noise=0.5, delta=0.1, regularisation=4.0, bound=2.0, block_bound=1.0)
    for policy, events, blocks, d, B in (
        (Policy(stages=7, union_split=False), 1, 1, 12, 2.0),
        (Policy(stages=7), 4, 1, 12, 2.0),
        (Policy(stages=7, widths=PER_BLOCK), 4, 3, 4, 1.0),
    ):
        online, pooled = staged_radii(policy, given, 100.0, 3, 3, 4)
        alpha = 0.5 * np.sqrt(2 * np.log(2 * 100 * 3 * 7 * events / 0.1))
        np.testing.assert_allclose(online, alpha + 2 * B, rtol=1e-6)
        gamma = 0.5 * (np.sqrt(d) + np.sqrt(2 * np.log(events * blocks / 0.1)))
        np.testing.assert_allclose(pooled, alpha + 2 * B + gamma, rtol=1e-6)
