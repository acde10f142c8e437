"""Protocols: no leakage, composition of the test sets, and the published figures on real traces."""

import numpy as np
import pytest
from scipy import stats

from lpo.errors import InputError
from lpo.workload.azure import load_azure
from lpo.workload.cutting import evenly
from lpo.workload.protocols import build, from_trace, honest, lead_time, paper
from lpo.workload.published import own_extremes, published_sets
from lpo.workload.series import Series, Source, Workload
from lpo.workload.shifts import generator, perlin, thinning
from lpo.workload.suite import SUITE
from lpo.workload.synthetic import synthetic
from lpo.workload.windows import cut, fit_scaler, pairs

OURS = [lead_time(), lead_time(300.0, context=7, lead=6), honest()]


def series(name, tokens, bin_s=5.0, source=None):
    return Series(name, np.asarray(tokens, np.float64), bin_s, None, source)


def counted(name, bins, first=1):
    """Series whose demand is its own bin number, so that a window tells where it was cut."""
    return series(name, np.arange(first, first + bins))


@pytest.fixture(scope="module")
def made():
    return synthetic(seed=0, days=1.0)


@pytest.fixture(scope="module")
def azure(azure_root):
    return load_azure(azure_root)


def rows_as_bytes(windows):
    return {row.tobytes() for row in np.ascontiguousarray(windows)}


# --- parts and windows ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [honest(), lead_time(5.0), lead_time(5.0, context=7, lead=1)])
def test_windows_stay_in_their_part_and_parts_are_a_window_apart(protocol):
    problem = build(from_trace(counted("x", 2_000, first=0)), protocol, seed=0)
    train, validation, test = (
        np.unique(windows).astype(int)
        for windows in (problem.train, problem.validation, problem.tests[problem.own])
    )
    np.testing.assert_array_equal(train, np.arange(1_200))
    assert validation[0] - train[-1] == protocol.window + 1
    assert test[0] == 1_600 and validation[-1] < 1_600 - protocol.window
    assert test[-1] >= 2_000 - protocol.test_stride
    for windows in (problem.train, problem.validation, problem.tests[problem.own]):
        assert np.all(np.diff(windows, axis=1) == 1)


@pytest.mark.parametrize("protocol", OURS)
def test_every_target_is_scored_once(protocol, made):
    problem = build(made, protocol, seed=0)
    assert protocol.test_stride == problem.layout.pairs
    count = from_trace(counted("x", 2_000)._replace(bin_s=protocol.bin_s))
    problem = build(count, protocol, seed=0)
    _, target = pairs(problem.tests["x_test"], problem.layout)
    first = 1_601 + protocol.context + protocol.lead - 1
    np.testing.assert_array_equal(target.ravel(), np.arange(first, first + target.size))
    assert 2_000 - target.max() < protocol.test_stride


