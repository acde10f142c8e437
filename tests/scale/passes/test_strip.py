"""A strip under a line: two-dimensional integrals by SciPy, limits, derivatives as differences."""

import jax
import numpy as np
from scipy import integrate, stats

from lpo.scale.passes.strip import under_line
from lpo.scale.quadrature import over_pieces
from tests import quick

# low, high, a, b, level: either side varies more, strips bounded by none, one or two sides
ROWS = [
    (-1.0, 0.5, 1.0, 2.0, 0.7),
    (-1.0, 0.5, 2.0, 1.0, -0.7),
    (-40.0, 40.0, 3.0, 0.2, 1.0),
    (-2.0, 40.0, 5.0, 0.01, 4.0),
    (0.3, 0.4, 1e-3, 1.0, 0.1),
    (0.2, 0.2, 1.0, 1.0, 0.1),
    (-40.0, 1.5, 1.0, 1e-9, 0.8),
]
compiled = quick.jit(under_line)


def test_it_is_the_integral_over_the_strip():
    with jax.enable_x64(True):
        ours = np.asarray(compiled(*np.array(ROWS).T))
    for value, (low, high, a, b, level) in zip(ours, ROWS, strict=True):
        bend = level / a
        cuts = [bend + by * b / a for by in (-8.0, 0.0, 8.0)]
        low, high = max(low, -9.0), min(high, 9.0)
        theirs, _ = integrate.quad(
            lambda z, a=a, b=b, level=level: (
                stats.norm.pdf(z) * stats.norm.cdf((level - a * z) / b)
            ),
            low,
            high,
            points=[cut for cut in cuts if low < cut < high] or None,
            epsabs=1e-13,
            limit=200,
        )
        np.testing.assert_allclose(value, theirs, atol=1e-12)


def test_derivatives_are_differences():
    rows = np.array(ROWS[:5])
    with jax.enable_x64(True):
        slopes = quick.jit(
            jax.grad(lambda *given: under_line(*given).sum(), argnums=(0, 1, 2, 3, 4))
        )(*rows.T)
        for i, slope in enumerate(slopes):
            step = np.zeros(5)
            step[i] = 1e-6
            high, low = (np.asarray(compiled(*(rows + by).T)) for by in (step, -step))
            # the fourth line is steep: its slope changes within 0.01
            np.testing.assert_allclose(slope, (high - low) / 2e-6, rtol=1e-5, atol=1e-8)


def test_pieces_integrate_polynomials_and_pieces_of_no_length_weigh_nothing():
    with jax.enable_x64(True):
        at, weight = map(np.asarray, over_pieces(np.array([[-1.0, 0.5, 0.5, 2.0]]), 3))
    assert at.shape == (1, 9)
    np.testing.assert_array_equal(weight[0, 3:6], 0.0)
    np.testing.assert_allclose((weight * at**5).sum(), (2.0**6 - 1.0) / 6.0, rtol=1e-14)
