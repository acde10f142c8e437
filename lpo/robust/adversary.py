"""The inner maximisation of 3D-Learning: a score model moves towards windows that cost more."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lpo.diffusion import (
    VPSDE,
    EpsFn,
    Grid,
    ScoreModel,
    eps_mse,
    likelihood_loss,
    sample_coarse,
    sample_fine,
    trajectory_eps,
)
from lpo.optim import Shard, unsharded
from lpo.robust.constraint import dual_step, growth_of, step_back
from lpo.robust.importance import advantage, clipped_surrogate, log_ratio
from lpo.robust.objective import WindowLoss
from lpo.robust.outer import Nominal

Estimator = Literal["pathwise", "ppo"]
Budget = Literal["eps_mse", "likelihood"]


EPSILON: dict[Budget, float] = {"likelihood": 1.0, "eps_mse": 0.03}
"""Default size of the budget in each unit; .03 is the paper's."""


class AdversarySettings(NamedTuple):
    """How the adversary is trained (docs/robust.md says which values are the paper's).

    estimator: `pathwise` differentiates the loss through the last K reverse steps; `ppo` uses the
    clipped importance ratio. budget: unit of the constraint, `eps_mse` per dimension or
    `likelihood` in nats per window; epsilon: its size. paths: reverse paths an outer epoch;
    inner_steps: ascent steps an outer epoch; draws: Monte Carlo draws of the constraint for an
    epoch's ascent; audit_draws: those on which the budget is enforced. clip, kl_stop: of `ppo`.
    """

    estimator: Estimator = "pathwise"
    budget: Budget = "likelihood"
    epsilon: float = EPSILON["likelihood"]
    learning_rate: float = 1e-5
    inner_steps: int = 10
    paths: int = 512
    draws: int = 1024
    audit_draws: int = 4096
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


class Adversary(NamedTuple):
    """The functions of an inner maximiser, all for one seed.

    `init(nominal) -> state`; `ascend(key, state, nominal, params, audit_key) -> (state,
    metrics)`, one outer epoch of ascent against the predictor `params`, ending inside the budget;
    `sample(key, theta, nominal, count) -> windows [count, d]` in tokens.
    """

    init: Callable[[Nominal], AdversaryState]
    ascend: Callable[
        [Array, AdversaryState, Nominal, Any, Array], tuple[AdversaryState, dict[str, Array]]
    ]
    sample: Callable[[Array, Any, Nominal, int], Array]


