"""`python -m lpo.study` end to end: trained once, reported as often as wanted."""

import json
import sys
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from lpo.runs import run_command
from lpo.study import __main__ as command
from lpo.study.config import StudyConfig, TuningConfig, validate

ARCHITECTURES = ("mlp", "linear_normalised")
MEASURES = ("own", "average", "worst", "validation", "validation_average")


def tables(folder):
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


def read(run, name):
    return pd.read_csv(run.folder / "tables" / f"{name}.csv")


def trained(table):
    return table.query("architecture not in ('rule', 'floor')")


def test_a_study_trains_once_and_reports_what_there_is(study, tmp_path, monkeypatch):
    run = study()
    assert run.code == 0, run.err
    files = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "cells").glob("*.npz")}
    assert files == {f"near-{a}-{m}" for a in ARCHITECTURES for m in ("dfl", "dfl_matched")}
    assert len(list((tmp_path / "cells").glob("near-mlp-dfl_matched-*.npz"))) == 2, "both variants"
    summary = read(run, "capacity_summary")
    cells = trained(summary)
    assert len(cells) == 4 and np.all(cells[list(MEASURES)] > 0)
    assert np.all(cells["worst"] >= cells["average"])
    oracle = summary.query("method == 'oracle'")
    assert np.all(oracle[list(MEASURES)] == 0)
    # means over seeds and sets of the table by set
    sets = read(run, "capacity_near").query("architecture == 'mlp' and method == 'dfl'")
    tests = sets.query("windows >= 100 and not test_set.str.startswith('validation')")
    own, *shifted = tests["mean"].tolist()
    row = cells.query("architecture == 'mlp' and method == 'dfl'").to_dict("records")[0]
    assert row["own"] == pytest.approx(own)
    assert row["average"] == pytest.approx(np.mean(shifted))
    assert read(run, "variants")["chosen"].tolist().count(True) == 1
    assert set(read(run, "capacity_training")["kept_step"]) <= set(np.arange(0, 20.5, 0.5))
    pictures = {path.name for path in (run.folder / "figures").iterdir()}
    assert pictures == {"capacity_near_average.png", "capacity_near_worst.png"}
    stored = json.loads((run.folder / "summary.json").read_text())
    place = "average/capacity/near/mlp/dfl"
    assert stored["metrics"][place] == pytest.approx(row["average"], rel=1e-8)
    assert stored["timings_s"].keys() == {"tuning", "capacity", "evaluation"}

    monkeypatch.setattr(command, "run_tasks", nothing_to_do)
    again = study(f"publish={tmp_path / 'published'}", name="again")
    assert again.code == 0, again.err
    assert tables(again.folder) == tables(run.folder)

    for path in (tmp_path / "cells").glob("near-linear_normalised-dfl_matched-*.npz"):
        path.unlink()
    part = study("report_only=true", name="part")
    assert part.code == 0, part.err
    assert "note: capacity: 1 of 4 cells are missing" in part.out
    gone = (summary["architecture"] == "linear_normalised") & (summary["method"] == "dfl_matched")
    columns = ["architecture", "method", *MEASURES]
    left = read(part, "capacity_summary")[columns]
    expected = summary.loc[~gone, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.DataFrame(left), expected)


def nothing_to_do(function, arguments, workers, say):
    assert not arguments, f"{function.__name__} was called"


def test_a_report_of_nothing_has_the_rules_and_the_first_variants(study):
    run = study("report_only=true")
    assert run.code == 0, run.err
    assert set(read(run, "capacity_summary")["architecture"]) == {"rule"}
    assert list(read(run, "variants")["chosen"]) == [True, False]
    assert "note: capacity: 4 of 4 cells are missing" in run.out


def test_parts_that_are_not_wanted_are_left_out(study):
    run = study("report_only=true", "only=[]")
    assert run.code == 0, run.err
    assert [path.name for path in (run.folder / "tables").iterdir()] == ["variants.csv"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("workers=0", "workers: 0 given; allowed: > 0"),
        ("max_windows=99", "max_windows: 99 given; allowed: at least 100"),
        ("publish=Makefile", "publish: Makefile given; allowed: a folder, or none"),
        ("only=[fleet]", "only: fleet given; allowed: capacity"),
        ("parts.capacity.settings=[far]", "parts.capacity.settings: far given; allowed: near"),
        ("parts.capacity.settings=[]", "parts.capacity.settings: [] given; allowed: some of near"),
        ("parts.capacity.architectures=[gru]", "architectures: gru given; allowed: mlp, linear"),
        ("parts.capacity.methods=[kl]", "parts.capacity.methods: kl given; allowed: mse, dfl, dfl"),
        ("parts.capacity.methods=[linear_normalised]", "linear_normalised given; allowed: mse"),
        ("+settings.far=[1]", "settings.far: [1] given; allowed: changes of workload"),
        ("+settings.near.seeds=3", "settings.near: seeds given; allowed: workload, protocol"),
        ("+architectures.mlp.protocol={lead: 2}", "architectures.mlp: protocol given; allowed"),
        ("+base.robust.epsilom=1", "robust.epsilom: Key 'epsilom' not in 'RobustConfig'"),
        ("base.robust.epochs=-1", "mlp, method dfl_matched: robust.epochs: -1 given; allowed: > 0"),
        ("tuning.setting=far", "tuning.setting: far given; allowed: near"),
        ("+tuning.as_tuned_on.mlp=lstm", "tuning.as_tuned_on: lstm given; allowed: mlp"),
        ("tuning.variants.dfl_matched=[]", "tuning.variants.dfl_matched: [] given; allowed: at"),
        ("+tuning.variants.dfl=[{}]", "tuning.variants: dfl given; allowed: chi_square_dro"),
        ("+tuning.variants.kl_dro=[{robust: {sizes: {kl: 1}}}]", "robust.sizes: {'kl': 1.0} given"),
        (
            "+tuning.variants.kl_dro=[{predictor: {steps: 1}}]",
            "predictor given; allowed: diffusion",
        ),
    ],
)
def test_bad_input_is_one_line(study, override, line):
    run = study(override, "report_only=true")
    assert run.code == 2
    assert line in run.err and run.err.count("\n") == 1


def test_variants_are_not_tuned_without_a_validation_part(study):
    setting = "{protocol: {name: paper, bin_s: 5, preset: code}, provision: {preset: code}}"
    run = study(f"+settings.paper={setting}", "tuning.setting=paper", "report_only=true")
    assert run.code == 2
    assert "tuning.setting: paper given; allowed: one with a validation part" in run.err


def test_missing_data_is_one_line(study, tmp_path):
    run = study("base.workload.name=azure", "report_only=true")
    assert run.code == 2
    assert "LPO_DATA" in run.err and run.err.count("\n") == 1


def test_every_key_of_the_study_has_words_in_the_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lpo.study", "--help"])
    with pytest.raises(SystemExit):
        run_command("study", StudyConfig, validate, command.job)
    keys = capsys.readouterr().out.partition("Keys and their defaults")[2].partition("\nRuns")[0]
    silent = {line.split(":")[0].strip() for line in keys.splitlines()[1:] if "#" not in line}
    groups = {"tracking", "base", "settings", "architectures", "parts", "tuning"}
    own = {field.name for kind in (StudyConfig, TuningConfig) for field in fields(kind)}
    assert silent & own <= groups | {"variants", "as_tuned_on"}
