"""Networks that differ in one thing: each is there once, as a run without an experiment has it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.l2o.command.analyses import guidance
from lpo.l2o.command.config import GuidanceConfig, L2oConfig
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.families.lasso import lasso

OF = "analysis.values"
SMALL = [
    "training.problems=100",
    "training.steps=12",
    "training.batch=8",
    "samples.count=3",
    "polish.steps=8",
    "tests=8",
]
LASSO = [
    *SMALL,
    "family.rows=6",
    "family.columns=8",
    "denoiser.layers=2",
    "samples.levels=[2]",
]
LANDSCAPE = [*SMALL, "family=rastrigin", "denoiser.width=8", "samples.levels=[3]"]


def table(folder: Any, name: str) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_without_its_weight_the_objective_is_that_of_a_run_without_it(l2o):
    code, folder, out, err = l2o("+experiment=l2o_alpha", f"{OF}.alpha=[0.0,1.0]", *LASSO)
    assert code == 0, err
    found, samples = table(folder, "variants"), table(folder, "samples")
    assert list(found["variant"]) == ["alpha=0", "alpha=1"]
    # two gradients a level
    np.testing.assert_array_equal(
        samples["evaluations"], 2 * samples["levels"] * samples["samples"]
    )
    assert (found["best_gap_mean"] <= found["one_gap_mean"]).all()
    assert (found["best_gap_mean"] <= found["best_gap_mean_high"]).all()
    assert found["one_gap_mean"].nunique() == 2  # the weight has an effect
    assert "least mean gap of the best of 3 samples" in out
    plain = ["training.alpha=0", "baselines=[]", "learned=[]", "validation=4", *LASSO]
    code, folder, _, err = l2o(*plain, folder="plain")
    assert code == 0, err
    own = table(folder, "summary").set_index("method")
    for prefix, name in (("one", "diffusion_2"), ("best", "diffusion_2_best3")):
        row = found.iloc[0]
        assert row[f"{prefix}_gap_mean"] == pytest.approx(own.loc[name, "gap_mean"], rel=1e-6)
        polished = own.loc[f"{name}_fista", "evaluations_to_target"]
        np.testing.assert_equal(row[f"{prefix}_evaluations_to_target"], polished)


def test_a_network_is_not_told_of_what_is_left_out(l2o, monkeypatch):
    monkeypatch.setattr(guidance, "PARTS", ("gradient",))  # fewer networks
    code, folder, _, err = l2o(
        "+experiment=l2o_guidance", *LANDSCAPE, "seeds=2", "guidance.octaves=0"
    )
    assert code == 0, err
    found = table(folder, "variants")
    assert list(found["variant"]) == ["all", "without_gradient", "nothing"]
    assert (found["seeds"] == 2).all() and (found["training_s"] > 0).all()
    # of the only part there is nothing left without it
    assert found["one_gap_mean"][1] == found["one_gap_mean"][2] != found["one_gap_mean"][0]
    # a level's gradient each, and that of a first point
    assert (found["one_evaluations"] == 4).all() and (found["best_evaluations"] == 12).all()
    assert found["one_success"].between(0, 1).all()


def test_each_part_is_left_out_once_where_it_is_told():
    some = L2oConfig(guidance=GuidanceConfig(octaves=2))
    none = L2oConfig(guidance=GuidanceConfig(octaves=0))
    first = ["all", "without_gradient", "without_loss", "without_previous"]
    # a landscape tells nothing of itself, LASSO has features
    assert list(guidance.changes(some, rastrigin(2))) == [*first, "without_octaves", "nothing"]
    assert list(guidance.changes(none, lasso(6, 8))) == [*first, "without_features", "nothing"]


def test_chains_get_as_many_steps_evaluations_and_seconds(l2o):
    code, folder, out, err = l2o(
        "+experiment=l2o_trainer", *LANDSCAPE, "training.rollout_steps=4", "polish.steps=0"
    )
    assert code == 0, err
    found = table(folder, "variants").set_index("variant")
    same = [f"rollout_same_{what}" for what in ("steps", "evaluations", "seconds")]
    assert list(found.index) == ["stateless", *same[:2], "stateless_longer", same[2]]
    assert list(found["steps"])[:4] == [12, 12, 12 // 4, 12 * 4] and found["steps"].iloc[4] >= 1
    assert set(table(folder, "samples")["levels"]) == {3, 4}  # also as many as the chain has
    assert (folder / "figures" / "levels.png").exists()
    assert (found["one_evaluations"] == 4).all()
    assert "4 times where one of stateless does once" in out
    assert not any("target" in name for name in found.columns)  # no polish


def test_more_samples_are_no_worse_and_cost_their_gradients(l2o):
    numbers = [f"{OF}.levels=[1.0,3.0]", f"{OF}.counts=[4.0,1.0,2.0]"]
    left = [each for each in LANDSCAPE if not each.startswith(("samples", "polish"))]
    code, folder, out, err = l2o("+experiment=l2o_sampling", *left, *numbers, "work=[3,9]")
    assert code == 0, err
    found = table(folder, "sampling")
    assert len(found) == 2 * 2 * 3
    for _, rows in found.groupby(["sampler", "levels"]):
        assert list(rows["samples"]) == [1, 2, 4]
        assert (np.diff(rows["value_mean"]) <= 1e-6).all()
    np.testing.assert_array_equal(found["evaluations"], (found["levels"] + 1) * found["samples"])
    # from the only level both samplers go to what the network guesses there
    one = found.loc[found["levels"] == 1].set_index("samples")
    euler, ancestral = (one.loc[one["sampler"] == name] for name in ("euler", "ancestral"))
    np.testing.assert_allclose(euler["value_mean"], ancestral["value_mean"], rtol=1e-6)
    budgets = table(folder, "budgets")
    assert list(budgets["work"]) == [3, 3, 9, 9]
    for row in budgets.to_dict("records"):
        within = found[(found["sampler"] == row["sampler"]) & (found["evaluations"] <= row["work"])]
        assert row["value_mean"] == within["value_mean"].min()
    assert "At most 9 gradients" in out


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("guidance family=lasso", "denoiser.name: unrolled given with analysis.name=guidance"),
        ("guidance guidance.loss=false", "guidance.loss: given with analysis.name=guidance"),
        (f"guidance +{OF}.alpha=[1.0]", "analysis.values: alpha given; allowed: nothing"),
        ("alpha training.alpha=1", "training.alpha: given with analysis.name=alpha"),
        (f"alpha {OF}.alpha=[-1.0]", "analysis.values.alpha: [-1.0] given; allowed: "),
        ("alpha baselines=[]", "baselines: given with analysis.name=alpha; allowed: with a run"),
        ("trainer training.trainer=rollout", "training.trainer: given with analysis.name=trainer"),
        ("sampling samples.count=3", "samples.count: given with analysis.name=sampling"),
        (f"sampling {OF}.levels=[0.5]", "analysis.values.levels: [0.5] given; allowed: whole"),
    ],
)
def test_what_has_no_effect_is_refused_in_one_line(l2o, given, line):
    name, *rest = given.split()
    code, _, _, err = l2o(f"+experiment=l2o_{name}", *rest)
    assert code == 2 and line in err and err.count("\n") == 1, err