def make_adversary(
    model: ScoreModel,
    sde: VPSDE,
    grid: Grid,
    to_tokens: Callable[[Array], Array],
    dim: int,
    payoff: WindowLoss,
    settings: AdversarySettings,
    *,
    shard: Shard = unsharded,
) -> Adversary:
    """Build the inner maximiser of `payoff(params, windows in tokens) -> [B]`.

    Reverse paths start from noise under the *nominal* model down to times[K] of `grid`; only the
    last K steps are the adversary's. Windows leave the model's space by `to_tokens`
    (`lpo.workload.Space`), never re-scaled. `shard` splits paths and draws over devices.
    """
    t_fine = float(grid.times[grid.fine])
    budgets = {"eps_mse": eps_mse, "likelihood": likelihood_loss}
    objective = budgets[settings.budget](sde, hi=t_fine)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(settings.learning_rate))

    def eps_of(theta: Any) -> EpsFn:
        return lambda x, t: model.apply(theta, x, t)

    def starts(key: Array, nominal: Nominal, count: int) -> tuple[Array, Array]:
        coarse_key, noise_key = jax.random.split(key)
        x_k = sample_coarse(
            coarse_key, eps_of(nominal.theta), count, dim, grid, nominal.coefs, shard=shard
        )
        return x_k, shard(jax.random.normal(noise_key, (grid.fine, count, dim)), axis=1)

    def init(nominal: Nominal) -> AdversaryState:
        alpha = jnp.full((), settings.dual_start, jnp.float32)
        return AdversaryState(nominal.theta, optimiser.init(nominal.theta), alpha)

    def ascend(
        key: Array, state: AdversaryState, nominal: Nominal, params: Any, audit_key: Array
    ) -> tuple[AdversaryState, dict[str, Array]]:
        path_key, draw_key, report_key = jax.random.split(key, 3)
        x_k, noise = starts(path_key, nominal, settings.paths)

        def growth_on(key: Array, count: int) -> Callable[[Any], Array]:
            draws = shard(objective.draw(key, nominal.windows, count))
            return growth_of(model, objective, nominal.theta, draws)

        # The ascent would over-fit any fixed draws, so it sees fresh ones, and what is reported and
        # enforced is measured on draws that it has never seen.
        growth = growth_on(draw_key, settings.draws)
        audit = growth_on(audit_key, settings.audit_draws)

        def paths(theta: Any, x_k: Array = x_k, noise: Array = noise) -> tuple[Array, Array]:
            """Window losses [B] and trajectories of a model on starts and noises."""
            x0, trajectory = sample_fine(eps_of(theta), x_k, noise, nominal.coefs)
            return payoff(params, to_tokens(x0)), trajectory

        if settings.estimator == "pathwise":

            def gain(theta: Any) -> tuple[Array, Array]:
                return jnp.mean(paths(theta)[0]), jnp.zeros(())

        else:
            losses, drawn = paths(state.theta)
            old, weight = (
                trajectory_eps(eps_of(state.theta), drawn, nominal.coefs),
                advantage(losses),
            )

            def gain(theta: Any) -> tuple[Array, Array]:
                log_r, half_square = log_ratio(eps_of(theta), old, drawn, noise, nominal.coefs)
                # the same divergence as mean(-log r), without the noise of its martingale part
                return clipped_surrogate(log_r, weight, settings.clip), jnp.mean(half_square)

        def lagrangian(theta: Any, alpha: Array) -> tuple[Array, tuple[Array, Array]]:
            value, divergence = gain(theta)
            excess = jnp.mean(growth(theta))
            return alpha * excess - value, (excess, divergence)

        def step(carry: tuple[AdversaryState, Array], _: None):
            now, stopped = carry
            gradient, (excess, divergence) = jax.grad(lagrangian, has_aux=True)(
                now.theta, now.alpha
            )
            change, optimiser_state = optimiser.update(gradient, now.optimiser)
            alpha = dual_step(
                now.alpha, excess, settings.epsilon, settings.dual_rate, settings.dual_ceiling
            )
            moved = AdversaryState(optax.apply_updates(now.theta, change), optimiser_state, alpha)
            stopped = stopped | (divergence > settings.kl_stop)
            after = jax.tree.map(lambda new, old: jnp.where(stopped, old, new), moved, now)
            return (after, stopped), None

        start = (state, jnp.zeros((), bool))
        (state, _), _ = jax.lax.scan(step, start, None, length=settings.inner_steps)
        limit = settings.slack * settings.epsilon
        theta, fraction = step_back(
            nominal.theta, state.theta, lambda theta: jnp.mean(audit(theta)), limit
        )
        audited = audit(theta)
        # reported on starts and noises that were not ascended on, the same for both models
        fresh = starts(report_key, nominal, settings.paths)
        nominal_losses, trajectory = paths(nominal.theta, *fresh)
        eps_old = trajectory_eps(eps_of(nominal.theta), trajectory, nominal.coefs)
        _, half_square = log_ratio(eps_of(theta), eps_old, trajectory, fresh[1], nominal.coefs)
        metrics = {
            "nominal_loss": jnp.mean(nominal_losses),
            "worst_case_loss": jnp.mean(paths(theta, *fresh)[0]),
            "growth": jnp.mean(audited),
            "growth_se": jnp.std(audited) / settings.audit_draws**0.5,
            "alpha": state.alpha,
            "path_kl": jnp.mean(half_square),
            "feasible_fraction": fraction,
        }
        return state._replace(theta=theta), metrics

    def sample(key: Array, theta: Any, nominal: Nominal, count: int) -> Array:
        x_k, noise = starts(key, nominal, count)
        return to_tokens(sample_fine(eps_of(theta), x_k, noise, nominal.coefs)[0])

    return Adversary(init, ascend, sample)
