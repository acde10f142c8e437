"""Guided sampling of Gaussian windows, for which tilted laws and path divergences are known."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.diffusion import VPSDE, ScoreModel, make_coefficients, make_grid
from lpo.errors import InputError
from lpo.robust.adversary import Nominal
from lpo.robust.guidance import GuidanceSettings, make_guide

SDE, GRID = VPSDE(), make_grid(VPSDE())
B = SDE.integral_beta(GRID.times)
CLEAN, NOISE = np.exp(-B / 2), -np.expm1(-B)
CENTRE = np.array([0.6, -0.3, 0.0], np.float32)
ROUND = 0.64 * np.eye(3)
SLANTED = np.array([[1.0, 0.6, -0.2], [0.6, 0.5, 0.0], [-0.2, 0.0, 0.2]])
COUNT = 4096

WHOLE: Any = {"epsilon": 1.0, "fine_only": False, "lookahead": 8}
FINE: Any = {"epsilon": 0.1, "fine_only": True, "lookahead": 0}
QUICK: Any = {"xla_backend_optimization_level": 0}  # compiling takes longer than running here


class Gaussian(NamedTuple):
    """Data: mean [d], eigenvalues [d] and eigenvectors [d, d] of the covariance."""

    centre: Any
    variance: Any
    axes: Any


def eps(data, x, t):
    """The exact noise prediction, sqrt(s2) (m^2 S + s2)^-1 (x - m mean)."""
    m, s2 = SDE.mean_coef(t)[:, None], SDE.variance(t)[:, None]
    return (
        jnp.sqrt(s2)
        * ((x - m * data.centre) @ data.axes / (m**2 * data.variance + s2))
        @ (data.axes.T)
    )


def nominal(covariance=ROUND, centre=CENTRE) -> Nominal:
    """The exact model, the best variance of its kernel, and windows of exactly this covariance."""
    variance, axes = np.linalg.eigh(covariance)
    data = Gaussian(centre, np.float32(variance), np.float32(axes))
    coefs = make_coefficients(SDE, GRID.times)
    of_eps = CLEAN[1:, None] ** 2 * variance / (CLEAN[1:, None] ** 2 * variance + NOISE[1:, None])
    sigma = np.sqrt(coefs.sigma**2 + coefs.eps_coef**2 * of_eps.mean(axis=1))  # E|e - eps|^2/d
    raw = np.random.default_rng(0).standard_normal((64, 3))
    raw = (raw - raw.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    windows = raw @ np.linalg.cholesky(covariance).T
    model = jax.tree.map(jnp.asarray, data)
    return Nominal(model, coefs._replace(sigma=sigma), jnp.asarray(windows, jnp.float32))


class Affine(NamedTuple):
    """What the nominal chain does to Gaussian data: step k is x -> pull[k] x + ... + sigma[k] z.

    `law`: covariance of its windows. `guide(a)[k]`: gradient of E[a x_0 | x_k] for step k.
    """

    pull: np.ndarray
    sigma: np.ndarray
    covariance: np.ndarray

    @property
    def law(self):
        law = np.eye(3)
        for k in reversed(range(len(self.pull))):
            law = self.pull[k] @ law @ self.pull[k].T + self.sigma[k] ** 2 * np.eye(3)
        return law

    def guide(self, slope):
        spread = CLEAN[:-1, None, None] ** 2 * self.covariance + NOISE[:-1, None, None] * np.eye(3)
        return CLEAN[:-1, None] * (self.covariance @ np.linalg.inv(spread) @ slope)


def affine(covariance) -> Affine:
    coefs = nominal(covariance).coefs
    spread = CLEAN[1:, None, None] ** 2 * covariance + NOISE[1:, None, None] * np.eye(3)
    weight = (coefs.eps_coef * np.sqrt(NOISE[1:]))[:, None, None]
    pull = np.eye(3) / coefs.mean_ratio[:, None, None] - weight * np.linalg.inv(spread)
    return Affine(pull, coefs.sigma, covariance)


class Payoff(NamedTuple):
    """A sum of payoffs, so that one compiled guide serves every test."""

    slope: Any = (0.0, 0.0, 0.0)
    curvature: Any = 0.0  # of x[0]
    under: Any = 0.0  # newsvendor prices of x[1], for a capacity of 1
    over: Any = 0.0
    steps: Any = 0.0  # of x[2]; they have no gradient


def payoff(params, x):
    excess = x[:, 1] - 1.0
    return (
        x @ params.slope
        + 0.5 * params.curvature * x[:, 0] ** 2
        + jnp.maximum(params.under * excess, -params.over * excess)
        + params.steps * jnp.floor(x[:, 2])
    )


LINEAR = Payoff(slope=(1.0, -2.0, 0.5))


@cache
def guide(**settings):
    """A guide for windows in the unit of the model, and its compiled `draw`."""
    model = ScoreModel(lambda key: (), eps)
    made = make_guide(model, SDE, GRID, lambda x: x, 3, payoff, GuidanceSettings(**settings))
    return made, jax.jit(made.draw, static_argnums=4, compiler_options=QUICK)


def arrays(params):
    return jax.tree.map(jnp.float32, params, is_leaf=lambda leaf: not isinstance(leaf, Payoff))


def epochs(settings, *params, covariance=ROUND):
    """Windows and metrics of one epoch for each of `params`, one after the other."""
    made, draw = guide(**settings)
    given = nominal(covariance)
    state = made.init(given)
    for epoch, each in enumerate(params):
        key = jax.random.PRNGKey(epoch)
        state, windows, metrics = draw(key, state, given, arrays(each), COUNT)
        yield np.asarray(windows), {name: float(value) for name, value in metrics.items()}


@pytest.mark.parametrize("settings", [WHOLE, FINE])
def test_linear_payoff_gives_the_shifted_gaussian(settings):
    """tau, the path divergence, the gain and the moments have closed forms for a round law.

    Guided from t_k on, x_0 can move in the variance that x_k leaves open, Var(x_0 | x_k): all of
    it for the whole chain, up to 1e-3. There is no discretisation error, but the formulas place
    the data at t = 0 and the windows at t0, which is 2e-4 of the variance here.
    """
    [(windows, metrics)] = epochs(settings, LINEAR)
    slope, epsilon = np.asarray(LINEAR.slope), settings["epsilon"]
    variance = CLEAN**2 * ROUND[0, 0] + NOISE
    k = len(B) - 1 if settings is WHOLE else GRID.fine
    free = variance[0] - (CLEAN[k] / CLEAN[0]) ** 2 * variance[0] ** 2 / variance[k]
    assert settings is not WHOLE or free == pytest.approx(ROUND[0, 0], rel=1e-3)
    tau = np.sqrt(free * slope @ slope / (2 * epsilon))
    assert metrics["path_kl"] == pytest.approx(epsilon, rel=1e-3)
    assert metrics["temperature"] == pytest.approx(tau, rel=1e-3)
    gain = metrics["worst_case_loss"] - metrics["nominal_loss"]
    assert gain == pytest.approx(free * slope @ slope / tau, rel=1e-3)
    sd = np.sqrt(variance[0])
    error = sd / np.sqrt(COUNT)
    np.testing.assert_allclose(windows.mean(axis=0), CENTRE + free * slope / tau, atol=4 * error)
    np.testing.assert_allclose(windows.std(axis=0), sd, atol=4 * error / np.sqrt(2))


def test_linear_payoff_of_correlated_bins():
    """Against the recursion of the means in full matrices."""
    [(_, metrics)] = epochs(WHOLE, LINEAR, covariance=SLANTED)
    slope, chain = np.asarray(LINEAR.slope), affine(SLANTED)
    gradients, moved = chain.guide(slope), np.zeros(3)
    for k in reversed(range(len(gradients))):
        moved = chain.pull[k] @ moved + chain.sigma[k] ** 2 * gradients[k]
    tau = np.sqrt(0.5 * np.sum((chain.sigma[:, None] * gradients) ** 2) / WHOLE["epsilon"])
    assert metrics["path_kl"] == pytest.approx(WHOLE["epsilon"], rel=1e-3)
    assert metrics["temperature"] == pytest.approx(tau, rel=1e-3)
    gain = metrics["worst_case_loss"] - metrics["nominal_loss"]
    assert gain == pytest.approx(slope @ moved / tau, rel=2e-3)
    # of the laws at this divergence none has a larger mean, and the loss by the steps is small
    assert gain == pytest.approx(
        np.sqrt(2 * metrics["path_kl"] * slope @ chain.law @ slope), rel=2e-3
    )


def gaussian_kl(wider, shift, spread):
    """KL of N(shift, wider) from N(0, spread), nats."""
    return 0.5 * (wider / spread - 1 - np.log(wider / spread) + shift**2 / spread)


def best_gain(epsilon, centre, spread):
    """Rise of E x^2 / 2 from N(centre, spread) to its tilted law at KL = epsilon."""

    def tilted(b):
        wider = 1 / (1 / spread - b)
        return wider, wider * b * centre

    low, high = 0.0, 1 / spread
    for _ in range(100):
        b = (low + high) / 2
        low, high = (b, high) if gaussian_kl(*tilted(b), spread) < epsilon else (low, b)
    wider, shift = tilted(low)
    return 0.5 * (wider - spread + (centre + shift) ** 2 - centre**2)


@pytest.mark.parametrize("covariance", [ROUND, SLANTED])
def test_quadratic_payoff_comes_near_the_tilted_law_and_never_beats_it(covariance):
    """Steps keep their spread, which the exact sampler widens, and eight draws are few: .95 of the
    best gain at this divergence is reached."""
    [(windows, metrics)] = epochs(WHOLE, Payoff(curvature=1.0), covariance=covariance)
    spread = affine(covariance).law[0, 0]
    gain = metrics["worst_case_loss"] - metrics["nominal_loss"]
    share = gain / best_gain(metrics["path_kl"], CENTRE[0], spread)
    assert 0.92 < share < 1.02
    # the certificate holds against the divergence of the windows themselves, which are Gaussian
    divergence = gaussian_kl(windows[:, 0].var(), windows[:, 0].mean() - CENTRE[0], spread)
    assert divergence < metrics["path_kl"] + 0.05  # three standard errors of the mean's share


@pytest.mark.parametrize("settings", [WHOLE, FINE])
def test_budget_is_met_on_fresh_noise_whatever_the_scale_of_the_payoff(settings):
    """A payoff with a kink, in other units every epoch."""
    scaled = [Payoff(under=10 * unit, over=unit) for unit in (1.0, 1.0, 1e3, 1e-3)]
    for windows, metrics in epochs(settings, *scaled):
        assert np.all(np.isfinite(windows))
        assert 0.7 <= metrics["path_kl"] / settings["epsilon"] <= 1.1 * (1 + 1e-5)
        assert metrics["worst_case_loss"] > metrics["nominal_loss"]


def test_payoff_that_few_windows_feel_stays_finite_and_inside_the_budget():
    """Nothing, but 1e6 for each unit of x[1] beyond 1: most paths have no gradient at all."""
    for windows, metrics in epochs(FINE, Payoff(under=1e6), Payoff(under=1e6)):
        assert np.all(np.isfinite(windows)) and np.all(np.isfinite(list(metrics.values())))
        assert metrics["path_kl"] <= 1.1 * FINE["epsilon"] * (1 + 1e-5)
        assert metrics["worst_case_loss"] > metrics["nominal_loss"]


def test_no_step_shifts_by_more_than_its_bound():
    """A budget out of reach: every step of every path is at the bound, 10 times .05^2 / 2."""
    [(_, metrics)] = epochs({"max_shift": 0.05, "lookahead": 0, "fine_only": True}, LINEAR)
    assert metrics["path_kl"] == pytest.approx(GRID.fine * 0.05**2 / 2, rel=1e-4)


@pytest.mark.parametrize("settings", [WHOLE, FINE])
def test_payoff_without_gradient_gives_the_nominal_windows(settings):
    """As tau = infinity does. The nominal ones are the library's sampler's on the same noise.

    The next epoch, with a gradient, is none the worse for it.
    """
    flat, after = epochs(settings, Payoff(steps=1.0), LINEAR)
    assert flat[1]["path_kl"] == 0.0 and np.isfinite(flat[1]["temperature"])
    assert flat[1]["worst_case_loss"] == flat[1]["nominal_loss"]
    assert after[1]["path_kl"] == pytest.approx(settings["epsilon"], rel=1e-3)


def test_seeds_do_not_feel_each_other():
    """vmap over models, predictors and keys gives what each seed alone gives."""
    made, draw = guide(**FINE)
    params = [arrays(Payoff(under=10.0, over=1.0)), arrays(LINEAR)]
    models = [nominal(), nominal(SLANTED, -CENTRE)]
    keys = [jax.random.PRNGKey(3), jax.random.PRNGKey(4)]
    state = made.init(models[0])
    each = [draw(*row, COUNT) for row in zip(keys, [state] * 2, models, params, strict=True)]
    stacked = jax.tree.map(lambda *rows: jnp.stack(rows), *zip(keys, models, params, strict=True))
    batched = jax.vmap(lambda key, model, params: made.draw(key, state, model, params, COUNT))
    together = jax.jit(batched, compiler_options=QUICK)(*stacked)
    jax.tree.map(
        lambda rows, *alone: np.testing.assert_allclose(
            rows, np.stack(alone), atol=1e-4, rtol=1e-4
        ),
        together,
        *each,
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [({"epsilon": 0.0}, "epsilon"), ({"lookahead": 3}, "lookahead"), ({"evaluations": 1}, "eval")],
)
def test_bad_settings_are_refused_by_name(given, named):
    with pytest.raises(InputError, match=f"`{named}"):
        guide(**given)
