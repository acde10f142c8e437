"""`python -m lpo.scale +experiment=scale_under_load`, against what is worked out by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

METHODS = ["accuracy_max", "max_cube", "utopia", "knee_curvature", "knee_chord"]
# conf/hardware/a100_qwen_8b.yaml, and prompts of one chunk and a part
BATCH, CHUNK, ALPHA, BETA, SOLO = 16, 256, 0.0174, 6.2e-5, 0.022
TAU = ALPHA + BETA * CHUNK
PROMPT, OUTPUT = 300, {"good": 40, "poor": 80}
QUERIES, GPUS, USD_HOUR = 1.0, 2, 1.8


def table(folder, name) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def gpu_seconds(output: int) -> float:
    """Of a pass on GPUs that are full: iterations of 16 tokens, of which one that reads a chunk
    takes TAU and makes 15."""
    reading = PROMPT / CHUNK * TAU
    rest = output - 15 * PROMPT / CHUNK
    return reading + rest * SOLO / BATCH


@pytest.fixture
def models(tmp_path):
    """One is never accurate enough."""
    shared = {"prompt": PROMPT, "prompt_sd": 0, "output_sd": 0, "accuracy_sd": 0.01}
    shared |= {"input_price": 1, "output_price": 1, "input_us": 1, "output_us": 1}
    rows = [
        {"name": name, "accuracy": accuracy, "output": OUTPUT[name], **shared}
        for name, accuracy in (("good", 0.92), ("poor", 0.5))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "models.csv", index=False)
    return f"models_file={tmp_path / 'models.csv'}"


@pytest.fixture
def under_load(scale, models):
    def run(*overrides: str, **options: Any):
        return scale(
            "+experiment=scale_under_load",
            models,
            "model=all",
            "analysis.values.k=[1,4,40]",
            "parallel=[4,40]",
            "cluster.hardware=a100_qwen_8b",
            f"cluster.queries_per_s={QUERIES}",
            f"cluster.gpus={GPUS}",
            f"cluster.gpu_hour_usd={USD_HOUR}",
            "cluster.seconds=30",
            "cluster.seeds=2",
            *overrides,
            **options,
        )

    return run


def test_tables_of_a_small_cluster(under_load, order_statistic):
    code, folder, out, err = under_load()
    assert code == 0, err
    found = table(folder, "under_load")
    assert len(found) == 2 * 3 * 2
    work = found["model"].map({name: gpu_seconds(tokens) for name, tokens in OUTPUT.items()})
    np.testing.assert_allclose(found["load"], QUERIES * found["k"] * work / GPUS, rtol=1e-9)
    np.testing.assert_array_equal(found["steady"], found["k"] < 40)
    assert (found["load"][found["k"] == 40] > 1.3).all()
    usd_per_s = USD_HOUR / 3600.0
    np.testing.assert_allclose(found["cost_marginal_usd"], found["k"] * work * usd_per_s, rtol=1e-9)
    steady, full = found[found["steady"]], found[~found["steady"]]
    np.testing.assert_allclose(steady["cost_average_usd"], GPUS * usd_per_s / QUERIES, rtol=1e-9)
    # no more queries are completed than GPUs have seconds for
    assert (full["cost_average_usd"] > 0.9 * full["cost_marginal_usd"]).all()

    # two iterations that read, one for each token; waves of 4 or of 40 one after the other
    alone = TAU + SOLO + found["model"].map(OUTPUT) * SOLO
    waves = np.ceil(found["k"] / found["parallel"])
    np.testing.assert_allclose(found["unloaded_s"], waves * alone, rtol=1e-9)
    one = found[found["k"] == 1]
    assert (one["load"] < 0.07).all()
    np.testing.assert_allclose(one["time_s"], one["unloaded_s"], rtol=0.05)
    assert (steady["time_s"] >= steady["unloaded_s"] * (1 - 1e-9)).all()
    np.testing.assert_array_equal(steady["time_s"], steady["measured_s"])
    assert np.isinf(full["time_s"]).all() and full["time_sd"].isna().all()
    assert (full["measured_s"] > 2.0 * full["unloaded_s"]).all()
    best = 0.92 + 0.01 * np.array([order_statistic(k)[0] for k in (1, 4)])
    good = steady[(steady["model"] == "good") & (steady["parallel"] == 4)]
    np.testing.assert_allclose(good["accuracy"], best, rtol=1e-6)
    assert "k = 40 on 4, 40 slots: load of 1.4, above 1; times grow" in out
    for name in ("times", "accuracy", "times_2", "accuracy_2"):
        assert (folder / "figures" / f"{name}.png").exists()


def test_choices_under_load_and_without(under_load):
    options = ["cluster.cost=marginal", "latency=mean", "parallel=[2,40]"]
    code, folder, out, err = under_load(*options)
    assert code == 0, err
    found, times = table(folder, "selections"), table(folder, "under_load")
    two = times[(times["parallel"] == 2) & times["steady"]].set_index(["model", "k"])
    np.testing.assert_array_equal(two["time_s"], two["measured_s"])
    for name, tokens in OUTPUT.items():  # k / P passes; at these loads they hardly meet
        alone = TAU + SOLO + tokens * SOLO
        np.testing.assert_allclose(two.loc[name, "unloaded_s"], [alone, 2 * alone], rtol=1e-9)
        assert two.loc[(name, 4), "time_s"] == pytest.approx(2 * alone, rel=0.2)
    assert len(found) == 2 * 2 * 2 * 5 and set(found["method"]) == set(METHODS)
    poor = found[found["model"] == "poor"]
    assert (poor["k"] == -1).all() and not poor["feasible"].any() and poor["load"].isna().all()
    assert poor["note"].str.contains("misses").all()
    good = found[found["model"] == "good"]
    knees = good["method"].isin(["knee_curvature", "knee_chord"])  # a front of two has none
    assert good.loc[~knees, "feasible"].all() and (good["feasible"] == (good["k"] > 0)).all()
    chosen = good[good["k"] > 0].merge(times, on=["model", "k", "parallel"], suffixes=("", "_of"))
    np.testing.assert_array_equal(chosen["load"], chosen["load_of"])
    np.testing.assert_allclose(chosen["cost_usd"], chosen["cost_marginal_usd"], rtol=1e-12)
    under = chosen["setting"] == "under load"
    expected = np.where(under, chosen["time_s_of"], chosen["unloaded_s"])
    np.testing.assert_allclose(chosen["time_s"], expected, rtol=1e-12)
    best = good[good["method"] == "accuracy_max"].set_index(["setting", "parallel"])["k"]
    assert best["under load"].tolist() == [4, 4]
    assert best["without load"].tolist() == [40, 40]  # ten waves of .9 s
    assert "good on 40 slots is k = 4 under load and k = 40 without" in out


def test_small_clusters_that_are_too_small_are_rows(under_load):
    code, folder, _, err = under_load(
        "cluster.gpus=1", "cluster.queries_per_s=40", "cluster.seconds=4", "k_max=1", "model=good"
    )
    assert code == 0, err
    found = table(folder, "under_load")
    assert found["k"].tolist() == [1, 1] and not found["steady"].any()
    chosen = table(folder, "selections")
    under = chosen["setting"] == "under load"
    assert (chosen.loc[under, "k"] == -1).all()
    assert (chosen.loc[~under & (chosen["method"] == "utopia"), "k"] == 1).all()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("cluster.policy=nobody", "cluster: `policy` must be one of credit_gate, gate_and_route"),
        ("cluster.gpus=0", "cluster.gpus: 0 given; allowed: from 1 to 4096"),
        ("cluster.gpus=few", "cluster.gpus: 'few' given"),
        ("cluster.hardware=gpu", "cluster.hardware: gpu given; allowed: a100_llama_2_70b_tp8, a1"),
        ("cluster.queries_per_s=-1", "cluster.queries_per_s: -1.0 given; allowed: > 0 and finite"),
        ("cluster.queries_per_s=1e6", "cluster: `queries_per_s` times `k` times "),
        ("cluster.queries_per_s=1e-6", "cluster: `seconds` must be long enough for queries"),
        ("cluster.cost=free", "cluster.cost: 'free' given; allowed: average, marginal"),
        ("analysis.values.k=[0]", "analysis.values.k: [0.0] given; allowed: whole numbers >= 1"),
        ("analysis.values.k=[300]", "analysis.values.k: [300.0] given; allowed: one up to 200"),
        ("latency=work_conserving", "latency: work_conserving given; allowed: waves, mean (in ana"),
        ("latency=contended", "latency: contended given; allowed: waves, mean (in analysis under_"),
        ("method=monte_carlo", "method: monte_carlo given; allowed: exact (in analysis under_load"),
        ("feasibility=chance", "feasibility: chance given; allowed: mean (in analysis under_load)"),
        ("slot_price=0.1", "slot_price: 0.1 given; allowed: 0.0 (in analysis under_load)"),
        ("bootstrap=9", "bootstrap: 9 given; allowed: 0 (in analysis under_load)"),
    ],
)
def test_refused_in_one_line(under_load, given, line):
    code, _, out, err = under_load(given)
    assert (code, out) == (2, "")
    assert line in err and err.count("\n") == 1


def test_a_policy_with_gpus_of_its_own_for_prefills_needs_two(under_load):
    code, _, _, err = under_load("cluster.policy=disaggregated_fcfs", "cluster.gpus=1")
    assert code == 2 and "at least 2 for disaggregated_fcfs, got 1" in err
