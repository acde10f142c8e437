"""Certificates: what they contain, what the penalty makes of them, what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Policy, Settings, bounds_of, make_assumptions
from lpo.bandit.certificate import (
    Certificate,
    blocks,
    certificate_of,
    claims_something,
    ellipsoid,
    euclidean,
    euclidean_cover,
    from_change_manifest,
    from_past_shifts,
    least_ellipsoids,
    no_certificate,
    of_blocks,
    one_ellipsoid,
    subspace,
)
from lpo.bandit.offline import Offline
from lpo.bandit.state import init
from lpo.errors import InputError
from tests import quick

DRAWS = 100_000
_init, _bounds = quick.program(init, 0, 5), quick.program(bounds_of, 0)


@quick.jit
def covers(certificate: Certificate) -> tuple[jax.Array, ...]:
    return (
        one_ellipsoid(certificate).budgets,
        euclidean_cover(certificate).budgets,
        least_ellipsoids(certificate, over_blocks=True),
        least_ellipsoids(certificate, over_blocks=False),
    )


def root(Q: np.ndarray) -> np.ndarray:
    value, vector = np.linalg.eigh(Q)
    return vector * np.sqrt(np.clip(value, 0, None))


def support(budgets: Any, u: np.ndarray) -> np.ndarray:
    """The greatest <u, Delta>, [n], for directions u [n, g, c]: parts and blocks add up."""
    squared = np.einsum("ngc,mgcd,ngd->nmg", u, np.asarray(budgets, float), u)
    return np.sqrt(np.clip(squared, 0, None)).sum((1, 2))


def drawn(rng: np.random.Generator, budgets: np.ndarray, count: int = DRAWS) -> np.ndarray:
    """Points of the boundary, [count, g, c]: one of each part's ellipsoid, added up."""
    points = 0.0
    for part in np.asarray(budgets, float):
        v = rng.normal(size=(count, *part.shape[:2]))
        v /= np.linalg.norm(v, axis=-1, keepdims=True)
        points = points + np.einsum("gcd,ngd->ngc", np.stack([root(Q) for Q in part]), v)
    return np.asarray(points)


def random_psd(rng: np.random.Generator, d: int, rank: int | None = None) -> np.ndarray:
    half = rng.normal(size=(d, rank or d))
    return half @ half.T


def some_product(rng: np.random.Generator, m: int, g: int, c: int) -> Certificate:
    """Parts of random shapes, some of them of low rank, one of them empty."""
    budgets = np.stack(
        [[random_psd(rng, c, int(rng.integers(1, c + 1))) for _ in range(g)] for _ in range(m)]
    )
    budgets[0, 0] = 0.0
    return Certificate(jnp.asarray(budgets))


@pytest.mark.parametrize(("parts", "g"), [(1, 1), (2, 1), (1, 3)])
def test_the_penalty_is_the_greatest_effect_of_a_bias_that_is_allowed(parts, g):
    """Of 1e5 points of the boundary none has a greater one, and one comes within 1 %."""
    rng = np.random.default_rng(parts + 10 * g)
    c = 3 if parts == 1 else 2  # of dimensions that sampling covers
    budgets = np.stack([[random_psd(rng, c) for _ in range(g)] for _ in range(parts)])
    G = np.stack([5 * random_psd(rng, c) for _ in range(g)])
    arms = 3
    x = rng.normal(size=(arms, c))
    with jax.enable_x64(True):
        offline = Offline(jnp.asarray(G), jnp.zeros((g, c)), jnp.zeros(g))
        given = Policy(), Settings(width_scale=0.0), make_assumptions()
        state = _init(*given, offline, Certificate(jnp.asarray(budgets)), arms)
        penalty = np.asarray(_bounds(given[0], state, jnp.asarray(x)).pooled_width)
    points = drawn(rng, budgets)
    for a in range(arms):
        block = a if g > 1 else 0
        towards = G[block] @ np.linalg.solve(np.eye(c) + G[block], x[a])
        effect = np.abs(points[:, block] @ towards).max()
        assert 0.99 * penalty[a] <= effect <= penalty[a] * (1 + 1e-9)


@pytest.mark.parametrize(("m", "g"), [(1, 1), (3, 1), (1, 3), (2, 3)])
def test_covers_contain_what_they_cover(m, g):
    """By support functions in random directions."""
    rng, c = np.random.default_rng(m + 10 * g), 3
    for _ in range(5):
        u = rng.normal(size=(200, g, c))
        with jax.enable_x64(True):
            certificate = some_product(rng, m, g, c)
            budgets = np.asarray(certificate.budgets)
            one, ball, together, each = map(np.asarray, covers(certificate))
        apart = np.sqrt(np.clip(np.einsum("ngc,mgcd,ngd->nmg", u, budgets, u), 0, None)).sum(1)
        inside, more = apart.sum(1), 1 + 1e-9

        def length(Q: np.ndarray, u: np.ndarray = u) -> np.ndarray:
            return np.sqrt(np.clip(np.einsum("ngc,gcd,ngd->ng", u, Q, u), 0, None))

        whole = np.linalg.norm(length(one[0]), axis=1)  # one ellipsoid over all blocks
        assert one.shape == ball.shape == (1, g, c, c)
        assert (inside <= whole * more).all()
        assert (whole <= np.linalg.norm(length(ball[0]), axis=1) * more).all()
        np.testing.assert_allclose(ball[0], ball[0, 0, 0, 0] * np.array([np.eye(c)] * g))
        assert (inside <= np.linalg.norm(length(together), axis=1) * more).all()
        assert (apart <= length(each) * more).all()
        # the least trace of sums of ellipsoids with one factor each
        size = np.sqrt(np.trace(budgets, axis1=-2, axis2=-1)).sum()
        np.testing.assert_allclose(np.trace(together.sum(0)), size**2)
        assert np.trace(together.sum(0)) <= np.trace(one[0].sum(0)) * more


