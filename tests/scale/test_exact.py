"""All curves in one call: against quadrature by SciPy, a simulation, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from lpo.errors import InputError
from lpo.scale import exact
from lpo.scale.exact import exact_curves
from lpo.scale.laws import Laws, make_laws
from lpo.scale.models import Models, chosen
from lpo.scale.passes import make_pairs
from tests import quick

K = np.arange(1, 65)
P = [1, 4]
SOME = [1, 4, 16, 64]


@pytest.fixture(scope="module")
def curves(reference_models):
    return exact_curves(*make_laws(), reference_models.models, K, P)


def test_curves_are_exact_numpy_arrays(curves):
    assert curves.trials is None
    assert curves.met is None
    assert curves.k.tolist() == K.tolist()
    assert curves.parallel.tolist() == P
    for estimate in (curves.cost, curves.time, curves.accuracy):
        assert estimate.low is None
        for leaf in estimate[:3]:
            assert isinstance(leaf, np.ndarray)
            assert leaf.dtype == np.float64
            assert leaf.shape == (9, 2, 64)
        np.testing.assert_array_equal(estimate.sem, 0.0)


def test_every_curve_is_its_closed_form(curves, reference_models, order_statistic):
    models = reference_models.models
    cost = models.input_price * models.prompt + models.output_price * models.output
    np.testing.assert_allclose(curves.cost.mean[:, 1], np.outer(cost, K), rtol=1e-12)
    np.testing.assert_array_equal(curves.cost.mean[:, 0], curves.cost.mean[:, 1])
    time = models.input_s * models.prompt + models.output_s * models.output
    sd = np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)
    np.testing.assert_allclose(curves.time.mean[:, 0], np.outer(time, K), rtol=1e-12)
    np.testing.assert_allclose(curves.time.sd[:, 0], np.outer(sd, np.sqrt(K)), rtol=1e-9)
    late = time + order_statistic(4)[0] * sd
    np.testing.assert_allclose(curves.time.mean[:, 1, 3::4], np.outer(late, K[:16]), rtol=1e-11)
    for m, (mu, sigma) in enumerate(zip(models.accuracy, models.accuracy_sd, strict=True)):
        for k in SOME:
            rest, _ = integrate.quad(
                lambda x, at=(mu, sigma, k): stats.norm.cdf((x - at[0]) / at[1]) ** at[2],
                0.0,
                1.0,
                points=[max(mu - 3 * sigma, 0.0), mu],
                epsabs=1e-12,
            )
            assert curves.accuracy.mean[m, 0, k - 1] == pytest.approx(1.0 - rest, abs=1e-10)


def test_a_simulation_agrees(curves, reference_models):
    models = Models(*(leaf[:, None, None] for leaf in reference_models.models))
    rng = np.random.default_rng(0)
    trials = 2000
    for k in SOME:
        prompt, output, score = rng.normal(size=(3, trials, k))
        prompt, output = 1024 + 64 * prompt, 2048 + 128 * output
        cost = (models.input_price * prompt + models.output_price * output).sum(-1)
        time = models.input_s * prompt + models.output_s * output
        rest = np.zeros((9, trials, -k % 4))
        time = np.concatenate([time, rest], -1).reshape(9, trials, -1, 4).max(-1).sum(-1)
        accuracy = np.clip(models.accuracy + models.accuracy_sd * score, 0.0, 1.0).max(-1)
        for ours, drawn in (
            (curves.cost, cost),
            (curves.time, time),
            (curves.accuracy, accuracy),
        ):
            mean, sd = ours.mean[:, 1, k - 1], ours.sd[:, 1, k - 1]
            assert (np.abs(drawn.mean(1) - mean) <= 4.0 * sd / np.sqrt(trials)).all()
        assert (np.abs(cost.std(1) / curves.cost.sd[:, 1, k - 1] - 1.0) < 0.08).all()
        assert (np.abs(time.std(1) / curves.time.sd[:, 1, k - 1] - 1.0) < 0.08).all()


def test_a_model_alone_has_the_same_curves(curves, reference_models):
    alone = exact_curves(*make_laws(), chosen(reference_models, ["qwen3-max"]).models, K, P)
    number = Models(*(leaf[6] for leaf in reference_models.models))
    for ours in (alone, exact_curves(*make_laws(), number, K, P)):
        for one, many in zip(ours[2:5], curves[2:5], strict=True):
            np.testing.assert_allclose(one.mean[0], many.mean[6], rtol=1e-12)
            np.testing.assert_allclose(one.sd[0], many.sd[6], rtol=1e-7)


def compiled() -> int:
    return exact._compiled._cache_size()  # pyright: ignore[reportAttributeAccessIssue]


def test_one_compilation_serves_all_numbers_of_a_shape(curves, reference_models):
    before = compiled()
    models = reference_models.models
    other = models._replace(prompt=models.prompt / 2.0, input_price=2.0 * models.input_price)
    laws, numbers = make_laws(verifier_sd=0.1)
    again = exact_curves(laws, numbers, other, K, P)
    np.testing.assert_allclose(again.cost.mean, curves.cost.mean)
    exact_curves(laws, numbers, models, K, [4, 2])
    assert compiled() == before


def test_curves_have_derivatives(reference_models):
    models = reference_models.models
    laws, numbers = make_laws(latency="mean", rule="pass_at_k")

    def total(models):
        curves = exact_curves(laws, numbers, models, [8], [2])
        return jnp.stack([e.mean[:, 0, 0].sum() for e in (curves.cost, curves.time)])

    with jax.enable_x64(True):
        slopes = quick.jit(jax.jacrev(total))(models)
    np.testing.assert_allclose(slopes.output_price, [8 * models.output, 0 * models.output])
    np.testing.assert_allclose(slopes.input_s, [0 * models.prompt, 4 * models.prompt])
    np.testing.assert_allclose(slopes.prompt, [8 * models.input_price, 4 * models.input_s])


def test_observed_lengths_and_votes(reference_models):
    pairs = make_pairs([1000, 2000], [100, 300])
    laws, numbers = make_laws(latency="mean", rule="majority")
    ours = exact_curves(laws, numbers, reference_models.models, [1, 3], [1], pairs=pairs)
    models = reference_models.models
    cost = models.input_price * 1500.0 + models.output_price * 200.0
    np.testing.assert_allclose(ours.cost.mean[:, 0], np.outer(cost, [1, 3]))
    p = models.accuracy
    np.testing.assert_allclose(ours.accuracy.mean[:, 0, 0], p)
    np.testing.assert_allclose(ours.accuracy.mean[:, 0, 1], p**2 * (3.0 - 2.0 * p))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": [0, 1]}, "`k` must be whole numbers of at least 1"),
        ({"k": [1.5]}, "`k` must be whole"),
        ({"k": []}, "`k` must be whole"),
        ({"k": ["a"]}, "`k` must be whole"),
        ({"parallel": [0]}, "`parallel` must be whole numbers of at least 1, got"),
        (
            {"laws": Laws(latency=make_laws(latency="work_conserving")[0].latency)},
            "must be simulated",
        ),
    ],
)
def test_what_is_no_question_is_refused(reference_models, given, message):
    laws, numbers = make_laws()
    asked = {"laws": laws, "numbers": numbers, "models": reference_models.models}
    with pytest.raises(InputError, match=message):
        exact_curves(**(asked | {"k": K, "parallel": P} | given))
