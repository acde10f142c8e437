"""The inner maximisation of 3D-Learning: a score model moves towards windows that cost more."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lpo.diffusion import (
    VPSDE,
    Coefficients,
    Grid,
    Objective,
    ScoreModel,
    eps_mse,
    likelihood_loss,
    make_coefficients,
    sample_coarse,
    sample_fine,
    trajectory_eps,
)
from lpo.robust.constraint import dual_step, growth_of, step_back
from lpo.robust.importance import advantage, clipped_surrogate, log_ratio
from lpo.robust.objective import WindowLoss
from lpo.workload import Scaler, unstandardise

Estimator = Literal["pathwise", "ppo"]
Budget = Literal["eps_mse", "likelihood"]


class AdversarySettings(NamedTuple):
    """How the adversary is trained; defaults follow the paper where it states them
    (docs/robust.md).

    estimator: `pathwise` differentiates the loss through the last K reverse steps; `ppo` uses the
    clipped importance ratio. budget: unit of the constraint, `eps_mse` per dimension or
    `likelihood` in nats per window; epsilon: its size. paths: reverse paths an outer epoch;
    inner_steps: ascent steps an outer epoch; draws: fixed Monte Carlo draws of the constraint.
    clip, kl_stop: of `ppo` only.
    """

    estimator: Estimator = "pathwise"
    budget: Budget = "eps_mse"
    epsilon: float = 0.03
    learning_rate: float = 1e-4
    inner_steps: int = 10
    paths: int = 512
    draws: int = 1024
    dual_start: float = 1.0
    dual_rate: float = 0.1
    dual_ceiling: float = 100.0
    clip: float = 0.4
    kl_stop: float = 0.05
    slack: float = 1.1


class AdversaryState(NamedTuple):
    """`theta`: parameters of the adversary's score model; `alpha`: multiplier of the budget."""

    theta: Any
    optimiser: optax.OptState
    alpha: Array


class Nominal(NamedTuple):
    """What the adversary may not change: score model `theta`, standardised real windows [n, d]."""

    theta: Any
    windows: Array


class Adversary(NamedTuple):
    """The functions of an inner maximiser, all for one seed.

    `init(nominal_theta)`; `ascend(key, state, nominal, params, constraint_key) -> (state,
    metrics)`, one outer epoch of ascent against the predictor `params`, ending inside the budget;
    `sample(key, theta, nominal_theta, count) -> windows [count, d]` in tokens.
    """

    init: Any
    ascend: Any
    sample: Any