def test_an_ellipsoid_is_the_budget_of_its_matrix():
    rng = np.random.default_rng(0)
    M, rho = random_psd(rng, 4), 0.3
    Q = np.asarray(ellipsoid(M, rho, 9.0).budgets)[0, 0]
    np.testing.assert_allclose(Q, rho**2 * np.linalg.inv(M), rtol=1e-3)
    points = drawn(rng, Q[None, None], 1000)[:, 0]
    np.testing.assert_allclose(np.einsum("nc,cd,nd->n", points, M, points), rho**2, rtol=1e-3)


def test_a_capped_subspace_beside_a_bounded_one_is_a_part_of_its_own():
    """M = diag(1, 0), rho = .1, cap = 2: Delta = (.1, 1.9) keeps both bounds, and leaves the naive
    ellipsoid diag(.01, 4)."""
    certificate = ellipsoid(np.diag([1.0, 0.0]), 0.1, 2.0)
    np.testing.assert_allclose(
        certificate.budgets[:, 0], [np.diag([0.01, 0.0]), np.diag([0.0, 4.0])], atol=1e-7
    )
    delta, rng = np.array([0.1, 1.9]), np.random.default_rng(0)
    assert delta**2 @ [1 / 0.01, 1 / 4.0] > 1.0
    u = rng.normal(size=(1000, 1, 2))
    assert (u[:, 0] @ delta <= support(certificate.budgets, u) * (1 + 1e-6)).all()
    one = np.asarray(one_ellipsoid(certificate).budgets)[0, 0]
    assert delta @ np.linalg.solve(one, delta) <= 1.0
    nothing = ellipsoid(np.zeros((2, 2)), 0.1, 2.0)
    np.testing.assert_allclose(nothing.budgets[0, 0], 4 * np.eye(2), rtol=1e-6)


@pytest.mark.parametrize("r", [1, 3, 4])
def test_a_subspace_bounds_what_lies_in_it_and_across_it(r):
    rng = np.random.default_rng(r)
    basis = rng.normal(size=(4, r))
    budgets = np.asarray(subspace(basis, 0.7, 0.2).budgets, float)
    within = basis @ np.linalg.solve(basis.T @ basis, basis.T)
    u = rng.normal(size=(500, 1, 4))
    along, across = u[:, 0] @ within, u[:, 0] @ (np.eye(4) - within)
    expected = 0.7 * np.linalg.norm(along, axis=1) + 0.2 * np.linalg.norm(across, axis=1)
    np.testing.assert_allclose(support(budgets, u), expected, rtol=1e-3)
    assert len(budgets) == (1 if r == 4 else 2)


def test_budgets_of_blocks():
    own = np.asarray(blocks([0.5, 0.0, 2.0], 2).budgets)
    assert own.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(own[0], np.array([0.25, 0, 4])[:, None, None] * np.eye(2))
    joint = blocks([0.5, 0.0, 2.0], 2, joint=True)
    u = np.random.default_rng(0).normal(size=(100, 1, 6))
    expected = np.linalg.norm(u.reshape(-1, 3, 2), axis=2) @ [0.5, 0.0, 2.0]
    np.testing.assert_allclose(support(joint.budgets, u), expected, rtol=1e-5)
    assert joint.budgets.shape == (2, 1, 6, 6)
    assert not np.any(blocks([0.0, 0.0], 2, joint=True).budgets)
    np.testing.assert_allclose(no_certificate(3.0, 2, 2).budgets[0], [9 * np.eye(2)] * 2)
    np.testing.assert_allclose(euclidean(0.5, 3).budgets[0, 0], 0.25 * np.eye(3))


def test_features_of_an_arms_own_meet_the_diagonal_blocks_only():
    """Of an ellipsoid over features that arms share, one-hot x context: the same support."""
    rng, g, c = np.random.default_rng(3), 3, 2
    shared = certificate_of([random_psd(rng, g * c), random_psd(rng, g * c, 2)])
    own = of_blocks(shared, g)
    assert own.shape == (g, c)
    for arm in range(g):
        u = np.zeros((50, g, c))
        u[:, arm] = rng.normal(size=(50, c))
        whole = support(shared.budgets, u.reshape(50, 1, g * c))
        np.testing.assert_allclose(support(own.budgets, u), whole, rtol=1e-4)


