"""Duals of linear programs against finite differences, strong duality and cases by hand."""

import numpy as np
import pytest
import scipy.sparse as sp

from lpo.errors import InputError
from lpo.optim.linear import solve_each, solve_linear
from lpo.optim.matrix_program import MatrixProgram


def program(cost, matrix, row_lower, row_upper, lower, upper):
    n = len(cost)
    none = np.zeros(n, bool)
    return MatrixProgram(
        cost=np.asarray(cost, float),
        offset=2.5,
        quadratic=None,
        matrix=sp.csr_matrix(np.asarray(matrix, float)),
        row_lower=np.asarray(row_lower, float),
        row_upper=np.asarray(row_upper, float),
        lower=np.asarray(lower, float),
        upper=np.asarray(upper, float),
        integer=none,
        binary=none,
    )


def random_program(seed):
    """Rows that are equations, have an upper end, a lower end or both; columns in a box."""
    rng = np.random.default_rng(seed)
    matrix, inside = rng.normal(size=(9, 12)), rng.uniform(size=12)
    value, width = matrix @ inside, rng.uniform(0.05, 0.3, size=(2, 9))
    lower, upper = value - width[0], value + width[1]
    lower[:2] = upper[:2] = value[:2]
    lower[2:5], upper[5:7] = -np.inf, np.inf
    upper_x = np.where(np.arange(12) < 8, 1.0, 2.0)
    return program(rng.normal(size=12), matrix, lower, upper, np.zeros(12), upper_x)


@pytest.mark.parametrize("seed", range(5))
def test_duals_are_derivatives_and_their_value_is_the_optimum(seed):
    given = random_program(seed)
    found = solve_linear(given)
    assert found.status == "optimal"
    y, d, x = found.row_dual, found.column_dual, found.x
    assert y is not None and d is not None and x is not None
    np.testing.assert_allclose(d, given.cost - given.matrix.T @ y, atol=1e-9)
    left = given.matrix @ x
    ends = np.where(y > 0, given.row_lower, given.row_upper)
    bounds = np.where(d > 0, given.lower, given.upper)
    assert (np.abs(left - ends)[np.abs(y) > 1e-9] < 1e-8).all()  # complementary slackness
    assert (np.abs(x - bounds)[np.abs(d) > 1e-9] < 1e-8).all()
    dual = sum(a * b for a, b in zip([*y, *d], [*ends, *bounds], strict=True) if abs(a) > 1e-9)
    assert dual + given.offset == pytest.approx(found.objective, abs=1e-8)
    assert found.objective == pytest.approx(given.cost @ x + given.offset)

    step = 1e-5
    for row in range(9):
        at = step * (np.arange(9) == row)
        sides = []
        for sign in (1, -1):
            moved = given._replace(
                row_lower=given.row_lower + sign * at, row_upper=given.row_upper + sign * at
            )
            sides.append(solve_linear(moved).objective or np.nan)
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(y[row], abs=1e-5)


def test_how_a_program_without_an_optimum_ends():
    nothing, free = [0.0, 0.0], [np.inf, np.inf]
    no_point = program([1, 1], [[1, 1]], [3], [np.inf], nothing, [1, 1])
    a_ray = program([-1, 0], [[1, -1]], [-np.inf], [1], nothing, free)
    assert solve_linear(no_point).status == "infeasible"
    assert solve_linear(a_ray).status == "unbounded"
    assert solve_linear(a_ray)[1:5] == (None, None, None, None)


def test_what_is_no_linear_program_is_refused():
    given = random_program(0)
    with pytest.raises(InputError, match="whole"):
        solve_linear(given._replace(integer=np.ones(12, bool)))
    with pytest.raises(InputError, match="quadratic"):
        solve_linear(given._replace(quadratic=sp.eye(12, format="csc")))
    with pytest.raises(InputError, match="time_limit_s"):
        solve_linear(given, time_limit_s=0.0)


def test_solving_one_after_another_is_solving_each():
    given = random_program(1)
    ends = [
        (given.row_lower + move, given.row_upper + move)
        for move in 0.05 * np.random.default_rng(2).normal(size=(6, 9))
    ]
    ends.insert(3, (np.full(9, 50.0), np.full(9, np.inf)))  # no point
    for (lower, upper), found in zip(ends, solve_each(given, ends), strict=True):
        expected = solve_linear(given._replace(row_lower=lower, row_upper=upper))
        assert found.status == expected.status
        assert found.objective == pytest.approx(expected.objective, abs=1e-9)
