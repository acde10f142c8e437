"""`python -m lpo.l2o`: what it writes, what it refuses, that it repeats and resumes."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from lpo.l2o.command.building import family_of
from lpo.l2o.command.checks import validate
from lpo.l2o.command.config import FamilyConfig, FamilyKind, L2oConfig
from lpo.l2o.command.world import make_world

SMALL = [
    "family.rows=6",
    "family.columns=8",
    "training.problems=300",
    "training.steps=40",
    "training.batch=16",
    "samples.levels=[1,2]",
    "samples.count=3",
    "polish.steps=20",
    "tests=8",
    "validation=4",
    "work=[4,8,16,32]",
    "baselines=[adam,fista]",
    "learned=[nearest]",
]


def table(folder: Any, name: str) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_lasso_tables_agree_with_one_another_and_repeat(l2o):
    code, folder, out, err = l2o(*SMALL)
    assert code == 0, err
    methods, summary = table(folder, "methods"), table(folder, "summary")
    first = ["method", "evaluations", "gap_median", "gap_mean", "reached_1e-3"]
    assert list(methods.columns)[:5] == first
    names = {"nearest", "nearest_fista"}
    for method in ("adam", "fista"):
        names |= {f"{method}_zero", f"{method}_prior", f"{method}_prior_best3"}
    for levels in (1, 2):
        for best in ("", "_best3"):
            names |= {f"diffusion_{levels}{best}", f"diffusion_{levels}{best}_fista"}
    assert set(summary["method"]) == names
    own = summary.set_index("method")
    # four gradients a level, three samples; polished by twenty more
    assert own.loc["diffusion_2_best3", "evaluations"] == 2 * 4 * 3
    assert own.loc["diffusion_2_best3", "depth"] == 2 * 4
    assert own.loc["diffusion_2_best3_fista", "evaluations"] == 2 * 4 * 3 + 20
    assert own.loc["nearest", "evaluations"] == 0
    # nobody is said to have reached something before its work is done
    least = methods.groupby("method")["evaluations"].min()
    assert least["diffusion_2_best3"] == 32 and least["fista_zero"] == 4
    # gaps of the best so far never rise, and shares never fall
    for _, rows in methods.groupby("method"):
        assert (np.diff(rows["gap_mean"]) <= 1e-7).all()
        assert (np.diff(rows["reached_1e-3"]) >= 0).all()
    assert (methods["gap_mean_low"] <= methods["gap_mean"]).all()
    summed = json.loads((folder / "summary.json").read_text())
    for row in summary.to_dict("records"):
        value = summed["metrics"][f"evaluations_to_1e-3/{row['method']}"]
        needed = row["evaluations_to_target"]
        assert (value is None and np.isnan(needed)) or value == needed
    diverse = table(folder, "diversity")
    assert list(diverse["samples"]) == [1, 2, 3] and (np.diff(diverse["value_mean"]) <= 0).all()
    config = OmegaConf.load(folder / "config.yaml")
    assert (config.denoiser.name, config.noise.least) == ("unrolled", 0.1)  # of the recipe
    assert "median gradients to 1e-3" in out
    again = table(l2o(*SMALL, "baselines=[]", "learned=[]", folder="again")[1], "methods")
    ours = methods[methods["method"].str.startswith("diffusion")].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, ours)


def test_landscapes_say_how_often_the_minimum_is_found(l2o):
    code, folder, out, err = l2o(
        "family=rastrigin",
        "training.problems=300",
        "training.steps=20",
        "training.batch=8",
        "denoiser.width=8",
        "samples.levels=[4]",
        "samples.count=2",
        "polish.steps=8",
        "tests=8",
        "validation=4",
        "work=[8,16]",
        "baselines=[]",
    )
    assert code == 0, err
    summary = table(folder, "summary").set_index("method")
    assert summary.loc["diffusion_4", "evaluations"] == 5  # a first point beside the levels'
    assert summary["success"].between(0, 1).all()
    assert "% below 1e-2" in out and "success/diffusion_4" in json.dumps(
        json.loads((folder / "summary.json").read_text())["metrics"]
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("family=nothing", "family: 'nothing' given; allowed: "),
        ("family.dimension=3", "family.dimension: given with family.name=lasso; allowed: with"),
        ("family=rastrigin family.dimension=0", "family.dimension: 0 given; allowed: from 1"),
        ("denoiser.name=unrolled family=ackley", "unrolled given; allowed: mlp, coordinate"),
        ("baselines=[sgd]", "baselines: ['sgd'] given; allowed: a list, each once, of gd"),
        ("learned=[lista] family=lasso_random", "learned: ['lista'] given; allowed: a list"),
        ("polish.name=adam", "polish.rate: null given; allowed: a number (polish.name=adam)"),
        ("polish.rate=1", "polish.rate: given with polish.name=fista; allowed: null"),
        ("noise.least=5", "noise.least: 5.0 given; allowed: < noise.most, 2.0"),
        ("work=[]", "work: [] given; allowed: whole numbers"),
        ("target=2", "target: 2.0 given; allowed: in (0, 1)"),
        ("samples.levels=[0]", "samples.levels: [0] given; allowed: whole numbers"),
    ],
)
def test_bad_input_is_one_line(l2o, given, line):
    code, folder, out, err = l2o(*given.split())
    assert (code, out) == (2, "") and err.count("\n") == 1 and line in err, err
    assert not (folder / "summary.json").exists()


def test_problems_for_training_rates_and_tests_are_others():
    cfg = L2oConfig(family=FamilyConfig(FamilyKind.lasso, rows=4, columns=5, fixed=True))
    cfg.training.problems, cfg.tests, cfg.validation, cfg.samples.count = 40, 30, 20, 1
    validate(cfg)
    world = make_world(cfg, family_of(cfg))
    parts = [world.training.problems.b, world.problems.b, world.validation.b]
    every = np.concatenate(parts)
    assert len(np.unique(every, axis=0)) == len(every) == 90