def test_a_list_of_changes():
    names = ["a", "cap", "unchanged"]  # arms may have any name
    changed = {"cap": 0.5, "a": None}
    own = from_change_manifest(changed, names, dimension=2, cap=3.0)
    expected = np.array([9.0, 0.25, 1e-4])[:, None, None] * np.eye(2)
    np.testing.assert_allclose(own.budgets[0], expected, rtol=1e-6)
    joint = from_change_manifest({"cap": 7.0}, names, dimension=None, cap=3.0, unchanged=0.2)
    u = np.random.default_rng(0).normal(size=(50, 1, 3))
    expected = np.abs(u[:, 0]) @ [0.2, 3.0, 0.2]
    np.testing.assert_allclose(support(joint.budgets, u), expected, rtol=1e-5)


def test_a_claim_is_more_than_a_bound_on_norms():
    cap = 1.5
    for g in (1, 3):
        assert not claims_something(no_certificate(cap, g, 2), cap)
    assert claims_something(blocks([cap, cap, 0.9 * cap], 2), cap)
    assert claims_something(ellipsoid(np.diag([1.0, 0.0]), 0.1, cap), cap)
    assert not claims_something(ellipsoid(np.zeros((2, 2)), 0.1, cap), cap)


@pytest.mark.parametrize("arms", [None, 3])
def test_earlier_changes_cover_the_next_one(arms):
    """As often as they say, of n = d, d + 3 and 50 changes; all arms together."""
    rng, d, count = np.random.default_rng(4), 3, 4000
    half = rng.normal(size=(arms or 1, d, d))
    for n, level in ((3, 0.9), (6, 0.8), (50, 0.9)):
        drawn = np.einsum("gcd,rngd->rngc", half, rng.normal(size=(count, n + 1, arms or 1, d)))
        inside = np.empty(count, bool)
        second = np.einsum("rngc,rngd->rgcd", drawn[:, 1:], drawn[:, 1:])
        one = drawn[0, 1:] if arms else drawn[0, 1:, 0]
        with jax.enable_x64(True):
            Q = np.asarray(from_past_shifts(one, level).budgets)
        assert Q.shape == (1, arms or 1, d, d)
        c = Q[0, 0, 0, 0] / second[0, 0, 0, 0]  # the same factor whatever the changes are
        np.testing.assert_allclose(Q[0], c * second[0], rtol=1e-9)
        size = np.einsum(
            "rgc,rgc->rg", drawn[:, 0], np.linalg.solve(second, drawn[:, 0, ..., None])[..., 0]
        )
        inside = (size <= c).all(1)
        error = 4 * np.sqrt(level * (1 - level) / count)
        assert inside.mean() >= level - error
        if arms is None:
            assert inside.mean() <= level + error


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ellipsoid([[1.0, 2.0]], 1.0, 1.0), "square"),
        (lambda: ellipsoid([[1.0, 2.0], [0.0, 1.0]], 1.0, 1.0), "symmetric"),
        (lambda: ellipsoid(np.diag([1.0, -0.1]), 1.0, 1.0), "semidefinite"),
        (lambda: ellipsoid(np.diag([1.0, np.nan]), 1.0, 1.0), "finite"),
        (lambda: ellipsoid(np.eye(2), -1.0, 1.0), "`rho`"),
        (lambda: ellipsoid(np.eye(2), 1.0, np.inf), "`cap`"),
        (lambda: euclidean(np.nan, 2), "`rho`"),
        (lambda: subspace(np.ones((3, 2)), 1.0, 0.0), "independent"),
        (lambda: subspace(np.ones(3), 1.0, 0.0), "`basis`"),
        (lambda: subspace(np.eye(3)[:, :1], -1.0, 0.0), "`inside`"),
        (lambda: subspace(np.eye(3)[:, :1], 1.0, -1.0), "`outside`"),
        (lambda: blocks([], 2), "`budgets`"),
        (lambda: blocks([1.0, -2.0], 2), r"budgets\[1\]"),
        (lambda: no_certificate(-1.0, 2, 2), "`cap`"),
        (lambda: from_change_manifest({"b": 1.0}, ["a"], dimension=1, cap=1.0), "'b'.*of a"),
        (lambda: from_change_manifest({"a": -1.0}, ["a"], dimension=1, cap=1.0), "changes, a"),
        (lambda: from_past_shifts(np.ones(3)), "finite, .n, d. or"),
        (lambda: from_past_shifts(np.full((3, 2), np.nan)), "finite"),
        (lambda: from_past_shifts(np.eye(3)[:2]), "at least as many as features, 3, got 2"),
        (lambda: from_past_shifts(np.ones((5, 2))), "span"),
        (lambda: from_past_shifts(np.eye(2), 1.0), "`level`"),
        (lambda: certificate_of([np.eye(2), np.diag([1.0, -1.0])]), r"budgets\[1\]"),
        (lambda: of_blocks(euclidean(1.0, 5), 2), "2 times"),
        (lambda: of_blocks(no_certificate(1.0, 2, 2), 2), "2 times"),
    ],
)
def test_what_is_no_certificate_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
