"""Floors: folds without common bins, known optima of made series, and no leakage."""

import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest

from lpo import forecast, provision, workload
from lpo.study.floors import (
    BLOCKS,
    FEWEST,
    Candidate,
    Floor,
    Fold,
    Past,
    blocked_folds,
    cross_validate,
    floors,
    shifted_pasts,
    usual_candidates,
)

LAYOUT = workload.Layout(window=8, context=6, lead=2)
TASK = provision.newsvendor(1.0, 10.0)
LINEAR = usual_candidates(LAYOUT)["linear_normalised"]
NOISE = np.random.default_rng(0).random(400)


def multiple_of_the_mean(params, history, key=None):
    return params * history.mean(axis=-1, keepdims=True)


MULTIPLE = Candidate(
    forecast.Forecaster(
        lambda key: jax.random.uniform(key), multiple_of_the_mean, forecast.point_head()
    ),
    3e-2,
)


def cut(tokens):
    return workload.cut(tokens, LAYOUT, 1)


def folds_of(windows) -> list[Fold]:
    folds = blocked_folds(len(windows), LAYOUT.window)
    assert folds is not None
    return folds


def bins_of(rows):
    return {int(row) + offset for row in rows for offset in range(LAYOUT.window)}


@pytest.mark.parametrize("count", [180, 203])
def test_every_window_is_held_out_once_and_a_windows_length_lies_between_parts(count):
    folds = blocked_folds(count, LAYOUT.window)
    assert folds is not None
    np.testing.assert_array_equal(np.concatenate([f.held_out for f in folds]), np.arange(count))
    assert len(folds) == BLOCKS
    for fold in folds:
        assert min(len(part) for part in fold) >= FEWEST
        for part, other in itertools.combinations([bins_of(rows) for rows in fold], 2):
            assert min(abs(a - b) - 1 for a in part for b in other) >= LAYOUT.window


def test_windows_that_could_train_and_validate_are_not_wasted():
    """A row is left out of a fold only where it would come too near to another part."""
    for fold in folds_of(range(203)):
        parts = [bins_of(rows) for rows in fold]
        for row in set(range(203)) - {int(row) for rows in fold for row in rows}:
            near = [min(abs(a - b) - 1 for a in bins_of([row]) for b in part) for part in parts]
            assert min(near) < LAYOUT.window


class Fits(NamedTuple):
    sinusoid: Floor
    noise: Floor
    short: Floor | None


@pytest.fixture(scope="module")
def fits() -> Fits:
    """Two tones on a level, whose next bins are weighted means of the last, and plain noise."""
    t = np.arange(400)
    tones = 1e5 * (3 + np.sin(0.7 * t) + 0.8 * np.sin(1.9 * t + 1))
    sets = {"sinusoid": cut(tones), "short": cut(tones[:100]), "noise": cut(NOISE[:350])}
    candidates = {"linear": LINEAR, "multiple": MULTIPLE}
    fitted = floors(sets, LAYOUT, TASK, candidates, steps=200, batch=64)
    assert fitted["sinusoid"] is not None and fitted["noise"] is not None
    return Fits(fitted["sinusoid"], fitted["noise"], fitted["short"])


def test_floor_of_a_target_that_is_linear_in_the_history_is_zero(fits):
    assert fits.sinusoid.best == "linear"
    # idle tokens a decision; a multiple of the mean of the history costs 1e5 and more
    assert fits.sinusoid.costs["linear"] < 100 < 1e5 < fits.sinusoid.costs["multiple"]


def test_forecasts_are_in_the_order_of_the_windows_and_of_one_model_a_block(fits):
    windows = cut(NOISE[:350])
    history, target = workload.pairs(windows, LAYOUT)
    forecasts = fits.noise.predictions["multiple"]
    factors = forecasts / history.mean(axis=-1)
    for fold in folds_of(windows):
        assert np.ptp(factors[fold.held_out]) < 1e-5
    assert len(np.unique(factors.round(4))) == BLOCKS
    cost = np.mean(np.where(forecasts > target, forecasts - target, 10 * (target - forecasts)))
    assert fits.noise.costs["multiple"] == pytest.approx(cost, rel=1e-6)


def test_too_few_windows_have_no_floor(fits):
    assert fits.short is None
    # a block needs twice two windows' bins beside its FEWEST: 5 (2 * 8 + 20)
    assert blocked_folds(179, 8) is None and blocked_folds(180, 8) is not None
    assert floors({"short": cut(NOISE[:100])}, LAYOUT, TASK, {"linear": LINEAR}) == {"short": None}


