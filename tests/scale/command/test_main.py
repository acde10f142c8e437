"""`python -m lpo.scale`: what it writes, how it ends, what it refuses."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

COLUMNS = "model scenario method k parallel cost_usd time_s accuracy feasible score".split()
METHODS = ["accuracy_max", "max_cube", "utopia", "knee_curvature", "knee_chord"]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def table(folder, name) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def curves_of(folder) -> Any:
    return pd.read_parquet(folder / "tables" / "curves.parquet")


def test_every_model_and_method_has_a_row_and_curves_are_exact(scale):
    code, folder, out, err = scale()
    assert code == 0, err
    chosen = table(folder, "selections")
    assert list(chosen.columns[:10]) == COLUMNS
    assert len(chosen) == 9 * 5 and set(chosen["method"]) == set(METHODS)
    assert chosen["feasible"].all()
    curves = curves_of(folder)
    assert len(curves) == 9 * 200
    gpt5 = curves[curves["model"] == "gpt5"]
    np.testing.assert_allclose(gpt5["cost_usd"], 0.02176 * gpt5["k"], rtol=1e-12)
    np.testing.assert_allclose(gpt5["time_s"].iloc[0], 10.752, rtol=1e-12)
    # a choice is the row of its k, keeps the limits, and the most accurate is the last that does
    both = chosen.merge(curves, on=["scenario", "model", "parallel", "k"], suffixes=("", "_curve"))
    for name in ("cost_usd", "time_s", "accuracy"):
        np.testing.assert_allclose(both[name], both[f"{name}_curve"], rtol=1e-9)
    assert (both["cost_usd"] <= 0.5).all() and (both["time_s"] <= 60).all()
    kept = curves[(curves["cost_usd"] <= 0.5) & (curves["time_s"] <= 60)]
    most = kept[kept["accuracy"] >= 0.9].groupby("model")["accuracy"].max()
    best = chosen[chosen["method"] == "accuracy_max"].set_index("model")["accuracy"]
    np.testing.assert_allclose(best, most[best.index], rtol=1e-9)
    found = summary(folder)
    assert found["status"] == "finished" and "closest to utopia" in found["result"]
    assert 0.0 < found["metrics"]["hypervolume/default"] < 0.1
    assert (folder / "report.html").exists() and "report:" in out


def test_reference_setting_gives_the_exact_choices_of_the_published_code(scale):
    """Its laws with exact means: k = 20 and 92 at the accuracy maximum of GPT-5 and Nemotron Nano
    (its own draws give 16 and 52), and the left end of the grid by cube and by distance."""
    code, folder, _, err = scale("+experiment=paper_reference")
    assert code == 0, err
    chosen = table(folder, "selections").pivot(index="model", columns="method", values="k")
    assert (chosen[["max_cube", "utopia"]] == 4).all(axis=None)
    names = table(folder, "selections")["model"].drop_duplicates()
    found = {method: chosen.loc[names, method].tolist() for method in METHODS}
    assert found["accuracy_max"] == [20, 52, 108, 8, 24, 92, 12, 24, 52]
    # the ultra has two feasible k and no knee, qwen3-max one between the ends of its front
    assert found["knee_curvature"] == [8, 8, 8, -1, 8, 8, 8, 8, 8]
    assert found["knee_chord"] == [8, 16, 28, -1, 12, 20, 8, 12, 16]


def test_cases_without_a_feasible_k_are_rows_and_no_failures(scale):
    code, folder, out, err = scale(
        "scenario=all", "model=[gpt5,gpt5-nano]", "scenario.interactive.accuracy=0.999", "k_max=40"
    )
    assert code == 0, err
    chosen = table(folder, "selections")
    assert len(chosen) == 2 * 3 * 5
    lost = chosen[chosen["scenario"] == "interactive"]
    assert (lost["k"] == -1).all() and not lost["feasible"].any()
    assert lost["note"].str.contains("misses accuracy by").all()
    assert "interactive: nothing keeps the limits with gpt5" in out
    assert summary(folder)["metrics"]["interactive/utopia/k"] is None


def test_simulation_with_resamples_agrees_with_the_exact_means(scale):
    code, folder, _, err = scale(
        "method=monte_carlo",
        "trials=256",
        "bootstrap=20",
        "k_max=16",
        "model=[gpt5-nano,qwen3-max]",
    )
    assert code == 0, err
    curves = curves_of(folder)
    cost = np.repeat([0.0008704, 0.0058368], 16) * curves["k"]
    assert (np.abs(curves["cost_usd"] - cost) < 4.5 * curves["cost_usd_sem"]).all()
    assert (curves["cost_usd_low"] < cost).all() and (cost < curves["cost_usd_high"]).all()
    resampled = table(folder, "bootstrap")
    assert len(resampled) == 2 * 5
    # the dearest k that is fast enough does not hang on which queries were drawn
    most = resampled[resampled["method"] == "accuracy_max"]
    assert (most["modal_k"] == most["k"]).all() and (most["frequency"] > 0.5).all()


def test_limits_by_chance_are_harder_than_in_the_mean(scale):
    """At k = 1 the score of a pass is above its mean half the time."""
    options = ["trials=1000", "k_max=4", "model=gpt5-nano", "scenario.default.accuracy=0.91"]
    code, folder, _, err = scale(*options, "feasibility=chance", "epsilon=0.4")
    assert code == 0, err
    curves = curves_of(folder)
    assert abs(curves["chance"].iloc[0] - 0.5) < 4.5 * 0.5 / np.sqrt(1000)
    assert not curves["feasible"].iloc[0]
    assert abs(curves["chance"].iloc[3] - (1 - 0.5**4)) < 4.5 * 0.25 / np.sqrt(1000)


def test_own_models_and_lengths_come_from_files(scale, tmp_path):
    record = {
        "accuracy": 0.8,
        "accuracy_sd": 0.1,
        "prompt": 100,
        "prompt_sd": 0,
        "output": 200,
        "output_sd": 0,
        "input_price": 10,
        "output_price": 20,
        "input_us": 1000,
        "output_us": 2000,
    }
    models, lengths = tmp_path / "mine.csv", tmp_path / "lengths.csv"
    pd.DataFrame([{"name": "mine", **record}]).to_csv(models, index=False)
    pd.DataFrame({"prompt": [10, 30], "output": [5, 15], "weight": [1, 3]}).to_csv(
        lengths, index=False
    )
    given = [f"models_file={models}", "k_max=3", "latency=mean", "parallel=[1]"]
    code, folder, _, err = scale(*given, folder="own")
    assert code == 0, err
    curves = curves_of(folder)
    np.testing.assert_allclose(curves["cost_usd"], 0.005 * curves["k"], rtol=1e-12)
    np.testing.assert_allclose(curves["time_s"], 0.5 * curves["k"], rtol=1e-12)
    code, folder, _, err = scale(*given, f"lengths.pairs={lengths}", folder="pairs")
    assert code == 0, err
    curves = curves_of(folder)
    # means 25 and 12.5 tokens
    np.testing.assert_allclose(curves["cost_usd"], 0.0005 * curves["k"], rtol=1e-12)
    np.testing.assert_allclose(curves["time_s"], 0.05 * curves["k"], rtol=1e-12)


def test_a_price_of_slots_bounds_them(scale):
    code, folder, _, err = scale("parallel=[1,4,16]", "slot_price=0.002", "k_max=32")
    assert code == 0, err
    free = scale("parallel=[1,4,16]", "k_max=32", folder="free")[1]
    assert (table(free, "joint")["parallel"] == 16).all()
    assert (table(folder, "joint")["parallel"] < 16).any()


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("model=gpt6", "`model` must be one of gpt5, gpt5-mini"),
        ("k_max=0", "k_max: 0 given; allowed: from 1 to 4096"),
        ("parallel=[0]", "parallel: [0] given; allowed: whole numbers from 1 to 4096"),
        ("scenario=weekend", "scenario: 'weekend' given; allowed: all, batch, default, inter"),
        ("scenario.default.accuracy=1.5", "scenario.default.accuracy: 1.5 given; allowed: in [0"),
        ("latency=instant", "latency: 'instant' given; allowed: mean, waves, work_conserving"),
        ("aggregate.correlation=1", "`correlation` must be in [0, 1), got 1.0"),
        ("models_file=nowhere.csv", "models_file: nowhere.csv given, no such file; allowed"),
        ("epsilon=0", "epsilon: 0.0 given; allowed: in (0, 1)"),
        ("model=5", "model: 5 given; allowed: all, or names, each once"),
        ("aggregate.rule=majority k_max=2000".split(), "k_max: 2000 given; allowed: up to 1000"),
        ("feasibility=chance slot_price=1".split(), "slot_price: 1.0 given; allowed: 0 (with"),
        ("most_parallel=2", "most_parallel: 2 given; allowed: null or >= 4"),
    ],
)
def test_bad_input_is_one_line(scale, argument, line):
    code, _, out, err = scale(*([argument] if isinstance(argument, str) else argument))
    assert (code, out) == (2, "")
    assert line in err and err.count("\n") == 1


def test_work_conserving_times_are_simulated_and_the_rest_is_exact(scale):
    code, folder, out, err = scale("latency=work_conserving", "k_max=8", "model=gpt5", "trials=300")
    assert code == 0, err
    curves = curves_of(folder)
    np.testing.assert_allclose(curves["cost_usd"], 0.02176 * curves["k"], rtol=1e-12)
    first = curves.iloc[0]
    assert abs(first["time_s"] - 10.752) < 4.5 * first["time_s_sem"]
    assert "has no closed form" in out
