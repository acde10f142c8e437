"""Rates and lengths of a small trace by hand, and of the real one row by row."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest

from lpo.allocate.instances.demand import estimate_demand, joined, with_demand
from lpo.allocate.instances.length_classes import Classes, class_names, quantile_classes
from lpo.errors import InputError

# Seconds, prompt, output: four windows of 10 s and a last request that ends the trace at 40 s.
ROWS = [(0, 10, 1), (1, 20, 1), (5, 100, 9), (12, 100, 1), (25, 12, 5), (33, 300, 3), (40, 10, 1)]


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.csv"
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens", *(",".join(map(str, r)) for r in ROWS)]
    path.write_text("\n".join(lines))
    return path


def test_mean_rates_and_lengths_by_hand(trace):
    demand = estimate_demand(trace, Classes(prompt_edges=(20,)))
    assert demand.query_types == ("in<=20", "in>20")
    np.testing.assert_allclose(demand.arrivals_per_hour, [4 * 90.0, 3 * 90.0])  # in 40 s
    np.testing.assert_allclose(demand.input_tokens, [52 / 4, 500 / 3])
    np.testing.assert_allclose(demand.output_tokens, [8 / 4, 13 / 3])
    np.testing.assert_array_equal(demand.requests, [4, 3])
    assert demand.hours == pytest.approx(40 / 3600)


def test_quantiles_are_of_whole_windows(trace):
    # requests of a window: [0, 10) three, then one each; the request at 40 s is in no whole window
    for quantile, count in ((0.0, 1), (0.5, 1), (1.0, 3)):
        demand = estimate_demand(trace, quantile=quantile, window_s=10)
        np.testing.assert_allclose(demand.arrivals_per_hour, [360.0 * count])
    with pytest.raises(InputError, match="shorter than one window of 50 s"):
        estimate_demand(trace, quantile=0.5, window_s=50)


def test_classes_cut_both_lengths(trace):
    classes = Classes((20, 100), (1,))
    assert class_names(classes) == (
        *("in<=20 out<=1", "in<=20 out>1", "in21-100 out<=1"),
        *("in21-100 out>1", "in>100 out<=1", "in>100 out>1"),
    )
    with pytest.raises(InputError, match="no request is in class 'in>100 out<=1'"):
        estimate_demand(trace, classes)
    assert class_names(Classes()) == ("all",)
    for edges in ((20, 20), (30, 20), (-1,), (np.nan,)):
        with pytest.raises(InputError, match="`prompt_edges` must be ascending"):
            class_names(Classes(edges))


def test_quantile_classes_hold_their_share(trace):
    # prompts in order: 10 10 12 20 100 100 300
    assert quantile_classes(trace, (0.5, 2 / 7), (0.9,)) == Classes((10.0, 20.0), (9.0,))
    with pytest.raises(InputError, match="two quantiles of `outputs` are one length"):
        quantile_classes(trace, outputs=(0.1, 0.2))
    with pytest.raises(InputError, match=r"must be in \(0, 1\), got 1.0"):
        quantile_classes(trace, (1.0,))


def test_the_real_trace_row_by_row(azure_root):
    path = azure_root / "azure_llm_2023_code.csv"
    classes = quantile_classes(path, (0.5,), (0.5,))
    demand = estimate_demand(path, classes, quantile=0.9, window_s=60, name="code")

    rows = pd.read_csv(path, parse_dates=["TIMESTAMP"]).to_dict("records")
    prompt = statistics.median_low(row["ContextTokens"] for row in rows)
    output = statistics.median_low(row["GeneratedTokens"] for row in rows)
    minutes = math.floor((rows[-1]["TIMESTAMP"] - rows[0]["TIMESTAMP"]).total_seconds() / 60)
    kinds = [(a, b) for a in (False, True) for b in (False, True)]
    for number, kind in enumerate(kinds):
        mine = [
            row
            for row in rows
            if (row["ContextTokens"] > prompt, row["GeneratedTokens"] > output) == kind
        ]
        counted = [0] * (minutes + 1)
        for row in mine:
            counted[int((row["TIMESTAMP"] - rows[0]["TIMESTAMP"]).total_seconds() // 60)] += 1
        rate = 60.0 * np.quantile(counted[:minutes], 0.9)
        assert demand.arrivals_per_hour[number] == pytest.approx(rate)
        mean = sum(row["GeneratedTokens"] for row in mine) / len(mine)
        assert demand.output_tokens[number] == pytest.approx(mean)
        assert demand.requests[number] == len(mine)
    assert demand.query_types[0] == f"code in<={prompt} out<={output}"


def test_services_are_joined_under_their_names(trace):
    one, two = (estimate_demand(trace, name=name) for name in ("conv", "code"))
    both = joined([one, two])
    assert both.query_types == ("conv", "code")
    np.testing.assert_array_equal(both.requests, [7, 7])
    with pytest.raises(InputError, match="'conv' appears more than once"):
        joined([one, one])
    with pytest.raises(InputError, match="no demand"):
        joined([])


def test_demand_replaces_by_name_or_by_order(trace, tiny):
    instance = tiny[0]
    demand = estimate_demand(trace, name="code")
    changed = with_demand(instance, demand)
    np.testing.assert_allclose(changed.data.arrivals_per_hour, [10.0, 630.0])
    np.testing.assert_allclose(changed.data.input_tokens, [60.0, 552 / 7])
    assert changed.query_types == instance.query_types
    kept = {"arrivals_per_hour", "input_tokens", "output_tokens"}
    for field, before, after in zip(
        instance.data._fields, instance.data, changed.data, strict=True
    ):
        assert (field in kept) or np.array_equal(before, after)

    split = estimate_demand(trace, Classes((20,)))
    ordered = with_demand(instance, split, by="order")
    assert ordered.query_types == split.query_types
    np.testing.assert_array_equal(ordered.data.arrivals_per_hour, split.arrivals_per_hour)
    with pytest.raises(InputError, match="has no query type 'in<=20'; there are chat, code"):
        with_demand(instance, split)
    with pytest.raises(InputError, match="The demand has 1 query types, the instance 2"):
        with_demand(instance, demand, by="order")


def test_a_trace_without_duration_is_refused(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n5,1,1\n5,1,1\n")
    with pytest.raises(InputError, match="one time, which gives no rate"):
        estimate_demand(path)
    with pytest.raises(InputError, match="`quantile` must be in"):
        estimate_demand(path, quantile=1.5)
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n5,1,1\n9000000000,1,1\n")
    with pytest.raises(InputError, match="more than 20,000,000 windows"):
        estimate_demand(path, window_s=1.0)
