"""`python -m lpo.scale`: what it writes, how it ends, what it refuses."""

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy import stats

from lpo.scale.command.words import passes, slots
from tests.scale.command.closed_forms import in_waves, volume_of
from tests.scale.select.brute_force import best_of, scores_of

COLUMNS = "model scenario method k parallel cost_usd time_s accuracy feasible score".split()
METHODS = ["accuracy_max", "max_cube", "utopia", "knee_curvature", "knee_chord"]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def table(folder, name) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def curves_of(folder) -> Any:
    return pd.read_parquet(folder / "tables" / "curves.parquet")


def test_default_tables_are_closed_forms_and_brute_force(scale, reference_models, order_statistic):
    """Curves in closed form, choices by loops over their points, volumes by slices."""
    code, folder, out, err = scale()
    assert code == 0, err
    names, k = reference_models.names, np.arange(1, 201)
    means = in_waves(reference_models.models, k, 4, order_statistic)
    curves = curves_of(folder)
    assert curves["model"].tolist() == np.repeat(names, 200).tolist()
    assert curves["k"].tolist() == k.tolist() * 9
    for name, values in zip(("cost_usd", "time_s", "accuracy"), means[:3], strict=True):
        np.testing.assert_allclose(curves[name], values.ravel(), rtol=1e-9)
    for name, values in zip(("cost_usd", "time_s", "accuracy"), means[3:], strict=True):
        np.testing.assert_allclose(curves[f"{name}_sd"], values.ravel(), rtol=1e-7, atol=1e-12)
    assert not {"chance", "cost_usd_mean_low"} & set(curves)  # means count, and are exact

    limits = (0.5, 60.0, 0.9)
    kept = (means.cost_usd <= 0.5) & (means.time_s <= 60.0) & (means.accuracy >= 0.9)
    np.testing.assert_array_equal(curves["feasible"], kept.ravel())
    chosen = table(folder, "selections")
    assert list(chosen.columns[:10]) == COLUMNS
    assert chosen["model"].tolist() == np.repeat(names, 5).tolist()
    assert chosen["method"].tolist() == METHODS * 9 and chosen["feasible"].all()
    points = [list(zip(*(each[m] for each in means[:3]), strict=True)) for m in range(9)]
    scored, volumes = [], []
    for own, good in zip(points, kept, strict=True):
        scored.append(scores_of(own, good, limits, k, "range", "accuracy"))
        volumes.append(volume_of([own[i] for i in np.flatnonzero(good)], limits))
    for row in chosen.to_dict("records"):
        m, at = names.index(row["model"]), row["k"] - 1
        scores = scored[m][row["method"]]
        best = best_of(row["method"], scores)
        np.testing.assert_allclose([row["score"], scores[at]], best, rtol=1e-9)
        given = [row[name] for name in ("cost_usd", "time_s", "accuracy")]
        np.testing.assert_allclose(given, points[m][at], rtol=1e-9)
        assert row["hypervolume"] == pytest.approx(volumes[m], rel=1e-9)

    every = [point for own in points for point in own]
    found = table(folder, "joint")
    scores = scores_of(every, kept.ravel(), limits, None, "range", "accuracy", METHODS[:3])
    for row in found.to_dict("records")[:3]:
        at = 200 * names.index(row["model"]) + row["k"] - 1
        own = scores[row["method"]]
        best = best_of(row["method"], own)
        np.testing.assert_allclose([row["score"], own[at]], best, rtol=1e-9)
    front = table(folder, "front")
    assert {(row.model, row.k) for row in front.itertuples()} == {
        (names[i // 200], i % 200 + 1) for i in scores["utopia"]
    }
    for own in (chosen, found):
        near = own[own["method"] == "utopia"]
        np.testing.assert_allclose(near["utopia_distance"], near["score"], rtol=1e-9)
        assert (own["utopia_distance"] >= near["score"].min()).all()
    assert "$ / k" in out and "-1: nothing feasible, or no knee" in out
    metrics = summary(folder)["metrics"]
    volume = volume_of([every[i] for i in scores["utopia"]], limits)
    assert metrics["hypervolume/default"] == pytest.approx(volume, rel=1e-9)
    assert metrics["default/utopia/k"] == found["k"][2]
    assert summary(folder)["status"] == "finished"
    assert "closest to utopia" in summary(folder)["result"]
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
    every = table(folder, "selections")
    assert (every["feasible"] == (every["k"] > 0)).all()
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
    # of both models the one with the larger spread comes nearest, by as many passes as are allowed
    found = table(folder, "joint")
    nowhere = found["scenario"] == "interactive"
    assert (found.loc[nowhere, "k"] == -1).all()
    near = found.loc[nowhere, "note"]
    assert near.str.startswith("nearest, gpt5-nano on P = 4 with k = 40, misses accuracy by").all()
    assert found.loc[~nowhere, "note"].isna().all()
    assert summary(folder)["metrics"]["interactive/utopia/k"] is None


def test_simulation_with_resamples_agrees_with_the_exact_means(scale):
    code, folder, out, err = scale(
        "method=monte_carlo",
        "trials=256",
        "bootstrap=20",
        "k_max=16",
        "model=[gpt5-nano,qwen3-max]",
    )
    assert code == 0, err
    curves = curves_of(folder)
    half = stats.norm.ppf(0.975) * curves["accuracy_sem"]
    np.testing.assert_allclose(curves["accuracy_mean_high"], curves["accuracy"] + half, rtol=1e-9)
    np.testing.assert_allclose(curves["accuracy_mean_low"], curves["accuracy"] - half, rtol=1e-9)
    both = table(folder, "selections").merge(curves, on=["model", "parallel", "k"])
    assert len(both) == 2 * 5 and "confidence intervals at 95 %" in out
    for name in ("cost_usd_mean_low", "time_s_mean_high", "accuracy_mean_low"):
        np.testing.assert_allclose(both[f"{name}_x"], both[f"{name}_y"], rtol=1e-9)
    cost = np.repeat([0.0008704, 0.0058368], 16) * curves["k"]
    assert (np.abs(curves["cost_usd"] - cost) < 4.5 * curves["cost_usd_sem"]).all()
    assert (curves["cost_usd_low"] < cost).all() and (cost < curves["cost_usd_high"]).all()
    resampled = table(folder, "bootstrap")
    assert len(resampled) == 2 * 5
    share = f"{resampled['frequency'][0]:.0%}"
    first = (
        f"accuracy_max of gpt5-nano on P = 4 takes k = {resampled['modal_k'][0]} in {share} of 20"
    )
    assert f"tables/bootstrap.csv: {first}" in out and "on the same draws" in out
    # the dearest k that is fast enough does not hang on which queries were drawn
    most = resampled[resampled["method"] == "accuracy_max"]
    assert (most["modal_k"] == most["k"]).all() and (most["frequency"] > 0.5).all()


def test_doubts_are_the_limits_inside_intervals(scale):
    """A limit of time a tenth of a standard error above the mean of sixteen passes."""
    setting = ["method=monte_carlo", "trials=256", "k_max=16", "model=[gpt5-nano,qwen3-max]"]
    curves = curves_of(scale(*setting, folder="first")[1])
    limit = curves["time_s"].iloc[15] + 0.1 * curves["time_s_sem"].iloc[15]
    code, folder, out, err = scale(*setting, f"scenario.default.time_s={limit}")
    assert code == 0, err
    rows = table(folder, "selections")
    inside = (rows["time_s_mean_low"] < limit) & (limit < rows["time_s_mean_high"])
    assert inside.any() and not inside.all()
    said = rows["note"].fillna("").str.startswith("undecided: time ")
    assert (said == inside).all()
    words = f" s (95 %) around the limit of {limit:g}; more trials decide"
    assert rows.loc[said, "note"].str.endswith(words).all()
    assert f"{inside.sum()} of {(rows['k'] > 0).sum()} choices for each model and" in out


def test_numbers_of_passes_and_slots_in_words():
    assert (passes(1), passes(2), slots(1), slots(4)) == ("1 pass", "2 passes", "1 slot", "4 slots")


def test_limits_by_chance_are_harder_than_in_the_mean(scale):
    """At k = 1 the score of a pass is above its mean half the time."""
    code, folder, _, err = scale(
        "trials=1000",
        "k_max=4",
        "model=gpt5-nano",
        "scenario.default.accuracy=0.91",
        "+scenario.one_pass={cost_usd:0.0012,time_s:60,accuracy:0.91}",
        "+scenario.no_pass={cost_usd:0.0001,time_s:60,accuracy:0.91}",
        "feasibility=chance",
        "epsilon=0.4",
    )
    assert code == 0, err
    curves = curves_of(folder)
    shares = curves["chance"].to_numpy()
    assert abs(shares[0] - 0.5) < 4.5 * 0.5 / np.sqrt(1000)
    assert not curves["feasible"].iloc[0]
    assert abs(shares[3] - (1 - 0.5**4)) < 4.5 * 0.25 / np.sqrt(1000)
    # Wilson's interval: the probabilities of which the share is 1.96 standard deviations away
    for end, sign in (("chance_low", 1.0), ("chance_high", -1.0)):
        p = curves[end].to_numpy()
        away = sign * (shares - p) - stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / 1000)
        np.testing.assert_allclose(away, 0.0, atol=1e-12)
    rows = table(folder, "selections").set_index("scenario")
    kept = rows.loc["default"].iloc[0]
    assert kept[["k", "chance", "chance_low"]].tolist() == pytest.approx(
        curves.loc[3, ["k", "chance", "chance_low"]].tolist(), rel=1e-9
    )
    # one pass alone is cheap enough, and not good enough often enough
    share, low, high = curves.loc[4, ["chance", "chance_low", "chance_high"]]
    assert share == shares[0]
    words = f"keeps the limits with chance {share:.3g} [{low:.3g}, {high:.3g}], needed 0.6"
    lost = rows.loc["one_pass"]
    assert (lost["note"] == f"likeliest, k = 1, {words}").all() and lost["chance"].isna().all()
    together = table(folder, "joint").set_index("scenario")["note"]
    assert (together["one_pass"] == f"likeliest, gpt5-nano on P = 4 with k = 1, {words}").all()
    words = "no simulated query keeps the limits; in the mean: nearest, k = 1, misses cost by"
    assert rows.loc["no_pass", "note"].str.startswith(words).all()


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
    digest = hashlib.sha256(models.read_bytes()).hexdigest()
    assert summary(folder)["data"] == [{"path": str(models), "sha256": digest, "rows": 1}]
    assert OmegaConf.load(folder / "config.yaml").models == {}
    rules = ["+experiment=scale_rules", given[0], "k_max=3"]
    assert scale(*rules, folder="rules")[0] == 0
    assert OmegaConf.load(tmp_path / "rules" / "config.yaml").model == "all"
    code, folder, _, err = scale(*given, f"lengths.pairs={lengths}", folder="pairs")
    assert code == 0, err
    curves = curves_of(folder)
    code, out, err = (
        scale(*given, "models.gpt5.accuracy=0.5", folder="both")[i] for i in (0, 2, 3)
    )
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert f"models_file: {models} given, and models.gpt5.accuracy; allowed: one of them" in err
    assert scale(*given, "models=reference", folder="both")[0] == 2
    # means 25 and 12.5 tokens
    np.testing.assert_allclose(curves["cost_usd"], 0.0005 * curves["k"], rtol=1e-12)
    np.testing.assert_allclose(curves["time_s"], 0.05 * curves["k"], rtol=1e-12)


def test_a_price_of_slots_bounds_them(scale):
    code, folder, _, err = scale("parallel=[1,4,16]", "slot_price=0.002", "k_max=32")
    assert code == 0, err
    free = scale("parallel=[1,4,16]", "k_max=32", folder="free")[1]
    assert (table(free, "joint")["parallel"] == 16).all()
    assert (table(folder, "joint")["parallel"] < 16).any()
    # P T slot seconds are in every cost, of curves as of choices, which keep the limit with them
    curves, without = curves_of(folder), curves_of(free)
    slots = 0.002 * without["parallel"] * without["time_s"]
    np.testing.assert_allclose(curves["cost_usd"], without["cost_usd"] + slots, rtol=1e-12)
    keys = ["scenario", "model", "parallel", "k"]
    for name in ("selections", "joint"):
        both = table(folder, name).merge(curves, on=keys)
        assert len(both)
        np.testing.assert_allclose(both["cost_usd_x"], both["cost_usd_y"], rtol=1e-9)
        assert (both["cost_usd_x"] <= 0.5 * (1 + 1e-9)).all() and (
            both["cost_slack_usd"] > -1e-9
        ).all()
    # too dear: the fastest pass takes 2.1504 s on the one slot that it needs, and .00087 $
    folder, said = scale("parallel=[1,4,16]", "slot_price=50", "k_max=32", folder="dear")[1:3]
    dear = table(folder, "joint")
    assert (dear["k"] == -1).all()
    words = f"nearest, gpt5-nano on P = 1 with k = 1, misses cost by {50 * 2.1504 - 0.5:.3g} $"
    assert (dear["note"] == words).all()
    # for each model alone too
    alone = table(folder, "selections")
    assert (alone["k"] == -1).all() and alone["note"].str.contains("misses cost by").all()
    assert not curves_of(folder)["feasible"].any()
    assert f"default: nothing is feasible; {words}" in said


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
        (
            "aggregate.law=beta models.gpt5-mini.accuracy_sd=0.3".split(),
            "model gpt5-mini: accuracy 0.92 with accuracy_sd 0.3 given; allowed for a Beta "
            "distribution: accuracy inside (0, 1), accuracy_sd below sqrt(accuracy (1 - accuracy)) "
            "= 0.2713",
        ),
        ("+scenario.mine={cost_usd:1,time_s:9}", "scenario.mine.accuracy: not given; it has no"),
        ("+scenario.mine={cost:1}", "scenario.mine.cost: unknown key; did you mean"),
        ("epsilon=0.1", "epsilon: given with feasibility=mean; allowed: with feasibility=chance"),
        ("trials=9", "trials: given with method=exact; allowed: with method=monte_carlo, feas"),
        ("cluster.gpus=9", "cluster.gpus: given with analysis.name=null; allowed: with +exp"),
        ("aggregate.verifier_sd=0.1", "given with aggregate.rule=best_of_k; allowed: with aggr"),
        ("scenario.mine.time_s=9", "or '+scenario.mine={cost_usd:...,time_s:...,accuracy:...}'"),
        ("scenario=/a/b.yaml", "scenario: '/a/b.yaml' given; allowed: all, batch, default, inter"),
        ("+scenario.mine.time_s=9", "mine: not there to be set in parts; allowed: all of it, +"),
        (
            "aggregate.rule=verifier aggregate.verifier_sd=-1".split(),
            "`verifier_sd` must be finite and at least 0, got -1.0",
        ),
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
    half = stats.norm.ppf(0.975) * first["time_s_sem"]
    assert first["time_s_mean_high"] == pytest.approx(first["time_s"] + half, rel=1e-9)
    assert (curves["cost_usd_mean_low"] == curves["cost_usd"]).all()
    assert "has no closed form" in out
