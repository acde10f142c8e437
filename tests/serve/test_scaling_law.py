"""The fit on gaps whose law is known."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.scaling_law import fit_scaling_law

SIZES = np.array([10.0, 50.0, 200.0, 800.0, 3200.0])


def test_an_exact_law_is_found():
    law = fit_scaling_law(SIZES, 0.2 * SIZES**-0.53, 0.01 * SIZES**-0.5)
    assert law.factor == pytest.approx(0.2)
    assert law.exponent == pytest.approx(0.53)
    assert law.misfit == pytest.approx(0.0, abs=1e-20)
    assert law.points == 5
    np.testing.assert_allclose(law.at(SIZES), 0.2 * SIZES**-0.53)


def test_errors_are_those_of_repeated_samples():
    """The exponent is unbiased and its standard error is its spread; the misfit has mean 1."""
    rng = np.random.default_rng(0)
    gap = 0.3 * SIZES**-0.5
    error = gap * np.array([0.02, 0.02, 0.04, 0.05, 0.1])
    laws = [fit_scaling_law(SIZES, rng.normal(gap, error), error) for _ in range(2000)]
    exponents = np.array([law.exponent for law in laws])
    # without what is added where a sample happens to lie further from its line
    told = np.array([law.exponent_error / np.sqrt(max(law.misfit, 1.0)) for law in laws])
    assert exponents.mean() == pytest.approx(0.5, abs=3e-3)
    assert exponents.std() == pytest.approx(told.mean(), rel=0.06)
    assert np.mean([law.misfit for law in laws]) == pytest.approx(1.0, abs=0.1)
    factors = np.log([law.factor for law in laws])
    told = [law.factor_error / np.sqrt(max(law.misfit, 1.0)) for law in laws]
    assert factors.std() == pytest.approx(np.mean(told), rel=0.06)


def test_precise_points_count_more_and_misfits_widen_the_errors():
    gap = 0.3 * SIZES**-0.5
    bent = gap.copy()
    bent[-1] *= 2.0
    near = fit_scaling_law(SIZES, bent, gap * [0.01, 0.01, 0.01, 0.01, 1.0])
    assert near.exponent == pytest.approx(0.5, abs=1e-3)
    bad = fit_scaling_law(SIZES, bent, 0.01 * bent)
    assert bad.exponent < 0.42 and bad.misfit > 100.0
    good = fit_scaling_law(SIZES, gap, 0.01 * gap)
    assert bad.exponent_error == pytest.approx(np.sqrt(bad.misfit) * good.exponent_error)


def test_gaps_without_a_logarithm_are_left_out():
    gap = np.append(0.3 * SIZES[:4] ** -0.5, -0.001)
    law = fit_scaling_law(SIZES, gap, 0.01 * np.ones(5))
    assert law.points == 4 and law.exponent == pytest.approx(0.5)
    two = fit_scaling_law(SIZES[:2], gap[:2], 0.01 * gap[:2])
    assert two.exponent == pytest.approx(0.5) and np.isnan(two.misfit)
    assert np.isfinite(two.exponent_error)


@pytest.mark.parametrize(
    ("gaps", "errors", "says"),
    [
        ([0.1, 0.05, 0.02], [0.01, 0.01], "same length"),
        ([0.1, 0.05, 0.02], [0.01, 0.0, 0.01], "positive"),
        ([0.1, 0.05, np.nan], [0.01, 0.01, 0.01], "finite"),
        ([0.1, -0.05, -0.02], [0.01, 0.01, 0.01], "at least two sizes"),
    ],
)
def test_what_has_no_law_is_refused(gaps, errors, says):
    with pytest.raises(InputError, match=says):
        fit_scaling_law([10.0, 50.0, 200.0], gaps, errors)
