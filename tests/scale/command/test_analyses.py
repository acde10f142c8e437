"""Experiments of `python -m lpo.scale`."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest


def table(folder, name) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_rules_of_aggregation_meet_their_closed_forms(scale):
    code, folder, out, err = scale(
        "+experiment=scale_rules",
        "model=qwen3-30b-a3b",
        "k_max=3",
        "analysis.values.correlation=[0.0]",
        "analysis.values.wrong_answers=[1.0]",
    )
    assert code == 0, err
    found = table(folder, "rules").set_index("rule")["at_most"]
    p = 0.88
    np.testing.assert_allclose(found["pass_at_k"], 1 - (1 - p) ** 3, rtol=1e-9)
    np.testing.assert_allclose(found["majority, 1 wrong"], p**3 + 3 * p**2 * (1 - p), rtol=1e-9)
    assert "passes_for_99_percent_of_gain" in table(folder, "rules") and "with k = 3" in out
    # a selector that errs is worth less than one that does not, more than one pass
    assert p < found["verifier"] < found["best_of_k"]


def test_the_choice_moves_with_the_numbers_and_slopes_are_closed_forms(scale):
    code, folder, out, err = scale(
        "+experiment=scale_sensitivity", "model=[gpt5-nano,gpt5-mini]", "k_max=40", "latency=mean"
    )
    assert code == 0, err
    each = table(folder, "elasticities").set_index(["model", "parameter"])
    # mean cost is linear in prices and lengths: 1024 x .05 of 1024 x .05 + 2048 x .4 dollars
    nano = each.loc["gpt5-nano"]
    share = 1024 * 0.05 / (1024 * 0.05 + 2048 * 0.4)
    np.testing.assert_allclose(nano.loc["input_price", "cost_elasticity"], share, rtol=1e-8)
    np.testing.assert_allclose(nano.loc["output", "cost_elasticity"], 1 - share, rtol=1e-8)
    moves = table(folder, "tornado")
    assert set(moves["side"]) == {"as given", "-10%", "+10%"}
    given = moves[moves["side"] == "as given"]
    assert (given.groupby("method")["k"].nunique() == 1).all()
    # a tighter floor on accuracy leaves fewer small k, a limit of time that binds moves the end
    own = moves[(moves["method"] == "accuracy_max") & (moves["parameter"] == "time_limit")]
    low, high = (own[own["side"] == side]["k"].iloc[0] for side in ("-10%", "+10%"))
    assert low <= high
    assert "k_low" in out
    # k of different models is not compared
    sides = moves.pivot(index=["parameter", "method"], columns="side", values="model")
    for one in moves.to_dict("records"):
        base, low, high = sides.loc[(one["parameter"], one["method"])][["as given", "-10%", "+10%"]]
        assert (one["model_low"], one["model_high"]) == (low, high)
        assert np.isnan(one["k_elasticity"]) or low == high == base
    changed = (sides.ne(sides["as given"], axis=0).any(axis=1)).xs("utopia", level="method").sum()
    assert (f"default: {changed} of " in out) == (changed > 0)
    assert set(table(folder, "score_laws")["law"]) == {"clipped_normal", "truncated_normal", "beta"}


def test_sensitivity_of_scores_that_no_beta_distribution_has(scale):
    code, folder, out, err = scale(
        "+experiment=scale_sensitivity",
        "model=[gpt5-nano,gpt5-mini]",
        "models.gpt5-mini.accuracy_sd=0.3",
        "k_max=40",
        "latency=mean",
    )
    assert code == 0, err
    assert "score_laws is left out: model gpt5-mini: accuracy 0.92 with accuracy_sd 0.3" in out
    assert not (folder / "tables" / "score_laws.csv").exists()


def test_mixes_of_models_are_at_least_as_good_as_one(scale):
    code, folder, _, err = scale(
        "+experiment=scale_mixed", "scenario=interactive", "model=[gpt5-mini,qwen3-max]", "k_max=20"
    )
    assert code == 0, err
    found = table(folder, "mixes").iloc[0]
    assert found["passes"] <= 20
    assert found["accuracy"] >= found["single_accuracy"] - 1e-12
    assert found["cost_usd"] <= 0.05 * (1 + 1e-9) and found["time_s"] <= 30 * (1 + 1e-9)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"


@pytest.mark.parametrize(
    ("experiment", "argument", "line"),
    [
        ("mixed", "aggregate.rule=verifier", "verifier given; allowed: best_of_k (in mixes)"),
        ("mixed", "latency=waves", "latency: waves given; allowed: mean (in mixes)"),
        ("mixed", "contention=0.5", "contention: given with latency=mean; allowed: with latency=c"),
        ("mixed", "grid=multiples_of_p", "grid: multiples_of_p given; allowed: all (in mixes)"),
        ("mixed", "most_parallel=4", "most_parallel: 4 given; allowed: null (in mixes)"),
        ("mixed", "+analysis.values.x=[1]", "analysis.values: x given; allowed: nothing"),
        ("rules", "aggregate.rule=majority", "allowed: best_of_k (in analysis rules)"),
        ("rules", "analysis.values.correlation=[1]", "[1.0] given; allowed: numbers in [0, 1)"),
        ("sensitivity", "method=monte_carlo", "allowed: exact (in analysis sensitivity)"),
    ],
)
def test_experiments_refuse_what_they_cannot_honour(scale, experiment, argument, line):
    code, _, _, err = scale(f"+experiment=scale_{experiment}", argument, "k_max=9")
    assert code == 2
    assert line in err and err.count("\n") == 1
