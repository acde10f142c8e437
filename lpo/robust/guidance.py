"""Worst-case sampling by guidance: windows from p(s) exp(payoff(s) / tau), p the model's density.

Of all laws within a KL ball around p that one has the largest mean payoff. The nominal reverse
chain turns into a sampler of it when each kernel N(mu, sigma^2), from time t down to s, has its
mean moved by sigma^2 g, where g is the gradient of log h_s and
h_s(x) = E[exp(payoff / tau) | x_s = x] (Doob's transform). Nothing is trained. Here h_s is taken
under the law p(x_0 | x_t) = N(x0_hat, C_t): x0_hat is the model's denoised estimate, and
C_t = (S^-1 + m^2 / s2)^-1 is the covariance that Gaussian windows of covariance S would have
(moment matching: Boys et al., Tweedie moment projected diffusions, 2023). Then, exactly,

    E_h[grad log h_s(x_s) | x_t] = (m_s / s2_s) C_s E_h[grad payoff(x_0) | x_t] / tau,

where E_h weighs x_0 ~ N(x0_hat, C_t) by exp(payoff / tau). The mean over h is a self-normalised
mean of draws (Song et al., Loss-guided diffusion models, 2023); without draws it is the gradient at
x0_hat (Chung et al., Diffusion posterior sampling, 2023). The lookahead starts from (x_t, t), where
the chain evaluates the model anyway; the Jacobian d x0_hat / d x_s = (m_s / s2_s) C_s belongs to s,
where the shift acts. For Gaussian data and a linear payoff each shift is exact then, while the
gradient at (x_t, t) is off by the step's own contraction. No gradient passes through the network,
whose Jacobian is mostly error where little signal is left.

**Certificate.** delta_k = sigma g is the shift of step k in units of its noise. By Girsanov
KL(guided paths || nominal paths) = E sum_k |delta_k|^2 / 2 whatever g is, and by data processing it
bounds the divergence of the windows that the paths end in. While a batch of n windows is drawn, its
mean of sum_k |delta_k|^2 / 2 is held below a limit. The shifts of a batch depend on its past alone,
so KL(batch || n independent nominal windows) <= n limit, and a window picked from the batch at
random has a law within `limit` of the nominal one. This has no Monte Carlo error: a temperature
estimated badly spends too little or, held back, not where it should, but never too much.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array

from lpo.diffusion import (
    VPSDE,
    Coefficients,
    Grid,
    ScoreModel,
    first_steps,
    reverse_mean,
    sample_coarse,
    sample_fine,
)
from lpo.errors import InputError
from lpo.optim import Shard, unsharded
from lpo.robust.objective import WindowLoss
from lpo.robust.outer import Nominal

TINY = 1e-30  # keeps quotients finite where there is no gradient


class GuidanceSettings(NamedTuple):
    """How windows are guided.

    epsilon: the budget, nats a window. slack: limit of a batch's path divergence, in budgets.
    fine_only: guide the last `grid.fine` steps, not the whole chain. lookahead: draws of x_0 at
    each step of a path, an even number; 0: its estimate alone. max_shift: largest norm of the
    shift of one step, in units of its noise. paths, evaluations: how many of a batch's paths the
    temperature is set by, and how often they are walked for it.
    """

    epsilon: float = 1.0
    slack: float = 1.1
    fine_only: bool = False
    lookahead: int = 4
    max_shift: float = 3.0
    paths: int = 512
    evaluations: int = 3


class GuideState(NamedTuple):
    """What an epoch learns for the next about the temperature; scalars.

    ratio: 1 / tau over what it would be if the payoff were linear. growth: the power of 1 / tau by
    which tau^2 KL grows there: 0 for a linear payoff, positive for a convex one. Neither depends on
    the scale of the payoff.
    """

    ratio: Array
    growth: Array


class Guide(NamedTuple):
    """Guided sampling, for one seed.

    `init(nominal) -> state`; `draw(key, state, nominal, params, count) -> (state, windows [count,
    d] in tokens, metrics)`, once an outer epoch, against the predictor `params`. Metrics:
    `nominal_loss` and `worst_case_loss`, mean payoffs without and with guidance on the same starts
    and noises; `path_kl`, nats a window, at most `slack * epsilon`; `temperature`, in units of the
    payoff.
    """

    init: Callable[[Nominal], GuideState]
    draw: Callable[
        [Array, GuideState, Nominal, Any, int], tuple[GuideState, Array, dict[str, Array]]
    ]


class _Target(NamedTuple):
    """What is guided, and against whom.

    variance [d], axes [d, d]: eigenvalues and, as columns, eigenvectors of S.
    """

    nominal: Nominal
    params: Any
    variance: Array
    axes: Array


class _Paths(NamedTuple):
    """What fixes a batch of paths: start [n, d] above the guided steps, noise [steps, n, d]."""

    start: Array
    noise: Array


class _Level(NamedTuple):
    """m(t) and s2(t) at one end of each step."""

    clean: np.ndarray | Array
    noise: np.ndarray | Array


def make_guide(
    model: ScoreModel,
    sde: VPSDE,
    grid: Grid,
    to_tokens: Callable[[Array], Array],
    dim: int,
    payoff: WindowLoss,
    settings: GuidanceSettings,
    *,
    shard: Shard = unsharded,
) -> Guide:
    """Guide windows of `model` towards a large `payoff(params, windows in tokens) -> [B]`.

    The payoff of a row may depend on that row alone. Only its gradient is seen: a step function
    guides nothing. `to_tokens` maps windows of the model [B, dim] to tokens and is differentiated
    too. A draw walks `count` starts once guided and once as they are, and `paths` of them
    `evaluations` times more to set the temperature. A guided step costs one evaluation of the model
    and `lookahead` gradients of the payoff. `shard` splits paths over devices.

    Raises InputError unless epsilon > 0, `lookahead` is even and >= 0, and `evaluations` >= 2.
    """
    _check(settings)
    steps = grid.fine if settings.fine_only else len(grid.times) - 1
    b = sde.integral_beta(grid.times[: steps + 1])
    clean, noise = np.exp(-0.5 * b), -np.expm1(-b)
    ends = _Level(clean[1:], noise[1:]), _Level(clean[:-1], noise[:-1])

    def payoff_gradient(params: Any, x0: Array, strength: Array) -> Array:
        """E_h of the payoff's gradient, by draws of x_0 [n, draws, d] -> [n, d]."""

        def of_draws(x0: Array) -> Array:
            # draws of one path stay together, so that paths split over devices stay where they are
            return payoff(params, to_tokens(x0.reshape(-1, dim))).reshape(x0.shape[:2])

        values, pullback = jax.vjp(of_draws, x0)
        (gradients,) = pullback(jax.nn.softmax(strength * values, axis=1))
        return jnp.sum(gradients, axis=1)

    def walk(
        target: _Target, paths: _Paths, key: Array, limit: float, strength: Array
    ) -> tuple[Array, Array]:
        """Guided x_0 [n, d] and their mean path KL / strength^2, which 0 leaves finite.

        strength: 1 / tau. limit: of the mean path KL, nats.
        """

        def step(
            carry: tuple[Array, Array], inputs: tuple[Array, Array, Coefficients, _Level, _Level]
        ):
            x, response = carry
            z, draw_key, coef, upper, lower = inputs
            eps = model.apply(target.nominal.theta, x, jnp.full(x.shape[:1], coef.t, x.dtype))
            x0 = ((x - jnp.sqrt(upper.noise) * eps) / upper.clean)[:, None]
            if settings.lookahead:
                half = shard(jr.normal(draw_key, (x.shape[0], settings.lookahead // 2, dim)))
                half = (half * jnp.sqrt(_posterior(target.variance, upper))) @ target.axes.T
                x0 = x0 + jnp.concatenate([half, -half], axis=1)
            gradient = payoff_gradient(target.params, x0, strength) @ target.axes
            jacobian = lower.clean / lower.noise * _posterior(target.variance, lower)
            shift = coef.sigma * ((gradient * jacobian) @ target.axes.T)
            shift = _within(jnp.asarray(shift), settings.max_shift, strength)

            cost = 0.5 * jnp.mean(jnp.sum(shift**2, axis=-1))
            left = jnp.maximum(limit - strength**2 * response, 0.0)
            share = jnp.minimum(left / jnp.maximum(strength**2 * cost, TINY), 1.0)
            z = z + strength * jnp.sqrt(share) * shift
            return (reverse_mean(eps, x, coef) + coef.sigma * z, response + share * cost), None

        dtype = paths.start.dtype
        tables = (first_steps(target.nominal.coefs, steps), *ends)
        inputs = (
            paths.noise,
            jr.split(key, steps),
            *jax.tree.map(lambda table: jnp.asarray(table, dtype), tables),
        )
        start = (paths.start, jnp.zeros((), dtype))
        return jax.lax.scan(step, start, inputs, reverse=True)[0]

    def init(nominal: Nominal) -> GuideState:
        del nominal
        return GuideState(ratio=jnp.ones(()), growth=jnp.zeros(()))

    def draw(
        key: Array, state: GuideState, nominal: Nominal, params: Any, count: int
    ) -> tuple[GuideState, Array, dict[str, Array]]:
        start_key, trial_key, noise_key, tune_key, look_key = jr.split(key, 5)

        def eps_fn(x: Array, t: Array) -> Array:
            return model.apply(nominal.theta, x, t)

        def paths_from(start: Array, key: Array) -> _Paths:
            return _Paths(start, shard(jr.normal(key, (steps, *start.shape)), axis=1))

        variance, axes = jnp.linalg.eigh(jnp.cov(nominal.windows, rowvar=False).reshape(dim, dim))
        target = _Target(nominal, params, jnp.maximum(variance, 0.0), axes)
        part = grid._replace(fine=steps)
        start = sample_coarse(start_key, eps_fn, count, dim, part, nominal.coefs, shard=shard)

        # noise of its own: by the certificate the strength may know no more than the starts
        trial = paths_from(shard(start[: settings.paths]), trial_key)
        guided = partial(walk, target, trial, tune_key, jnp.inf)
        state, strength = _tuned(lambda strength: guided(strength)[1], state, settings)

        paths = paths_from(start, noise_key)
        limit = settings.slack * settings.epsilon
        x0, response = walk(target, paths, look_key, limit, strength)
        windows = to_tokens(x0)
        nominal_x0, _ = sample_fine(eps_fn, paths.start, paths.noise, nominal.coefs)
        metrics = {
            "nominal_loss": jnp.mean(payoff(params, to_tokens(nominal_x0))),
            "worst_case_loss": jnp.mean(payoff(params, windows)),
            "path_kl": strength**2 * response,
            "temperature": 1.0 / strength,
        }
        return state, windows, metrics

    return Guide(init, draw)


def _check(settings: GuidanceSettings) -> None:
    if not settings.epsilon > 0:
        raise InputError(f"`epsilon` must be positive, got {settings.epsilon}")
    if settings.lookahead < 0 or settings.lookahead % 2:
        raise InputError(f"`lookahead` must be even and not negative, got {settings.lookahead}")
    if settings.evaluations < 2:
        raise InputError(f"`evaluations` must be at least 2, got {settings.evaluations}")


def _posterior(variance: Array, level: _Level) -> Array:
    """Eigenvalues [d] of C = (S^-1 + m^2 / s2)^-1 from those of S."""
    return variance * level.noise / (level.clean**2 * variance + level.noise)


def _within(shift: Array, limit: float, strength: Array) -> Array:
    """Shifts [n, d] for a strength of 1, shortened so that `strength` times them is in `limit`.

    One path in many may see a steep payoff; without a bound it would spend the budget of all.
    """
    length = strength * jnp.linalg.norm(shift, axis=-1, keepdims=True)
    return shift * jnp.minimum(limit / jnp.maximum(length, TINY), 1.0)


class _Search(NamedTuple):
    """A strength to evaluate and what was found: `linear`, the strength that the response at 0
    asks for; `before` and `response_before`, the last evaluation; `growth` as in the state."""

    strength: Array
    linear: Array
    growth: Array
    before: Array
    response_before: Array


def _tuned(
    response_at: Callable[[Array], Array], state: GuideState, settings: GuidanceSettings
) -> tuple[GuideState, Array]:
    """The strength at which strength^2 response_at(strength) = epsilon, about.

    The first evaluation is at 0 and gives the scale of the payoff; `state` says how far from there
    the solution was an epoch ago.
    """

    def evaluate(search: _Search, _: None) -> tuple[_Search, None]:
        response = response_at(search.strength)
        return _refined(search, response, state.ratio, settings.epsilon), None

    zero = jnp.zeros_like(state.ratio)
    search = _Search(zero, zero, state.growth, zero, zero)
    search, _ = jax.lax.scan(evaluate, search, None, length=settings.evaluations)
    return GuideState(search.strength / search.linear, search.growth), search.strength


def _refined(search: _Search, response: Array, ratio: Array, epsilon: float) -> _Search:
    """One step of the secant method for log KL = log epsilon, in log strength.

    About the strength of the search the response is taken as a power law, strength^growth. Two
    evaluations close to each other tell no slope. Where all shifts are at their bound the
    divergence hardly grows: growth is at least -1, and a step is a factor of 20 at most. If the
    payoff has no gradient any temperature will do.
    """
    first, felt = search.strength == 0, response > 0
    safe = jnp.maximum(response, TINY)
    linear = jnp.where(first, jnp.where(felt, jnp.sqrt(epsilon / safe), 1.0), search.linear)

    strength = jnp.where(first, linear, search.strength)
    distance = jnp.log(strength / jnp.where(search.before > 0, search.before, strength))
    far = jnp.abs(distance) > 0.02
    rise = jnp.log(safe / jnp.maximum(search.response_before, TINY))
    slope = jnp.clip(rise / jnp.where(far, distance, 1.0), -1.0, 6.0)
    growth = jnp.where(far, slope, search.growth)

    factor = (epsilon / jnp.maximum(strength**2 * safe, TINY)) ** (1.0 / (2.0 + growth))
    factor = jnp.where(felt, jnp.clip(factor, 0.05, 20.0), 1.0)
    return _Search(
        strength=strength * jnp.where(first, ratio, factor),
        linear=linear,
        growth=growth,
        before=search.strength,
        response_before=response,
    )