def make_adversary(
    model: ScoreModel,
    sde: VPSDE,
    grid: Grid,
    scaler: Scaler,
    dim: int,
    loss: WindowLoss,
    settings: AdversarySettings,
) -> Adversary:
    """Build the inner maximiser of `loss(params, windows in tokens) -> [B]`.

    Reverse paths start from noise under the *nominal* model down to times[K] of `grid`; only the
    last K steps are the adversary's. Windows leave the standardised space by the train scaler alone
    and are cut at zero demand, never re-scaled.
    """
    coefs = make_coefficients(sde, grid.times)
    t_fine = float(grid.times[grid.fine])
    budgets = {"eps_mse": eps_mse, "likelihood": likelihood_loss}
    objective: Objective = budgets[settings.budget](sde, hi=t_fine)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(settings.learning_rate))

    def eps_of(theta: Any):
        return lambda x, t: model.apply(theta, x, t)

    def tokens(x0: Array) -> Array:
        return jnp.maximum(unstandardise(x0, scaler), 0.0)

    def starts(key: Array, nominal_theta: Any, count: int) -> tuple[Array, Array]:
        coarse_key, noise_key = jax.random.split(key)
        x_k = sample_coarse(coarse_key, eps_of(nominal_theta), count, dim, grid, coefs)
        return x_k, jax.random.normal(noise_key, (grid.fine, count, dim))

    def init(nominal_theta: Any) -> AdversaryState:
        return AdversaryState(
            nominal_theta, optimiser.init(nominal_theta), jnp.asarray(settings.dual_start)
        )

    def ascend(
        key: Array, state: AdversaryState, nominal: Nominal, params: Any, constraint_key: Array
    ) -> tuple[AdversaryState, dict[str, Array]]:
        x_k, noise = starts(key, nominal.theta, settings.paths)
        draws = objective.draw(constraint_key, nominal.windows, settings.draws)
        growth = growth_of(model, objective, nominal.theta, draws)

        def window_losses(theta: Any) -> Array:
            return loss(params, tokens(sample_fine(eps_of(theta), x_k, noise, coefs)[0]))

        gain = _gain(settings, coefs, eps_of, state.theta, x_k, noise, tokens, loss, params)

        def lagrangian(theta: Any, alpha: Array) -> tuple[Array, tuple[Array, Array]]:
            value, path_kl = gain(theta)
            excess = growth(theta)
            return alpha * excess - value, (excess, path_kl)

        def step(carry: tuple[AdversaryState, Array], _: None):
            now, stopped = carry
            gradient, (excess, path_kl) = jax.grad(lagrangian, has_aux=True)(now.theta, now.alpha)
            change, optimiser_state = optimiser.update(gradient, now.optimiser)
            alpha = dual_step(
                now.alpha, excess, settings.epsilon, settings.dual_rate, settings.dual_ceiling
            )
            stopped = stopped | (path_kl > settings.kl_stop)
            moved = AdversaryState(optax.apply_updates(now.theta, change), optimiser_state, alpha)
            after = jax.tree.map(lambda new, old: jnp.where(stopped, old, new), moved, now)
            return (after, stopped), None

        before = jnp.mean(window_losses(nominal.theta))
        (state, _), _ = jax.lax.scan(
            step, (state, jnp.asarray(False)), None, length=settings.inner_steps
        )
        theta, fraction = step_back(
            nominal.theta, state.theta, growth, settings.slack * settings.epsilon
        )
        path = sample_fine(eps_of(nominal.theta), x_k, noise, coefs)[1]
        eps_nominal = trajectory_eps(eps_of(nominal.theta), path, coefs)
        _, half_square = log_ratio(eps_of(theta), eps_nominal, path, noise, coefs)
        metrics = {
            "nominal_loss": before,
            "worst_case_loss": jnp.mean(window_losses(theta)),
            "growth": growth(theta),
            "alpha": state.alpha,
            "path_kl": jnp.mean(half_square),
            "feasible_fraction": fraction,
        }
        return state._replace(theta=theta), metrics

    def sample(key: Array, theta: Any, nominal_theta: Any, count: int) -> Array:
        x_k, noise = starts(key, nominal_theta, count)
        return tokens(sample_fine(eps_of(theta), x_k, noise, coefs)[0])

    return Adversary(init, ascend, sample)


def _gain(settings, coefs: Coefficients, eps_of, old, x_k, noise, tokens, loss, params):
    """theta -> (what is ascended, path KL from the model that drew the paths)."""
    if settings.estimator == "pathwise":

        def pathwise(theta: Any) -> tuple[Array, Array]:
            x0, _ = sample_fine(eps_of(theta), x_k, noise, coefs)
            return jnp.mean(loss(params, tokens(x0))), jnp.zeros(())

        return pathwise

    x0, path = sample_fine(eps_of(old), x_k, noise, coefs)
    eps_old = trajectory_eps(eps_of(old), path, coefs)
    weight = advantage(loss(params, tokens(x0)))

    def surrogate(theta: Any) -> tuple[Array, Array]:
        log_r, half_square = log_ratio(eps_of(theta), eps_old, path, noise, coefs)
        # the same divergence as mean(-log r), without the noise of its martingale part
        return clipped_surrogate(log_r, weight, settings.clip), jnp.mean(half_square)

    return surrogate
