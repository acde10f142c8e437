"""Windows, pairs and the scaler against direct indexing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.workload.windows import (
    Layout,
    Scaler,
    cut,
    fit_scaler,
    joined,
    pairs,
    standardise,
    unstandardise,
)

LAYOUTS = [Layout(28, 7, 1), Layout(40, 30, 10), Layout(12, 4, 3)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [1, 5, 28])
def test_windows_are_the_bins_they_say(layout, stride):
    tokens = np.arange(101.0)
    windows = cut(tokens, layout, stride)
    starts = range(0, 101 - layout.window + 1, stride)
    expected = [[start + i for i in range(layout.window)] for start in starts]
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(windows, expected)


def test_a_series_shorter_than_a_window_gives_none():
    assert cut(np.ones(27), Layout(28, 7, 1), 1).shape == (0, 28)
    assert cut(np.ones(28), Layout(28, 7, 1), 28).shape == (1, 28)


def test_windows_at_every_bin_hold_the_series():
    tokens = np.arange(20.0)
    windows = cut(tokens, Layout(window=8, context=6, lead=2), 1)
    np.testing.assert_array_equal(joined(windows), tokens)
    np.testing.assert_array_equal(joined(windows[:1]), tokens[:8])


def test_windows_are_a_copy():
    tokens = np.arange(50, dtype=np.float32)
    windows = cut(tokens, Layout(28, 7, 1), 1)
    windows[:] = -1
    np.testing.assert_array_equal(tokens, np.arange(50))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("xp", [np, jnp])
def test_pairs_read_context_and_are_judged_lead_bins_later(layout, xp):
    windows = xp.asarray(np.random.default_rng(0).random((2, 3, layout.window), dtype=np.float32))
    history, target = pairs(windows, layout)
    assert history.shape == (2, 3, layout.pairs, layout.context)
    assert target.shape == (2, 3, layout.pairs)
    for j in range(layout.pairs):
        last_read = j + layout.context - 1
        np.testing.assert_array_equal(history[..., j, :], windows[..., j : last_read + 1])
        np.testing.assert_array_equal(target[..., j], windows[..., last_read + layout.lead])
    assert last_read + layout.lead == layout.window - 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_at_a_stride_of_pairs_every_target_is_scored_once(layout):
    bins = 20 * layout.pairs + layout.window
    _, target = pairs(cut(np.arange(float(bins)), layout, layout.pairs), layout)
    first = layout.context + layout.lead - 1
    np.testing.assert_array_equal(np.sort(target.ravel()), np.arange(first, bins))


def test_pairs_are_differentiable():
    layout = Layout(6, 2, 2)

    def sum_of_all(window):
        history, target = pairs(window, layout)
        return history.sum() + 10.0 * target.sum()

    # Bins 0..3 are read 1, 2, 2, 1 times (three pairs), bins 3..5 are targets.
    gradient = jax.jit(jax.grad(sum_of_all))(jnp.zeros(6))
    np.testing.assert_array_equal(gradient, [1, 2, 2, 11, 10, 10])


def test_scaler_is_the_mean_and_the_population_deviation():
    scaler = fit_scaler(np.array([1.0, 2.0, 6.0]))
    assert scaler == pytest.approx(Scaler(3.0, np.sqrt(14 / 3)))
    x = np.array([[0.0, 3.0], [5.0, 8.0]])
    np.testing.assert_allclose(unstandardise(standardise(x, scaler), scaler), x)
    np.testing.assert_allclose(standardise(x, scaler)[0, 1], 0.0)


def test_scaler_of_large_float32_counts_is_accurate():
    tokens = (1e6 + np.arange(100_000) % 2).astype(np.float32)
    assert fit_scaler(tokens) == pytest.approx(Scaler(1e6 + 0.5, 0.5), rel=1e-9)


def test_constant_demand_is_refused():
    with pytest.raises(InputError, match="7 tokens in every bin"):
        fit_scaler(np.full(10, 7.0))


HORIZON = Layout(12, 4, 3, horizon=4)


@pytest.mark.parametrize("xp", [np, jnp])
def test_with_a_horizon_targets_are_the_bins_from_lead_on(xp):
    windows = xp.asarray(np.random.default_rng(0).random((2, HORIZON.window), dtype=np.float32))
    history, target = pairs(windows, HORIZON)
    assert HORIZON.pairs == 3  # the last reads bins 2..5 and is judged on bins 8..11
    assert history.shape == (2, 3, 4) and target.shape == (2, 3, 4)
    for pair in range(3):
        for slot in range(4):
            expected = windows[:, pair + HORIZON.context - 1 + HORIZON.lead + slot]
            np.testing.assert_array_equal(target[:, pair, slot], expected)


def test_a_horizon_of_one_bin_is_the_plain_layout_with_an_axis():
    windows = np.random.default_rng(1).random((5, 12), dtype=np.float32)
    plain, long = Layout(12, 4, 3), Layout(12, 4, 3, horizon=1)
    assert plain.pairs == long.pairs
    np.testing.assert_array_equal(pairs(windows, plain)[1], pairs(windows, long)[1][..., 0])
