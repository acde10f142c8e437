"""What a cell's name depends on, and that its file gives back what was put in."""

from dataclasses import replace

import numpy as np
import pytest

from lpo.study.cells import Cell, Outcome, load, save
from lpo.study.plan import make_cell
from lpo.train.config import MethodKind


@pytest.fixture
def cell(tiny) -> Cell:
    return make_cell(tiny, "near", "mlp", MethodKind.kl_dro)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": {"lead": 2}},
        {"forecast": {"widths": [8]}},
        {"forecast": {"dropout": 0.1}},
        {"predictor": {"steps": 21}},
        {"predictor": {"early_stopping": "validation"}},
        {"diffusion": {"space": "log"}},
        {"provision": {"c_under": 9.0}},
        {"workload": {"days": 2.0}},
        {"workload": {"seed": 1}},
        {"robust": {"sizes": {"kl_dro": 0.2}}},
        {"robust": {"epochs": 3}},
        {"robust": {"payoff": "history"}},
        {"seed": 1},
        {"seeds": 3},
    ],
)
def test_everything_that_matters_gives_another_file(tiny, cell, change):
    assert make_cell(tiny, "near", "mlp", MethodKind.kl_dro, change).digest != cell.digest


def test_so_do_method_and_number_of_windows_but_not_the_folder_of_the_traces(tiny, cell):
    assert make_cell(tiny, "near", "mlp", MethodKind.cvar_dro).digest != cell.digest
    assert replace(cell, max_windows=101).digest != cell.digest
    moved = {"workload": {"root": "elsewhere"}}
    assert make_cell(tiny, "near", "mlp", MethodKind.kl_dro, moved).name == cell.name


def test_what_a_method_does_not_use_is_no_part_of_its_name(tiny):
    change = {"robust": {"epochs": 3}}
    for method in (MethodKind.dfl, MethodKind.mse):
        changed, plain = (make_cell(tiny, "near", "mlp", method, c) for c in (change, {}))
        assert changed.name == plain.name


def test_a_file_holds_forecasts_and_facts(tmp_path):
    by_set = {"test": np.arange(6.0).reshape(2, 3, 1), "validation:level_2": np.ones((2, 1, 1))}
    facts = {"method": "dfl", "last": {"loss": [0.5, 0.25]}}
    save(tmp_path / "cells" / "cell.npz", Outcome(by_set, facts))
    found = load(tmp_path / "cells" / "cell.npz")
    assert found.facts == facts and found.by_set.keys() == by_set.keys()
    for name, values in by_set.items():
        np.testing.assert_array_equal(found.by_set[name], values)
