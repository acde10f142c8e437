"""The split of prices: homogeneous, convex, best at an end."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import paper_two_class_x2, solve_plan
from lpo.serve.plans.price_splits import split_prices

TOTALS, SHARES = [0.1, 0.7], [0.0, 0.01, 0.03, 0.04, 0.1, 0.5, 1.0]


@pytest.fixture(scope="module", params=["bundled", "separate"])
def found(request):
    return split_prices(paper_two_class_x2(), TOTALS, SHARES, pricing=request.param)


def test_the_revenue_is_the_tokens_that_are_paid(found):
    share, total = found.shares, found.totals[:, None]
    paid = total * (share * found.prompt_tokens + (1.0 - share) * found.decode_tokens)
    np.testing.assert_allclose(found.value, paid, rtol=1e-8)


def test_the_split_does_not_depend_on_the_total(found):
    per_total = found.value / found.totals[:, None]
    np.testing.assert_allclose(per_total[0], per_total[1], rtol=1e-10)


def test_tangents_lie_below_so_that_an_end_is_best(found):
    step = found.shares[None, :] - found.shares[:, None]
    for value, slope in zip(found.value, found.slope, strict=True):
        tangent = value[:, None] + slope[:, None] * step
        assert np.all(tangent <= value[None, :] * (1.0 + 1e-9))
        assert value[1:-1].max() <= max(value[0], value[-1])


def test_bundled_revenue_falls_before_it_rises():
    found = split_prices(paper_two_class_x2(), [0.3], SHARES)
    assert found.slope[0, 0] < 0.0 < found.slope[0, -1]


def test_the_prices_of_an_instance_are_one_split():
    instance = paper_two_class_x2()  # 0.1 and 0.2
    found = split_prices(instance, [0.3], [1.0 / 3.0])
    assert found.value[0, 0] == pytest.approx(solve_plan(instance).value)


@pytest.mark.parametrize(
    ("totals", "shares"), [([-1.0], [0.5]), ([], [0.5]), ([1.0], [1.5]), ([1.0], [])]
)
def test_refused(totals, shares):
    with pytest.raises(InputError, match="must be numbers"):
        split_prices(paper_two_class_x2(), totals, shares)
