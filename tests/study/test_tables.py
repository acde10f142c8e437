"""Tables of forecasts whose every number is known by arithmetic.

A forecast of f times the demand costs f - 1 a demanded token for f > 1 and 10 (1 - f) below.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo import provision, workload
from lpo.study.pictures import shown, summary_pictures
from lpo.study.tables import Scored, score_setting, set_table, summary_table

TASK = provision.newsvendor(1.0, 10.0)
LAYOUT = workload.Layout(window=8, context=7, lead=1)
T95 = 12.706204736  # Student's t of one degree of freedom at 0.975

COUNTS = {"own": 100, "a": 100, "b": 120, "few": 99}


def problem_with(counts: dict[str, int]) -> workload.Problem:
    rng = np.random.default_rng(0)
    tests = {name: rng.integers(1, 9, (n, 8)).astype(np.float32) for name, n in counts.items()}
    return workload.Problem(
        protocol=workload.lead_time(60.0, 7, 1),
        layout=LAYOUT,
        scaler=workload.Scaler(4.0, 1.0),
        train=tests["own"],
        validation=tests["own"],
        tests=tests,
        own="own",
        sources=[],
        notes=[],
        validation_shifts={"shift": tests["a"]},
        clocks=None,
    )


PROBLEM = problem_with(COUNTS)


def times(**factors: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Forecasts by set, a factor a seed."""
    sets = PROBLEM.tests | {
        "validation": PROBLEM.validation,
        "validation:shift": PROBLEM.tests["a"],
    }
    found = {}
    for name, each in factors.items():
        _, target = workload.pairs(sets[name].astype(np.float64), LAYOUT)
        found[name] = np.stack([factor * target for factor in each])
    return found


@pytest.fixture(scope="module")
def scored() -> Scored:
    validation = {"validation": (1.2, 1.2), "validation:shift": (1.4, 1.6)}
    forecasts = {
        ("rule", "mean7_tuned"): times(own=(1.3,), a=(1.5,), b=(1.5,), few=(1.5,)),
        ("mlp", "dfl"): times(own=(1.1, 1.3), a=(1.4, 1.6), b=(1.5, 1.55), few=(9.0, 9.0)),
        ("mlp", "dfl_matched"): times(own=(1.1, 1.3), a=(1.3, 1.5), b=(1.5, 1.5), few=(9.0, 9.0)),
        ("mlp", "kl_dro"): times(
            own=(0.99, 1.3), a=(1.2, 1.8), b=(1.9, 1.3), few=(1.0, 1.0), **validation
        ),
    }
    floors = times(own=(1.1,), a=(1.1,), b=(1.5,))
    return score_setting("near", PROBLEM, TASK, forecasts, floors)


def row_of(table: pd.DataFrame, **keys: str) -> dict[Any, Any]:
    (row,) = [row for row in table.to_dict("records") if keys.items() <= row.items()]
    return row


def expect(row: dict[Any, Any], **values: float) -> None:
    for name, value in values.items():
        assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_a_cell_on_a_set(scored):
    table = set_table(scored)
    assert len(table) == 4 * len(COUNTS) + 2 + 3  # validation sets of one, floors of three
    row = row_of(table, architecture="mlp", method="kl_dro", test_set="a")
    expect(row, windows=100, mean=0.5, seed_low=0.5 - 0.3 * T95, seed_high=0.5 + 0.3 * T95)
    expect(row, window_low=0.5, window_high=0.5)  # every window costs the same share
    # seed by seed -0.1 and +0.3
    expect(row, minus_matched=0.1, minus_matched_low=0.1 - 0.2 * T95, minus_mean7=0.0)
    expect(row, minus_matched_window_low=0.1, minus_matched_window_high=0.1)
    # DFL .5, floor .1; seeds close (.4 - .2) / .4 and (.6 - .8) / .4
    expect(row, floor=0.1, gap=4.0, closed=0.0, closed_high=0.5 * T95)
    expect(row_of(table, architecture="floor", test_set="a"), mean=0.1)
    assert "minus_linear" not in table, "there is no linear normalised map here"


def test_a_forecast_below_the_demand_costs_ten_times(scored):
    row = row_of(set_table(scored), architecture="mlp", method="kl_dro", test_set="own")
    expect(row, mean=(0.1 + 0.3) / 2)