@pytest.mark.parametrize("protocol", OURS)
def test_scaler_and_training_ignore_what_comes_after_the_train_part(protocol, made):
    chat, code = made.series["chat"], made.series["code"]
    group = round(protocol.bin_s / chat.bin_s)
    train = chat.tokens[: int(0.6 * (len(chat.tokens) // group)) * group]
    later = 9 * chat.tokens[len(train) :] + 1e6
    altered = {
        "chat": chat._replace(tokens=np.concatenate([train, later])),
        "code": code._replace(tokens=code.tokens * 3),
    }
    before = build(made, protocol, seed=0)
    after = build(made._replace(series=made.series | altered), protocol, seed=0)
    assert before.scaler == after.scaler == fit_scaler(train.reshape(-1, group).sum(axis=1))
    np.testing.assert_array_equal(before.train, after.train)
    assert np.any(before.tests["chat_test"] != after.tests["chat_test"])


def test_series_are_summed_to_the_bins_of_the_protocol():
    workload = from_trace(series("x", np.random.default_rng(0).integers(1, 50, 24_005)))
    problem = build(workload, lead_time(), seed=0)
    minutes = workload.series["x"].tokens[:24_000].reshape(2_000, 12).sum(axis=1)
    np.testing.assert_array_equal(problem.train, cut(minutes[:1_200], problem.layout, 1))
    np.testing.assert_array_equal(problem.tests["x_test"], cut(minutes[1_600:], problem.layout, 1))
    assert problem.notes == ["bins at the end that fill no bin of 60 s: x 5 of 5 s"]


# --- test sets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", OURS)
def test_sets_of_a_workload(protocol, made):
    problem = build(made, protocol, seed=0)
    corrupted = [f"chat_test_{c}" for c in ("cutout_points", "cutout_block", "perlin", "gaussian")]
    assert problem.own == "chat_test"
    assert list(problem.tests) == [
        *["chat_test", "code", "agents", "chat_later"],
        *["code+chat", "agents+chat", "chat_later+chat"],
        *corrupted,
    ]
    for windows in problem.tests.values():
        assert windows.shape[1] == protocol.window
        assert windows.dtype == np.float32 and windows.min() >= 0


def test_mixture_takes_halves_of_evaluation_parts_and_never_train_data():
    workload = Workload(
        "two", "x", {"x": counted("x", 2_000), "y": counted("y", 1_000, first=10_001)}
    )
    problem = build(workload, lead_time(5.0, context=2, lead=1), seed=0)
    bins = np.unique(problem.tests["y+x"])
    np.testing.assert_array_equal(bins, np.r_[1_601:1_801, 10_001:10_501])
    seam = problem.tests["y+x"][499]
    np.testing.assert_array_equal(seam, [10_500, 1_601, 1_602])


def test_corruptions_act_on_the_own_test_part_by_seed_and_name(made):
    first, again, other = (build(made, honest(), seed=seed) for seed in (0, 0, 1))
    test = made.series["chat"].tokens[int(0.8 * 17_280) :]
    expected = perlin(test, generator(0, "chat_test_perlin"))
    np.testing.assert_array_equal(first.tests["chat_test_perlin"], cut(expected, first.layout, 21))
    for name in first.tests:
        np.testing.assert_array_equal(first.tests[name], again.tests[name])
        assert np.array_equal(first.tests[name], other.tests[name]) == ("chat_test_" not in name)


def test_a_trace_of_ones_own_is_tested_on_its_corruptions_only():
    problem = build(from_trace(counted("mine", 2_000)), honest(), seed=0)
    assert [name.removeprefix("mine_test") for name in problem.tests] == [
        *["", "_cutout_points", "_cutout_block", "_perlin", "_gaussian"]
    ]


def test_short_series_are_left_out_and_few_windows_are_noted():
    rng = np.random.default_rng(0)
    lengths = {"x": 12 * 1_000, "short": 12 * 39, "few": 12 * 60, "bin": 11}
    workload = Workload(
        "w", "x", {name: series(name, rng.uniform(1, 9, n)) for name, n in lengths.items()}
    )
    problem = build(workload, lead_time(), seed=0)
    assert "short" not in problem.tests and "bin" not in problem.tests
    assert problem.tests["few"].shape == (21, 40)
    assert problem.notes == [
        "left out, shorter than one bin of 60 s: bin",
        "left out, shorter than one window of 40 bins: short",
        "fewer than 100 windows, report but draw no conclusion: few 21, short+x 80, few+x 91",
    ]


def test_sources_are_those_of_the_files_read():
    source = Source("a.csv", "0" * 64, 3, 0)
    workload = Workload(
        "w", "x", {"x": counted("x", 2_000)._replace(source=source), "y": counted("y", 2_000)}
    )
    assert build(workload, honest(), seed=0).sources == [source]


# --- the shift suite -----------------------------------------------------------------------------

COARSE = lead_time(300.0, context=7, lead=6)  # of one day 172 bins train, 34 validate, 58 test


def of_the_suite(name):
    return [f"{name}_{shift}" for shift in SUITE]


def test_the_full_suite_adds_shifts_of_the_own_part_and_of_long_services(made):
    standard, full = (build(made, COARSE, seed=0, suite=suite) for suite in ("standard", "full"))
    added = of_the_suite("chat_test")
    added += [name for other in ("code", "agents", "chat_later") for name in of_the_suite(other)]
    assert set(full.tests) == set(standard.tests) | set(added)
    assert list(full.tests)[: len(standard.tests)] == list(standard.tests)
    for name, windows in standard.tests.items():
        np.testing.assert_array_equal(full.tests[name], windows)
    assert (full.own, full.scaler) == (standard.own, standard.scaler)
    for name in ("train", "validation"):
        np.testing.assert_array_equal(getattr(full, name), getattr(standard, name))
    code = made.series["code"].tokens.reshape(-1, 60).sum(axis=1)
    thinned = thinning(code, generator(0, "code_thinning"))
    np.testing.assert_array_equal(full.tests["code_thinning"], cut(thinned, full.layout, 1))
    assert list(standard.validation_shifts) == list(full.validation_shifts)


def test_a_service_must_hold_a_hundred_windows_and_two_regimes_to_be_shifted():
    rng = np.random.default_rng(0)
    lengths = {"x": 2_000, "long": 360, "hours": 359, "few": 111}
    workload = Workload(
        "w", "x", {name: series(name, rng.uniform(1, 9, n), 60.0) for name, n in lengths.items()}
    )
    tests = build(workload, lead_time(60.0, 7, 6), seed=0, suite="full").tests
    assert {"long_bursts", "x_test_bursts"} <= set(tests)
    assert not {"hours_bursts", "few_bursts"} & set(tests)
    hourly = Workload(
        "w", "x", {name: series(name, rng.uniform(1, 9, n), 3600.0) for name, n in lengths.items()}
    )
    tests = build(hourly, lead_time(3600.0, 7, 6), seed=0, suite="full").tests
    assert "hours_bursts" in tests and "few_bursts" not in tests  # 99 windows


def test_validation_shifts_are_the_suite_and_two_services_that_no_test_set_holds(made):
    mine = from_trace(made.series["chat"]._replace(name="mine"))
    problem = build(mine, COARSE, seed=0, suite="full")
    expected = [*of_the_suite("mine_validation"), "agents", "chat_later"]
    expected.remove("mine_validation_clock_3")  # 34 bins, a third of which is less than a window
    assert list(problem.validation_shifts) == expected
    assert not set(expected) & set(problem.tests)
    assert problem.notes[-1] == (
        "validation shifts left out, shorter than one window of 13 bins: mine_validation_clock_3"
    )
    validation = mine.series["mine"].tokens.reshape(-1, 60).sum(axis=1)[172 + 13 : 230 - 13]
    thinned = thinning(validation, generator(0, "mine_validation_thinning"))
    np.testing.assert_array_equal(
        problem.validation_shifts["mine_validation_thinning"], cut(thinned, problem.layout, 1)
    )
    for name, size in (("agents", 0.5), ("chat_later", 1.7)):
        windows = problem.validation_shifts[name]
        assert len(windows) == 2 * 288 - 12  # two days
        assert windows.mean() == pytest.approx(size * problem.scaler.mean, rel=0.05)
    # the built-in workload has both among its test sets
    assert not {"agents", "chat_later"} & set(
        build(made, COARSE, seed=0, suite="full").validation_shifts
    )


def test_nothing_to_choose_by_depends_on_a_test_set(made):
    chat, code = made.series["chat"], made.series["code"]
    kept = 230 * 60  # bins of 5 s before the test part
    altered = {
        "mine": chat._replace(tokens=np.r_[chat.tokens[:kept], 9 * chat.tokens[kept:] + 1e6]),
        "code": code._replace(tokens=3 * code.tokens[::-1]),
    }
    workload = Workload("w", "mine", {"mine": chat, "code": code})
    before, after = (
        build(each, COARSE, seed=0, suite="full")
        for each in (workload, workload._replace(series=altered))
    )
    assert before.scaler == after.scaler
    np.testing.assert_array_equal(before.train, after.train)
    np.testing.assert_array_equal(before.validation, after.validation)
    assert list(before.validation_shifts) == list(after.validation_shifts)
    for name, windows in before.validation_shifts.items():
        np.testing.assert_array_equal(windows, after.validation_shifts[name])
    for name, windows in before.tests.items():
        assert np.any(windows != after.tests[name]), name


def test_scored_windows_can_be_capped(made):
    mine = Workload("w", "chat", {name: made.series[name] for name in ("chat", "code")})
    every, capped = (
        build(mine, COARSE, seed=0, suite="full", max_windows=most) for most in (None, 40)
    )
    assert capped.notes[-2] == "scored on at most 40 windows of a set, evenly spaced"
    for sets, of_all in (
        (capped.tests, every.tests),
        (capped.validation_shifts, every.validation_shifts),
    ):
        for name, windows in sets.items():
            chosen = evenly(len(of_all[name]), 40)
            assert len(windows) == min(len(of_all[name]), 40)
            np.testing.assert_array_equal(windows, of_all[name][chosen])
    assert capped.clocks is not None and every.clocks is not None
    for name, clock in capped.clocks.tests.items():
        whole = every.clocks.tests[name]
        np.testing.assert_array_equal(clock, whole[evenly(len(whole), 40)])
    np.testing.assert_array_equal(capped.train, every.train)
    np.testing.assert_array_equal(capped.validation, every.validation)


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [None, 3])
def test_clocks_are_those_of_the_targets(horizon):
    """Demand that is its own second of day, so that a target tells what its clock must be."""
    seconds = 6 * 3600.0 + 300.0 * np.arange(2_000)
    mine = Series("x", seconds % 86_400, 300.0, "2024-06-01T06:00:00", None)
    other = mine._replace(name="y", start=None)
    later = Series("z", (seconds + 3600) % 86_400, 300.0, "2024-07-01T07:00:00", None)
    workload = Workload("w", "x", {"x": mine, "y": other, "z": later})
    problem = build(workload, lead_time(300.0, 7, 6, horizon), seed=0, suite="full")
    assert problem.clocks is not None
    assert list(problem.clocks.tests) == list(problem.tests)
    target = pairs(problem.train, problem.layout)[1]
    np.testing.assert_array_equal(problem.clocks.train, target)
    for name in ("x_test", "z"):
        target = pairs(problem.tests[name], problem.layout)[1]
        np.testing.assert_array_equal(problem.clocks.tests[name], target)
    assert np.isnan(problem.clocks.tests["y"]).all()
    clock, target = problem.clocks.tests["y+x"], pairs(problem.tests["y+x"], problem.layout)[1]
    known = ~np.isnan(clock)
    assert 0 < known.sum() < known.size
    np.testing.assert_array_equal(clock[known], target[known])
    # a shifted service still lives on the same clock, also where its cycles run faster
    for shift in ("x_test_bursts", "x_test_clock_3"):
        found = problem.clocks.tests[shift]
        np.testing.assert_array_equal(found, problem.clocks.tests["x_test"][: len(found)])


# --- refusals ------------------------------------------------------------------------------------


def test_the_full_suite_and_caps_are_refused_where_they_have_no_meaning(made):
    with pytest.raises(InputError, match=r"`suite` full is for the protocol lead_time, got honest"):
        build(made, honest(), seed=0, suite="full")
    with pytest.raises(InputError, match="`max_windows` must be at least 1"):
        build(made, honest(), seed=0, max_windows=0)


def test_too_short_a_series_says_how_many_bins_are_needed():
    with pytest.raises(InputError, match=r"199 bins.*need 418 bins"):
        build(from_trace(counted("x", 199)), honest(), seed=0)


def test_bins_cannot_be_cut():
    with pytest.raises(InputError, match="multiple"):
        build(from_trace(counted("x", 5_000)._replace(bin_s=60.0)), honest(), seed=0)


def test_the_trained_series_must_be_there():
    with pytest.raises(InputError, match="`z`, which is not one of its series: x"):
        build(Workload("w", "z", {"x": counted("x", 2_000)}), honest(), seed=0)


@pytest.mark.parametrize("wrong", [{"lead": 0}, {"context": 0}, {"bin_s": 0.0}])
def test_lead_time_needs_positive_lengths(wrong):
    with pytest.raises(InputError, match="at least 1"):
        lead_time(**wrong)


def test_paper_is_refused_without_its_series(made):
    with pytest.raises(InputError, match=r"conv_2023.*use `honest` or `lead_time`"):
        build(made, paper(), seed=0)


# --- real traces: leakage ------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", OURS)
def test_no_training_window_is_repeated_in_a_test_set(protocol, azure):
    problem = build(azure, protocol, seed=0)
    seen = rows_as_bytes(problem.train)
    assert not seen & rows_as_bytes(problem.validation)
    for windows in problem.tests.values():
        assert not seen & rows_as_bytes(windows)


def test_every_test_pair_of_the_published_set_up_is_a_training_pair(azure):
    problem = build(azure, paper(), seed=0)

    def all_pairs(windows):
        history, target = pairs(windows, problem.layout)
        return np.concatenate([history, target[..., None]], axis=-1).reshape(-1, 8)

    own = all_pairs(problem.tests["23V_test"])
    assert len(own) == 4_746
    assert rows_as_bytes(own) <= rows_as_bytes(all_pairs(problem.train))
    assert "for comparison" in str(problem.protocol.warning)


# --- real traces: published figures --------------------------------------------------------------


def test_sets_of_the_published_set_up(azure):
    problem = build(azure, paper(), seed=0)
    rows = {name: len(windows) for name, windows in problem.tests.items()}
    # 24V and 24D are half of the printed 4320 and 4319: the files hold half a week.
    assert (len(problem.train), len(problem.validation)) == (525, 0)
    assert rows == {
        "23V_test": 226, "24V": 2_160, "23D": 798, "24D": 2_159,
        "23D24D": 2_559, "23D24V": 2_559, "24D24V": 4_319,
    }  # fmt: skip
    for windows in problem.tests.values():
        assert windows.min() >= 373.9 and windows.max() <= 106_957.1
    assert "24V and 24D hold half a week, the printed figures are of a whole one" in problem.notes


@pytest.mark.parametrize(
    ("name", "printed"),
    [("23D", 0.1459), ("23D24D", 0.1565), ("23D24V", 0.1357), ("24D24V", 0.0687)],
)
def test_distance_to_the_training_rows_is_the_printed_one(azure, name, printed):
    sets, _ = published_sets({name: part.tokens for name, part in azure.series.items()})
    train = build(azure, paper(), seed=0).train.ravel()
    distance = stats.wasserstein_distance(own_extremes(train), own_extremes(sets[name]))
    assert distance == pytest.approx(printed, abs=1.5e-4)


def newsvendor_cost_per_token(capacity, demand):
    over, under = np.maximum(capacity - demand, 0), np.maximum(demand - capacity, 0)
    return np.sum(over + 10 * under, dtype=np.float64) / np.sum(demand, dtype=np.float64)


RULES = {"mean7": lambda h: h[..., -7:].mean(axis=-1), "max7": lambda h: h[..., -7:].max(axis=-1)}


@pytest.mark.parametrize(
    ("protocol", "rule", "multiplier", "own", "code"),
    [
        (lead_time(60.0, 30, 10), "mean7", 1.11, 0.155, 0.413),
        (lead_time(60.0, 30, 10), "max7", 1.03, 0.149, 0.352),
        (lead_time(60.0, 30, 1), "mean7", 1.09, 0.118, 0.322),
        (lead_time(60.0, 30, 1), "max7", 1.01, 0.117, 0.273),
        (lead_time(300.0, 7, 6), "max7", 1.07, 0.191, 0.408),
        (lead_time(300.0, 7, 12), "max7", 1.13, 0.267, 0.645),
    ],
)
def test_tuned_rules_cost_what_was_measured(azure, protocol, rule, multiplier, own, code):
    problem = build(azure, protocol, seed=0)

    def cost(factor, windows):
        history, target = pairs(windows, problem.layout)
        return newsvendor_cost_per_token(factor * RULES[rule](history), target)

    grid = np.arange(80, 250) / 100
    best = grid[np.argmin([cost(factor, problem.train) for factor in grid])]
    assert best == pytest.approx(multiplier, abs=0.0101)
    assert cost(multiplier, problem.tests["conv_2024_test"]) == pytest.approx(own, abs=6e-4)
    assert cost(multiplier, problem.tests["code_2024"]) == pytest.approx(code, abs=6e-4)


def normalised_regret(forecast, demand):
    """Pooled normalised regret of the utility task, preset `code`, with its closed-form optimum."""
    p, q, k, a = 0.42, 0.15, 0.7 / (1.5 * np.log(21)), 20.0
    rho = k / p - 1 / a
    demand, forecast = (np.maximum((x - 200) / 399_800, 0) for x in (demand, forecast))

    def total(capacity):
        served, idle = np.minimum(capacity, demand), np.maximum(capacity - demand, 0)
        ratio = np.minimum(capacity / (demand + 1e-8), 1)
        return np.sum(p * served + q * idle - k * demand * np.log(a * ratio + 1))

    paid, least = (total(np.clip(rho * x, 0, 1)) for x in (forecast, demand))
    return (paid - least) / -least


@pytest.mark.parametrize(
    ("name", "mean7", "last"),
    [
        ("conv_2024_test", 0.0045, 0.0054),
        ("code_2024", 0.0191, 0.0228),
        ("conv_2023", 0.0293, 0.0493),
        ("code_2023", 0.489, 0.360),
    ],
)
def test_regret_one_bin_ahead_is_what_was_measured(azure, name, mean7, last):
    problem = build(azure, honest(), seed=0)
    history, target = pairs(problem.tests[name].astype(np.float64), problem.layout)
    # Two digits: the figures count every origin, windows leave up to 20 at the end of a series.
    assert normalised_regret(history.mean(axis=-1), target) == pytest.approx(mean7, rel=0.01)
    assert normalised_regret(history[..., -1], target) == pytest.approx(last, rel=0.011)


def test_azure_sets_under_the_default_protocol(azure):
    problem = build(azure, lead_time(), seed=0)
    counts = {name: len(windows) for name, windows in problem.tests.items()}
    assert counts["conv_2024_test"] == 969 and counts["code_2024"] == 5_000
    assert (counts["conv_2023"], counts["code_2023"]) == (19, 18)
    assert {"code_2023+code_2024", "code_2023+conv_2024", "code_2024+conv_2024"} <= set(counts)
    assert len(problem.train) == 2_985
    assert any("draw no conclusion: conv_2023 19, code_2023 18" in note for note in problem.notes)


def test_the_full_suite_of_the_azure_traces(azure):
    problem = build(azure, lead_time(), seed=0, suite="full")
    shifted = [*of_the_suite("conv_2024_test"), *of_the_suite("code_2024")]
    standard = build(azure, lead_time(), seed=0).tests
    assert set(problem.tests) == set(standard) | set(shifted)  # one hour of 2023 shifts nothing
    assert list(problem.validation_shifts) == [
        *of_the_suite("conv_2024_validation"),
        "agents",
        "chat_later",
    ]
    assert len(problem.tests["conv_2024_test_clock_3"]) == 297
    assert len(problem.tests["code_2024_clock_3"]) == 1_641


def test_with_a_horizon_every_slot_is_scored_once():
    protocol = lead_time(5.0, context=8, lead=3, horizon=6)
    problem = build(from_trace(counted("x", 2_000)), protocol, seed=0)
    assert (protocol.window, protocol.test_stride, problem.layout.pairs) == (8 + 3 + 5, 6, 1)
    _, target = pairs(problem.tests["x_test"], problem.layout)
    first = 1_601 + 8 + 3 - 1
    np.testing.assert_array_equal(target.ravel(), np.arange(first, first + target.size))


def test_a_horizon_below_one_is_refused():
    with pytest.raises(InputError, match="horizon"):
        lead_time(60.0, horizon=0)
