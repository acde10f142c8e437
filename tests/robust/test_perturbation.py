"""Attacks against closed forms and duality; the methods built on them against Danskin's theorem."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root_scalar

from lpo.robust.empirical import Windows
from lpo.robust.objective import pair_loss
from lpo.robust.outer import RobustData
from lpo.robust.perturbation import frank_wolfe, wasserstein_dro, wrm, wrm_dro
from lpo.workload import Layout, Scaler

N, DIM, RADIUS = 6, 3, 0.7
rng = np.random.default_rng(0)
START, SLOPE = rng.standard_normal((2, N, DIM))
CURVATURE = {
    "linear": np.zeros((N, DIM)),
    "concave": -rng.uniform(0.5, 3.0, (N, DIM)),
    "mixed": rng.uniform(-2.0, 1.0, (N, DIM)),
    "convex": rng.uniform(0.1, 1.0, (N, DIM)),
}


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def quadratic(curvature, scale=1.0):
    """Loss of each sample with gradient SLOPE at START and this diagonal of second derivatives."""

    def loss(samples):
        d = samples - START
        return scale * jnp.sum(SLOPE * d + 0.5 * curvature * d**2, axis=-1)

    return loss


@partial(jax.jit, static_argnames="steps")
def in_ball(curvature, scale=1.0, steps=200):
    """Mean loss and perturbation of Frank-Wolfe on a quadratic loss."""
    loss = quadratic(curvature, scale)
    d = frank_wolfe(loss, jnp.asarray(START), radius=RADIUS, steps=steps)
    return jnp.mean(loss(START + d)), d


@partial(jax.jit, static_argnames="steps")
def penalised(curvature, gamma, steps=200):
    """Mean penalised loss and perturbation of WRM on a quadratic loss."""
    loss = quadratic(curvature)
    d = wrm(loss, jnp.asarray(START), gamma=gamma, steps=steps)
    return jnp.mean(loss(START + d) - gamma * jnp.sum(d**2, axis=-1)), d


def stationary(gamma, curvature):
    """d with SLOPE + curvature d = 2 gamma d: the maximiser of the penalised loss."""
    return SLOPE / (2 * gamma - curvature)


def ball_optimum(curvature):
    """Multiplier and largest mean in the ball: on its sphere, where d is stationary."""

    def excess(gamma):
        return np.sum(stationary(gamma, curvature) ** 2) - N * RADIUS**2

    gamma = root_scalar(excess, bracket=(max(curvature.max() / 2, 0.0) + 1e-6, 1e3)).root
    d = stationary(gamma, curvature)
    return gamma, np.mean(np.sum(SLOPE * d + 0.5 * curvature * d**2, axis=-1))


def rms_length(d):
    return float(np.sqrt(np.mean(np.sum(np.asarray(d) ** 2, axis=-1))))


def bumpy(samples):
    """Neither concave nor convex, and steep enough for steps to overshoot."""
    return jnp.sum(jnp.sin(5.0 * samples) + 0.3 * samples**2, axis=-1)


def iterates(loss, steps):
    """Every perturbation that Frank-Wolfe looks at, the start included."""
    seen = []

    def watched(samples):
        jax.debug.callback(lambda z: seen.append(np.asarray(z) - START), samples)
        return loss(samples)

    frank_wolfe(watched, jnp.asarray(START), radius=RADIUS, steps=steps)
    jax.effects_barrier()
    assert len(seen) == steps + 1
    return seen


def test_every_iterate_of_frank_wolfe_is_in_the_ball(double):
    lengths = [rms_length(d) for d in iterates(bumpy, 20)]
    assert 0.9 * RADIUS < max(lengths) <= RADIUS * (1 + 1e-12)


def test_without_a_gradient_frank_wolfe_stays(double):
    assert all(np.all(d == 0) for d in iterates(lambda z: 0.0 * z[..., 0], 2))


def test_first_iterates_maximise_a_linear_loss(double):
    direction = SLOPE / np.linalg.norm(SLOPE)
    value, d = in_ball(CURVATURE["linear"], steps=1)
    np.testing.assert_allclose(d, RADIUS * np.sqrt(N) * direction)
    # Cauchy-Schwarz: no perturbation in the ball gains more
    assert float(value) == pytest.approx(RADIUS * np.linalg.norm(SLOPE) / np.sqrt(N))
    _, faint = in_ball(CURVATURE["linear"], 1e-200, steps=1)  # slopes whose squares are 0
    np.testing.assert_allclose(faint, d)
    _, d = penalised(CURVATURE["linear"], 2.0, steps=1)
    np.testing.assert_allclose(d, SLOPE / 4.0)


@pytest.mark.parametrize("kind", CURVATURE)
def test_frank_wolfe_reaches_the_optimum_in_the_ball(kind, double):
    value, d = in_ball(CURVATURE[kind])
    assert float(value) == pytest.approx(ball_optimum(CURVATURE[kind])[1], rel=1e-4)
    assert rms_length(d) <= RADIUS * (1 + 1e-12)


@pytest.mark.parametrize("kind", CURVATURE)
def test_wrm_reaches_the_maximiser(kind, double):
    gamma = 1.5  # every curvature is below 2 gamma
    _, d = penalised(CURVATURE[kind], gamma)
    np.testing.assert_allclose(d, stationary(gamma, CURVATURE[kind]), atol=1e-6)


@pytest.mark.parametrize("kind", CURVATURE)
def test_penalised_values_bound_the_ball_and_touch_it_at_its_multiplier(kind, double):
    """E[sup loss - gamma |d|^2] + gamma radius^2 >= best in the ball (Sinha et al., prop. 1)."""
    best, _ = in_ball(CURVATURE[kind])
    multiplier, _ = ball_optimum(CURVATURE[kind])

    def bound(gamma):
        return float(penalised(CURVATURE[kind], gamma)[0] + gamma * RADIUS**2)

    lowest = max(CURVATURE[kind].max() / 2, 0.0)
    for factor in (0.7, 1.3, 2.0):
        assert bound(lowest + factor * (multiplier - lowest)) > best
    assert bound(multiplier) == pytest.approx(float(best), rel=1e-3)


def test_no_attack_ends_below_its_start(double):
    samples = jnp.asarray(START)
    before = bumpy(samples)

    @jax.jit
    def gains(strength):
        moved = samples + frank_wolfe(bumpy, samples, radius=strength, steps=5)
        d = wrm(bumpy, samples, gamma=strength, steps=5)
        of_samples = bumpy(samples + d) - strength * jnp.sum(d**2, axis=-1) - before
        return jnp.mean(bumpy(moved)) - jnp.mean(before), of_samples

    for strength in (0.1, 1.0, 5.0, 20.0):
        of_all, of_samples = gains(strength)
        assert of_all >= 0 and jnp.all(of_samples >= -1e-12)


LAYOUT = Layout(window=7, context=3, lead=2, horizon=2)  # two pairs
SCALER = Scaler(mean=50.0, sd=10.0)
LARGEST = 100.0
TRAIN = jnp.asarray(rng.uniform(30.0, 70.0, (20, 7)), jnp.float32).at[0, 6].set(LARGEST)
DATA = RobustData(Windows(TRAIN, TRAIN[:0]))
KEY = jax.random.PRNGKey(0)


def ball(loss, radius, **rest):
    return wasserstein_dro(loss, radius=radius, **rest)


def penalty(loss, gamma, targets=True, **rest):
    return wrm_dro(loss, gamma=gamma, targets=targets, **rest)


METHODS = [ball, penalty]


def linear_loss(params, history, target, key=None):
    """`params` for each standard deviation of demand, in history and target."""
    return params * (jnp.sum(history, axis=-1) + jnp.sum(target, axis=-1)) / SCALER.sd


def moving_bins(method):
    return LAYOUT.context + (2 if method is penalty else 0)


@partial(jax.jit, static_argnames="method")
def epoch(method, strength, params):
    """Audit, losses of one batch and the derivative of their mean, of the linear loss."""
    inner = method(linear_loss, strength, layout=LAYOUT, scaler=SCALER, batch=8)
    _, context, metrics = inner.prepare(KEY, inner.init(KEY, DATA), params, DATA)

    def mean_loss(params):
        losses = inner.losses(KEY, params, DATA, context)
        return jnp.mean(losses), losses

    gradient, losses = jax.grad(mean_loss, has_aux=True)(params)
    return metrics, losses, gradient


@pytest.mark.parametrize("method", METHODS)
def test_gradient_is_that_of_the_loss_at_the_worst_samples(method):
    """Danskin: the worst samples count as constants. This loss is params times their demand."""
    for params in (-2.0, 2.0):
        _, losses, gradient = epoch(method, 1.0, params)
        assert float(gradient) == pytest.approx(float(jnp.mean(losses)) / params, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_audit_of_a_linear_loss_is_the_closed_form(method):
    metrics, _, _ = epoch(method, 2.0, -3.0)  # downwards: nothing reaches an end of the range
    slope = 3.0 * np.sqrt(moving_bins(method))
    length = 2.0 if method is ball else slope / (2 * 2.0)
    gain = metrics["worst_case_loss"] - metrics["nominal_loss"]
    assert float(gain) == pytest.approx(slope * length, rel=1e-3)
    assert float(metrics["rms_perturbation"]) == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_perturbed_demand_stays_in_the_range_of_the_training_data(method):
    strength = 1e4 if method is ball else 1e-4
    resting = 5 - moving_bins(method)  # targets, of 30 to 70 tokens each
    for params, end in ((1.0, LARGEST), (-1.0, 0.0)):
        _, losses, _ = epoch(method, strength, params)
        rest = SCALER.sd * losses / params - end * moving_bins(method)
        assert jnp.all((rest >= 30.0 * resting - 0.01) & (rest <= 70.0 * resting + 0.01))


def test_a_ball_without_radius_is_the_empirical_loss():
    metrics, _, _ = epoch(ball, 0.0, 2.0)
    assert float(metrics["worst_case_loss"]) == pytest.approx(float(metrics["nominal_loss"]))
    assert float(metrics["rms_perturbation"]) < 1e-5


def test_attack_is_without_dropout_and_descent_with_it():
    keys = []

    def spy(params, history, target, key=None):
        keys.append(key)
        return linear_loss(params, history, target)

    for method in (*METHODS, partial(penalty, targets=False)):
        inner = method(spy, 1.0, layout=LAYOUT, scaler=SCALER, batch=8)
        keys.clear()
        losses = jax.eval_shape(inner.losses, KEY, 1.0, DATA, jnp.asarray(LARGEST))
        assert losses.shape == (8,)
        assert len(keys) > 1 and keys[-1] is not None
        assert all(key is None for key in keys[:-1])


def test_regret_of_a_network_rises_inside_the_budget_for_every_seed(tiny):
    regret = pair_loss(tiny.predictor, tiny.task, tiny.scaler.mean)
    inner = ball(regret, 0.5, layout=tiny.layout, scaler=tiny.scaler, batch=16)
    data = RobustData(tiny.windows)

    def epoch(key):
        params = tiny.predictor.init(key)
        _, context, metrics = inner.prepare(key, inner.init(key, data), params, data)
        return metrics, inner.losses(key, params, data, context)

    metrics, losses = jax.jit(jax.vmap(epoch))(jax.random.split(KEY, 2))
    assert losses.shape == (2, 16) and jnp.all(losses >= 0)
    assert jnp.all(metrics["worst_case_loss"] > metrics["nominal_loss"])
    assert len(set(metrics["rms_perturbation"].tolist())) == 2
    assert jnp.all(metrics["rms_perturbation"] <= 0.5 * (1 + 1e-5))
