"""Training of denoisers: what it minimises, and what small budgets reach."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o import training as module
from lpo.l2o.classical.proximal import fista
from lpo.l2o.contest import draw, follow, polish, trace_of
from lpo.l2o.denoisers.coordinate import coordinate
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.denoisers.unrolled import unrolled
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.family import Family, Labels, sample_problems
from lpo.l2o.guidance import Guidance, probe
from lpo.l2o.measures import evaluations_to, gaps
from lpo.l2o.noise import Noise, Normaliser, levels, normaliser_of, skip
from lpo.l2o.sampling import Model, Sampler
from lpo.l2o.training import Objective, Trainer, make_training, solved
from tests.l2o.worlds import program_of


def trained(family: Family, denoiser: Any, noise: Noise, steps: int, count: int, **options: Any):
    """A model, and 128 test problems."""
    problems = sample_problems(family, jax.random.key(1), count)
    labels = family.solve(problems)
    normaliser = normaliser_of(labels.x)
    training = make_training(family, denoiser, noise, steps=steps, **options)
    data = solved(problems, labels, normaliser)
    state = program_of(training)(jax.random.key(0), data, steps)
    return Model(denoiser, state.ema, normaliser, noise), sample_problems(
        family, jax.random.key(2), 128
    )


@pytest.mark.parametrize("trainer", list(Trainer))
def test_without_guidance_it_learns_the_best_linear_guess(trainer):
    """Standard normal solutions of which problems say nothing: z-hat = c_s z, the posterior mean.
    The chain of a rollout begins with noise that does not know the solution: its guess is 0."""

    def normal(key: Any) -> Any:
        return jax.random.normal(key, (2,))

    family = Family(
        "normal",
        2,
        normal,
        lambda x, p: 0.0 * x.sum(),
        normal,
        lambda p: Labels(p, jnp.zeros(len(p))),
        lambda p: jnp.zeros(0),
    )
    nothing = Guidance(False, False, False, False, octaves=0)
    noise = Noise(0.3, 2.0)
    denoiser = mlp(family, nothing, width=32)
    model, _ = trained(
        family,
        denoiser,
        noise,
        400,
        4000,
        trainer=trainer,
        objective=Objective(alpha=0.0),
        rate=5e-3,
        rollout_steps=3,
    )
    plain = Normaliser(jnp.zeros(2), jnp.ones(2))
    for sigma in (0.7746, 2.0):
        for z in ([0.5, -1.0], [1.5, 0.3]):
            at = probe(family, plain, jnp.asarray(z), jnp.float32(sigma), jnp.zeros(2))
            found = denoiser.apply(
                model.params, plain, at.z, jnp.float32(sigma), at, at, jnp.zeros(2)
            )
            best = skip(jnp.float32(sigma)) * at.z * (trainer is Trainer.STATELESS)
            np.testing.assert_allclose(found, best, atol=0.15)


def test_a_small_network_on_lasso_beats_fista():
    family = lasso()
    model, problems = trained(family, unrolled(family, 4), Noise(0.1, 2.0), 700, 4000, rate=3e-3)
    least = family.solve(problems).value
    drawn = draw(family, model, problems, jax.random.key(3), steps=2)
    raw = gaps(trace_of(drawn).value, least, 1e-3)
    assert float(raw.mean()) < 0.06
    assert (np.asarray(drawn.best.calls) == 8).all()

    def needed(trace):
        return float(jnp.median(evaluations_to(gaps(trace.value, least, 1e-3), trace.calls)))

    cold = follow(family, fista(family), problems, jnp.zeros((128, 64)), 60)
    warm = polish(family, fista(family), problems, drawn, 40)
    assert needed(warm) <= 0.65 * needed(cold)


def test_fresh_noise_finds_minima_that_the_flow_misses():
    family = rastrigin(2)
    denoiser = coordinate(family, Guidance(scale=60.0), width=96)
    model, problems = trained(
        family,
        denoiser,
        Noise(0.05, 2.0, 3.0),
        2500,
        20_000,
        rate=5e-3,
        objective=Objective(scale=20.0),
    )
    found = {}
    for sampler in Sampler:
        drawn = draw(family, model, problems, jax.random.key(3), 8, steps=16, sampler=sampler)
        found[sampler] = float((drawn.best.value < 1e-2).mean())
        assert (np.asarray(drawn.best.calls) == 8 * 17).all()
    assert found[Sampler.ANCESTRAL] >= 0.6
    assert found[Sampler.ANCESTRAL] > found[Sampler.EULER]


def test_the_same_keys_give_the_same_bits():
    family = lasso(6, 8)
    model, problems = trained(family, unrolled(family, 2), Noise(0.1, 2.0), 20, 200)
    again, _ = trained(family, unrolled(family, 2), Noise(0.1, 2.0), 20, 200)
    jax.tree.map(np.testing.assert_array_equal, model.params, again.params)
    first, second = (
        draw(family, each, problems, jax.random.key(3), 2, steps=3) for each in (model, again)
    )
    jax.tree.map(np.testing.assert_array_equal, first, second)


def test_numbers_out_of_range_are_refused():
    family = lasso(6, 8)
    with pytest.raises(InputError, match="`steps`, `batch` and `rollout_steps`"):
        make_training(family, unrolled(family), Noise(), steps=0)
    with pytest.raises(InputError, match="`alpha` must not be negative"):
        make_training(family, unrolled(family), Noise(), steps=5, objective=Objective(alpha=-1.0))


def test_the_loss_of_a_guess_is_the_stated_one():
    """w |z-hat - z*|^2 / d + alpha (f - f*) / (|f*| + scale), w = 1 / c_o^2, by NumPy."""
    family = lasso(3, 4, penalty=0.1)
    problem = sample_problems(family, jax.random.key(3), 1)
    label = family.solve(problem)
    normaliser = Normaliser(jnp.array([0.1, 0.0, -0.2, 0.3]), jnp.array([1.0, 2.0, 0.5, 1.5]))
    one = jax.tree.map(lambda leaf: leaf[0], problem)
    known = module.solved(problem, label, normaliser)
    example = module._Example(one, known.z[0], known.value[0])
    guess, sigma = jnp.array([0.4, -0.3, 0.2, 0.1]), 0.7
    assert family.composite is not None and family.composite.matrix is not None
    A, b = np.asarray(family.composite.matrix(), float), np.asarray(one.b, float)
    x = np.asarray(normaliser.mean) + np.asarray(normaliser.std) * np.asarray(guess)
    f = 0.5 * ((A @ x - b) ** 2).sum() + 0.1 * np.abs(x).sum()
    distance = ((np.asarray(guess) - np.asarray(known.z[0])) ** 2).mean()
    least = float(label.value[0])
    for alpha in (0.0, 0.3):
        wanted = (1.0 + 1.0 / sigma**2) * distance + alpha * (f - least) / (abs(least) + 0.2)
        how = Objective(alpha=alpha, scale=0.2)
        found = module._fit(family, how, normaliser, example, guess, jnp.float32(sigma))
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_a_chain_passes_no_gradient_from_step_to_step():
    """Of a guess p z: the slope is the sum of the steps' own, each with its z held."""
    family, noise, steps, p = rastrigin(2), Noise(0.1, 2.0, 3.0), 3, 0.6
    denoiser = Denoiser("line", lambda key: jnp.float32(p), lambda *given: given[2], 0, False)
    example = module._Example(None, jnp.array([0.3, -0.4]), jnp.zeros(()))
    normaliser, key = Normaliser(jnp.zeros(2), jnp.ones(2)), jax.random.key(5)

    def loss(p: jax.Array) -> jax.Array:
        return module._rolled_out(
            family,
            denoiser,
            noise,
            steps,
            lambda z, *rest: p * z,
            normaliser,
            example,
            key,
            lambda guess, sigma: ((guess - example.z) ** 2).sum(),
        )

    of_start, _, of_steps = jax.random.split(key, 3)
    ladder, z, slope = levels(noise, steps), 2.0 * jax.random.normal(of_start, (2,)), 0.0
    for i in range(steps):
        slope += float((2.0 * (p * z - example.z) * z).sum()) / steps
        eps = jax.random.normal(jax.random.fold_in(of_steps, i), (2,))
        z = p * z + ladder[i + 1] * eps
    assert float(jax.grad(loss)(jnp.float32(p))) == pytest.approx(slope, rel=1e-5)