def test_a_gap_below_eight_per_cent_is_none(scored):
    row = row_of(set_table(scored), architecture="mlp", method="kl_dro", test_set="b")
    expect(row, floor=0.5, gap=0.05, closed=np.nan)


def test_a_rule_has_one_seed(scored):
    row = row_of(set_table(scored), architecture="rule", method="mean7_tuned", test_set="a")
    expect(row, mean=0.5, seed_low=np.nan, floor=0.1, gap=np.nan, minus_matched=np.nan)


def test_the_summary(scored):
    table = summary_table(scored)
    row = row_of(table, architecture="mlp", method="kl_dro")
    # `few` does not count; averages of a and b: (.2 + .9) / 2 and (.8 + .3) / 2
    expect(row, own=0.2, average=0.55, average_low=0.55, worst=(0.9 + 0.8) / 2)
    expect(row, validation=0.2, validation_average=(0.2 + 0.5) / 2, validation_worst=0.5)
    # DFL-matched: averages .4 and .5, worst .5 and .5
    expect(row, own_minus_matched=0.0, average_minus_matched=0.1, worst_minus_matched=0.35)
    expect(row, average_minus_matched_high=0.1 + 0.05 * T95, average_minus_mean7=0.05)
    # on `a` alone is there a gap: DFL .5, floor .1, and the method .5
    expect(row, gaps=1, closed_mean=0.0, closed_least=0.0)
    matched = row_of(table, architecture="mlp", method="dfl_matched")
    expect(matched, closed_mean=0.25, average_minus_matched=0.0, average_minus_matched_low=0.0)


def test_the_floor_is_a_row_of_its_own(scored):
    row = row_of(summary_table(scored), architecture="floor")
    expect(row, own=0.1, average=0.3, floored_average=0.3, worst=0.5, validation=np.nan)


def test_where_some_set_has_no_floor_the_others_are_compared(scored):
    some = {name: values for name, values in scored.floors.items() if name != "b"}
    table = summary_table(scored._replace(floors=some))
    row = row_of(table, architecture="floor")
    expect(row, own=0.1, average=np.nan, floored_average=0.1, floored_worst=0.1)
    row = row_of(table, architecture="mlp", method="kl_dro")
    expect(row, average=0.55, floored_average=0.5, floored_worst=0.5)
    without = summary_table(scored._replace(floors={}))
    assert "floor" not in set(without["architecture"]) and "floored_average" not in without


def test_the_published_score_stands_beside_a_normalised_one():
    """0 for the oracle, 1 for no capacity at all; a setting without validation part or shifts."""
    task = provision.utility(provision.CODE, 5.0)
    windows = 1e4 * PROBLEM.tests["own"]
    _, target = workload.pairs(windows.astype(np.float64), LAYOUT)
    problem = PROBLEM._replace(tests={"own": windows}, validation=windows[:0], validation_shifts={})
    forecasts = {
        ("rule", "oracle"): {"own": target[None]},
        ("mlp", "dfl"): {"own": np.stack([target, np.zeros_like(target)])},
    }
    table = set_table(score_setting("paper", problem, task, forecasts, {}))
    assert list(table["nr_code"]) == pytest.approx([0.0, 0.5])
    summary = summary_table(score_setting("paper", problem, task, forecasts, {}))
    assert "own" in summary and not {"average", "validation", "validation_average"} & set(summary)
    assert summary_pictures(summary, "score") == {}


def test_pictures_show_methods_before_rules_and_the_floor(scored):
    summary = summary_table(scored)
    rows = shown(summary, "average")
    assert list(rows["method"]) == ["dfl_matched", "dfl", "kl_dro", "mean7_tuned"]
    picture = summary_pictures(summary, "cost")["average"]
    (panel,) = picture.static.axes
    assert [label.get_text() for label in panel.get_yticklabels()] == list(rows["method"])
    assert [text.get_text() for text in panel.texts] == ["floor"]
    (line,) = [each for each in panel.lines if each.get_linestyle() == "--"]
    assert np.asarray(line.get_xdata()) == pytest.approx(0.3)
    assert len(picture.interactive().data) == 2
    # a rule that costs more than every method
    dear = summary.assign(
        floored_average=summary["floored_average"].where(summary["architecture"] != "rule", 9.0)
    )
    (panel,) = summary_pictures(dear, "cost")["average"].static.axes
    assert "mean7_tuned" not in [label.get_text() for label in panel.get_yticklabels()]
