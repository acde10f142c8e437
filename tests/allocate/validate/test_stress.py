"""Drawn realisations against closed forms, and against published rates of violation."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lpo.allocate.options import Options, Profile, make_options
from lpo.allocate.uncertainty import Box, Uncertainty, budget
from lpo.allocate.validate.cost import cost, objective
from lpo.allocate.validate.deviations import CORRELATION, Distribution, draw
from lpo.allocate.validate.front import front, non_dominated
from lpo.allocate.validate.performance import performance
from lpo.allocate.validate.stress import Policy, prices_of_robustness, stress
from lpo.allocate.validate.stress_table import limits_table, stress_table
from lpo.errors import InputError

KEY = jax.random.key(7)
SAMPLES = 4000
NOISE = 4 * 0.5 / SAMPLES**0.5  # four standard errors of a share
PLAIN = Options()
REFERENCE = make_options(profile=Profile.REFERENCE)


def _limits(instance, delay, error):
    """The tiny instance with other delay and error limits."""
    data = instance.data._replace(
        delay_limit_ms=np.asarray(delay, float), error_limit=np.asarray(error, float)
    )
    return instance._replace(data=data)


def test_rates_of_one_and_two_routes_are_those_of_the_uniform_law(tiny):
    instance, plan = tiny
    # Nominal error of chat .058, at risk .01 and .0045; of code .04, at risk .01 on one route.
    # Its limits leave .4 of the risk of code, and half of each to chat.
    a, b, left = 0.5 * 0.02, 0.45 * 0.01, 0.5 * (0.5 * 0.02 + 0.45 * 0.01)
    tight = _limits(instance, [1e9, 1e9], [0.058 + left, 0.044])
    found = stress(
        tight,
        [Policy("plan", plan, PLAIN, budget(0, 0))],
        KEY,
        samples=SAMPLES,
        distributions=["uniform"],
        inflations=[1.0, 1.5],
        chunk=300,
    )
    rates = found.error_violated[0, 0]
    assert rates[:, 1] == pytest.approx([0.6, 1 - 0.4 / 1.5], abs=NOISE)

    # P(a xi + b xi' > t), the Irwin-Hall law of unequal widths, by inclusion and exclusion.
    def over(t, a, b):
        def part(v):
            return max(v, 0.0) ** 2

        return 1 - (part(t) - part(t - a) - part(t - b) + part(t - a - b)) / (2 * a * b)

    expected = [over(left, s * a, s * b) for s in (1.0, 1.5)]
    assert expected[0] == pytest.approx(0.5)
    assert rates[:, 0] == pytest.approx(expected, abs=NOISE)
    # The two types meet draws of their own; delay is out of reach.
    any_violated = 1 - (1 - np.array(expected)) * (1 - np.array([0.6, 1 - 0.4 / 1.5]))
    assert found.violated[0, 0] == pytest.approx(any_violated, abs=NOISE)
    assert not np.any(found.delay_violated)
    # E (error of code / limit - 1)_+ of a uniform law
    excess = 0.01 * (0.6**2 / 2) / 0.044
    assert found.error_excess[0, 0, 0, 1] == pytest.approx(excess, rel=0.05)


@pytest.mark.parametrize("dependent", [False, True])
def test_all_ones_is_the_box_with_inflation(tiny, dependent):
    instance, plan = tiny
    options = Options(decision_dependent=dependent)
    scales = (1.0, 1.25, 1.5)
    found = stress(
        instance,
        [
            Policy("ours", plan, options, budget(1, 1)),
            Policy("same", plan, REFERENCE, budget(1, 1)),
        ],
        KEY,
        samples=5,
        distributions=["worst"],
        inflations=scales,
        truth=options,
    )
    for f, scale in enumerate(scales):
        box = Uncertainty(Box(scale), Box(scale))
        parts = cost(instance, plan, options, box)
        dollars = parts.delay_nominal + parts.delay_robust
        assert found.delay_usd[0, 0, f] == pytest.approx(dollars, rel=1e-12)
        assert found.delay_usd_p95[0, 0, f] == pytest.approx(dollars, rel=1e-12)
        assert found.total_usd[0, 0, f] == pytest.approx(sum(parts), rel=1e-12)
        met = performance(instance, plan, options, box)
        errors = (met.error + met.error_added) / instance.data.error_limit
        assert found.error_excess[0, 0, f] == pytest.approx(np.maximum(errors - 1, 0), abs=1e-12)
        assert list(found.error_violated[0, 0, f]) == list(errors > 1)
    # A plan of a published profile is judged as ours is; only what it promised differs.
    assert found.total_usd[1] == pytest.approx(found.total_usd[0])
    assert found.in_sample_usd[1] != pytest.approx(found.in_sample_usd[0])


def test_published_rates_and_costs(rodiu_cases):
    cases = [
        c
        for c in rodiu_cases("default")
        if not (c.options.published or c.options.single_placement or c.options.decision_dependent)
    ]
    policies = [
        Policy(f"gamma {c.uncertainty.delay.gamma:g}", c.allocation, c.options, c.uncertainty)
        for c in cases
    ]
    found, beyond = (
        stress(cases[0].instance, policies, KEY, distributions=["uniform"], inflations=[inflation])
        for inflation in (1.0, 1.5)
    )
    assert found.in_sample_usd == pytest.approx([326.97, 349.86, 355.79, 356.89], abs=0.006)
    assert found.price[2] == pytest.approx(0.088, abs=5e-4)
    # One sample a published number too: its error and ours.
    noise = 4 * (2 * 0.25 / 5000) ** 0.5
    assert found.violated[:, 0, 0] == pytest.approx([1.0, 0.63, 0.02, 0.0], abs=noise)
    assert beyond.violated[:, 0, 0] == pytest.approx([1.0, 0.97, 0.85, 0.79], abs=noise)
    assert found.violated[0, 0, 0] == 1.0 and found.violated[3, 0, 0] == 0.0
    assert found.total_usd[:, 0, 0] == pytest.approx([330.25, 348.50, 353.02, 353.48], abs=0.05)

    plans = [(c.uncertainty.delay.gamma, c.allocation) for c in cases]
    points = front(cases[0].instance, plans[::-1], KEY)
    assert list(points.gamma) == [0.0, 1.0, 2.0, 50.0]
    assert list(points.violated) == list(found.violated[:, 0, 0])  # the same draws
    assert np.all(points.efficient_in_sample) and np.all(points.efficient_realised)
    assert np.all(points.violated_low <= points.violated)
    assert points.realised_usd == pytest.approx(found.total_usd[:, 0, 0])


def test_draws_depend_on_the_key_alone_not_on_the_company(tiny):
    instance, plan = tiny
    tight = _limits(instance, [60.0, 85.0], [0.063, 0.044])
    one = Policy("one", plan, PLAIN, budget(0, 0))
    others = []
    for tier in (0, 1):
        share = plan.share.copy()
        share[1, 0, tier, 0], share[1, 1, 1, 1] = 0.3, 0.7
        others.append(Policy("other", plan._replace(share=share), PLAIN, budget(0, 0)))
    settings = {"samples": 50, "distributions": ["uniform"], "inflations": [1.0], "chunk": 7}
    first = stress(tight, [one, others[0]], KEY, **settings)
    last = stress(tight, [others[1], one], KEY, **settings)
    assert first.violated[0] == last.violated[1]
    assert first.delay_usd_p95[0] == pytest.approx(last.delay_usd_p95[1], rel=1e-12)
    again = stress(tight, [one, others[0]], jax.random.key(8), **settings)
    assert again.delay_usd[0, 0, 0] != first.delay_usd[0, 0, 0]


def test_laws_of_the_deviations():
    places, tiers = jnp.arange(4), jnp.array([0, 0, 1, 1])
    for law in Distribution:
        xi = np.asarray(draw(KEY, law, places, tiers, 20000), float)
        assert xi.min() >= (-1.0 if law is Distribution.TWO_SIDED else 0.0) and xi.max() <= 1.0
        mean, variance = {
            Distribution.UNIFORM: (1 / 2, 1 / 12),
            Distribution.BETA: (2 / 7, 10 / (49 * 8)),
            Distribution.WORST: (1.0, 0.0),
            Distribution.CORRELATED: (1 / 2, 1 / 12),
            Distribution.TWO_SIDED: (0.0, 1 / 3),
        }[law]
        assert xi.mean(axis=0) == pytest.approx(np.full(4, mean), abs=0.015)
        assert xi.var(axis=0) == pytest.approx(np.full(4, variance), rel=0.05)
        if law is Distribution.WORST:
            continue
        # Correlation of uniforms under a Gaussian copula: 6/pi asin(c/2), Pearson (1907).
        within = 6 / np.pi * np.arcsin(CORRELATION / 2) if law is Distribution.CORRELATED else 0.0
        found = np.corrcoef(xi.T)
        assert [found[0, 1], found[2, 3]] == pytest.approx([within, within], abs=0.03)
        assert np.abs(found[:2, 2:]).max() < 0.03


def test_price_of_robustness_is_that_of_a_profile(tiny):
    instance, plan = tiny
    policies = [
        Policy("ours", plan, PLAIN, budget(0, 0)),
        Policy("published 0", plan, REFERENCE, budget(0, 0)),
        Policy("published 1", plan, REFERENCE, budget(1, 1)),
    ]
    values = [
        objective(cost(instance, p.allocation, p.options, p.uncertainty), p.options)
        for p in policies
    ]
    found, price = prices_of_robustness(instance, policies)
    assert found == pytest.approx(values)
    assert price == pytest.approx([0.0, 0.0, values[2] / values[1] - 1])


def test_tables_have_a_row_for_each_combination(tiny):
    instance, plan = tiny
    policies = [Policy(name, plan, PLAIN, budget(0, 0)) for name in ("a", "b")]
    found = stress(instance, policies, KEY, samples=5, distributions=["worst"])
    table, limits = stress_table(found), limits_table(found)
    assert len(table) == 2 * 1 * 3 and len(limits) == 2 * 1 * 3 * 2 * 2
    last = table.to_dict("records")[-1]
    assert (last["policy"], last["distribution"], last["inflation"]) == ("b", "worst", 1.5)
    assert last["total_usd"] == pytest.approx(last["fixed_usd"] + last["delay_usd"])
    assert isinstance(limits, pd.DataFrame) and not limits.isna().to_numpy().any()
    assert np.all(table["violated_low"] <= table["violated"])


def test_non_dominated_against_every_pair():
    rng = np.random.default_rng(2)
    cost_usd, violated = rng.uniform(size=(2, 40)).round(1)
    kept = non_dominated(cost_usd, violated, tolerance=0.0)
    points = list(zip(cost_usd, violated, strict=True))
    for b, point in enumerate(points):
        beaten = any(p[0] <= point[0] and p[1] <= point[1] and p != point for p in points)
        assert kept[b] == (not beaten and points.index(point) == b)
    # the same plan found twice: costs that differ in the last digit are equal
    assert list(non_dominated(np.array([100.00000001, 100.0]), np.zeros(2))) == [True, False]
    # and so are those that others connect: of a chain one is kept
    chain = np.array([1.0000016, 1.0000008, 1.0])
    assert list(non_dominated(chain, np.zeros(3))) == [True, False, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "samples"),
        ({"chunk": 0}, "chunk"),
        ({"distributions": ["gauss"]}, "Unknown distribution `gauss`"),
        ({"inflations": [-1.0]}, "inflations"),
        ({"inflations": []}, "needs a policy"),
    ],
)
def test_bad_settings_are_refused(tiny, change, message):
    instance, plan = tiny
    with pytest.raises(InputError, match=message):
        stress(instance, [Policy("plan", plan, PLAIN, budget(0, 0))], KEY, **change)