def test_the_past_of_a_set_sets_its_floor_where_the_set_itself_is_too_short(fits):
    t = np.arange(500)
    tones = 1e5 * (3 + np.sin(0.7 * t) + 0.8 * np.sin(1.9 * t + 1))
    past = Past(cut(tones[:300]), cut(tones[300:400]))
    short = cut(tones[400:])
    options = {"steps": 200, "batch": 64}
    found = floors({"short": short}, LAYOUT, TASK, {"linear": LINEAR}, {"short": past}, **options)
    floor = found["short"]
    assert floor is not None and list(floor.costs) == ["linear_on_past"]
    assert floor.predictions["linear_on_past"].shape == (len(short), LAYOUT.pairs)
    assert floor.costs["linear_on_past"] < 100  # the next bin is a weighted mean of the last


def test_the_past_of_a_shift_is_shifted_alike_by_other_draws():
    protocol = workload.lead_time(bin_s=60.0, context=6, lead=2)
    problem = workload.build(workload.synthetic(seed=0, days=4), protocol, seed=3, suite="full")
    pasts = shifted_pasts(problem, seed=3)
    own = problem.own
    assert set(pasts) <= set(problem.tests) and len(pasts) == len(workload.SUITE) + 1
    for part in (0, 1):
        plain = (problem.train, problem.validation)[part]
        np.testing.assert_array_equal(pasts[own][part], plain)
        np.testing.assert_allclose(pasts[f"{own}_level_2"][part], 2 * plain, rtol=1e-6)
        noise = pasts[f"{own}_overdispersion_0.6"][part][:, 0] / plain[:, 0]
        assert np.std(np.log(noise)) == pytest.approx(0.6, rel=0.1)
    noisy = [*pasts[f"{own}_overdispersion_0.6"], problem.tests[f"{own}_overdispersion_0.6"]]
    plain = [*pasts[own], problem.tests[own]]
    noises = [np.log(a[:1000, 0] / b[:1000, 0]) for a, b in zip(noisy, plain, strict=True)]
    for one, other in itertools.combinations(noises, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(1000)


def test_a_set_has_the_same_forecasts_alone_and_beside_larger_sets(fits):
    windows = cut(NOISE[:350])
    alone = cross_validate(
        {"noise": windows},
        {"noise": folds_of(windows)},
        LAYOUT,
        TASK,
        MULTIPLE,
        steps=200,
        batch=64,
    )
    np.testing.assert_allclose(alone["noise"], fits.noise.predictions["multiple"], rtol=1e-5)


@pytest.fixture(scope="module")
def memory() -> dict[str, np.ndarray]:
    """Forecasts of uniform noise by a network that can remember it.

    `leaking`: the model of each fold has seen all windows. `changed`: the demand of the last bins,
    which is target but never history, is another.
    """
    windows = cut(NOISE)
    folds, rows = folds_of(windows), np.arange(len(windows))
    other = NOISE.copy()
    other[-LAYOUT.lead :] += 5.0
    net = forecast.mlp(
        workload.Scaler(0.5, 0.3), LAYOUT.context, forecast.point_head(), widths=(64,)
    )
    return cross_validate(
        {"noise": windows, "leaking": windows, "changed": cut(other)},
        {
            "noise": folds,
            "leaking": [Fold(fold.held_out, rows, rows) for fold in folds],
            "changed": folds,
        },
        LAYOUT,
        TASK,
        Candidate(net, 3e-2),
        steps=300,
        batch=64,
    )


def test_noise_costs_what_its_law_says_unless_the_model_has_seen_it(memory):
    """A forecast p made without the target has the mean cost of its law, p^2/2 + 5 (1 - p)^2.

    The best constant, 10/11, costs 5/11 (Koenker and Bassett 1978, the 10/11 quantile).
    """
    _, target = workload.pairs(cut(NOISE), LAYOUT)
    cost = {name: TASK.cost(memory[name], target) for name in ("noise", "leaking")}

    def surplus(name):
        p = memory[name]
        expected = np.where(p < 1, p**2 / 2 + 5 * np.maximum(1 - p, 0) ** 2, p - 0.5)
        excess = cost[name] - expected
        return float(excess.mean() / (excess.std() / np.sqrt(len(excess))))

    assert abs(surplus("noise")) < 3
    assert cost["noise"].mean() > 5 / 11 - 0.05
    assert surplus("leaking") < -5
    assert cost["leaking"].mean() < 5 / 11 - 0.05


def test_targets_that_are_held_out_do_not_change_their_own_forecasts(memory):
    last = folds_of(cut(NOISE))[-1].held_out
    np.testing.assert_array_equal(memory["changed"][last], memory["noise"][last])
    first = folds_of(cut(NOISE))[0].held_out  # whose model was trained on them
    assert not np.allclose(memory["changed"][first], memory["noise"][first])
