"""The utility objective and its optimum against grids, published figures and homogeneity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.provision import CODE, PAPER, PRESETS, objective, optimal_share

presets = pytest.mark.parametrize("parameters", PRESETS.values(), ids=list(PRESETS))


def slow_objective(parameters, a, c):
    """The formula as printed, one slot at a time."""
    served, idle = min(a, c), max(a - c, 0.0)
    share = min(a / c, 1.0) if c > 0 else 1.0
    return (
        parameters.active * served
        + parameters.idle * idle
        - parameters.benefit * c * np.log(parameters.saturation * share + 1)
    )


def test_preset_constants_are_the_published_ones():
    assert CODE.benefit == pytest.approx(0.15328, abs=5e-6)
    assert (CODE.active, CODE.idle) == pytest.approx((0.42, 0.15))
    assert (PAPER.active, PAPER.idle) == pytest.approx((0.5984, 0.20944))


@pytest.mark.parametrize(
    ("parameters", "share"), [(CODE, 0.31495415417005673), (PAPER, 0.2842245989304813)]
)
def test_optimal_share_is_the_derived_figure(parameters, share):
    assert optimal_share(parameters) == pytest.approx(share, rel=1e-14)


def test_least_cost_of_a_unit_is_the_derived_figure():
    share = np.array(optimal_share(CODE))
    assert objective(CODE, share, np.array(1.0)) == pytest.approx(-0.17240286176667774, rel=1e-14)


@pytest.mark.parametrize(
    ("parameters", "share"),
    [(CODE._replace(benefit=0.42 * 1.05), 1.0), (CODE._replace(benefit=0.01), 0.0)],
    ids=["serve all", "serve none"],
)
def test_share_is_clipped_at_both_ends_and_still_optimal(parameters, share):
    assert optimal_share(parameters) == share
    grid = np.linspace(0, 1.5, 3001)
    assert objective(parameters, grid, np.array(1.0)).argmin() == round(share * 2000)


@presets
def test_objective_is_the_printed_formula(parameters):
    a, c = np.meshgrid(np.linspace(0, 2, 9), np.array([0.0, 1e-9, 0.3, 1.0, 4.0]))
    expected = np.vectorize(lambda a, c: slow_objective(parameters, a, c))(a, c)
    np.testing.assert_allclose(objective(parameters, a, c), expected, rtol=1e-13, atol=1e-16)


@presets
def test_optimum_is_the_best_of_a_grid_with_clips_at_both_ends(parameters):
    grid = np.linspace(0, 1, 20_001)
    workloads = np.array([0.0, 1e-3, 0.2, 1.0, 3.0, 1 / optimal_share(parameters), 5.0, 40.0])
    table = objective(parameters, grid[:, None], workloads)
    optimum = np.clip(optimal_share(parameters) * workloads, 0, 1)
    np.testing.assert_allclose(grid[table.argmin(0)], optimum, atol=5e-5)
    assert (objective(parameters, optimum, workloads) <= table.min(0) + 1e-15).all()


@presets
def test_objective_is_homogeneous_of_degree_one(parameters):
    a, c = np.array([0.1, 0.5, 2.0]), np.array([0.4, 0.5, 1.0])
    np.testing.assert_allclose(
        objective(parameters, 7 * a, 7 * c), 7 * objective(parameters, a, c), rtol=1e-13
    )


@presets
@pytest.mark.parametrize(("a", "c"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.3, 0.3)])
def test_gradient_is_finite_where_the_ratio_is_delicate(parameters, a, c):
    gradient = jax.grad(lambda a, c: objective(parameters, a, c), argnums=(0, 1))(a, c)
    assert np.isfinite(gradient).all()


@presets
def test_gradient_is_the_derivative_on_both_sides_of_full_service(parameters):
    p, q, k, saturation = (
        parameters.active, parameters.idle, parameters.benefit, parameters.saturation,
    )  # fmt: skip
    slope = jax.grad(lambda a: objective(parameters, a, jnp.float32(0.5)))
    for a in (0.01, 0.2, 0.45):
        expected = p - k * saturation / (saturation * a / 0.5 + 1)
        assert slope(a) == pytest.approx(expected, rel=1e-5)
    assert slope(0.8) == pytest.approx(q, rel=1e-6)
