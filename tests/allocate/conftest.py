"""Solved instances with their published answers, and a small instance that needs no file."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, InstanceData, check_instance
from lpo.allocate.instances.files import read_instance, read_solution
from lpo.allocate.model.program import Program
from lpo.allocate.options import Options, make_options
from lpo.allocate.uncertainty import Uncertainty, budget


class Case(NamedTuple):
    """A solved case: instance, model and answer; `expected` is the entry of the file."""

    instance: Instance
    options: Options
    uncertainty: Uncertainty
    allocation: Allocation
    expected: dict[str, Any]


@pytest.fixture(scope="session")
def rodiu_root() -> Path:
    """Folder of the solved instances, in the folder named by `LPO_DATA`."""
    root = os.environ.get("LPO_DATA")
    if not root or not (Path(root) / "rodiu").is_dir():
        pytest.skip("skipped: no data")
    return Path(root) / "rodiu"


@pytest.fixture(scope="session")
def rodiu_cases(rodiu_root, tmp_path_factory):
    """All cases of the file `instance_<name>.json`."""

    def cases(name: str) -> list[Case]:
        path = rodiu_root / f"instance_{name}.json"
        instance = read_instance(path)
        solution = tmp_path_factory.mktemp("solution") / "solution.json"
        found = []
        for expected in json.loads(path.read_text())["expected"]:
            solution.write_text(json.dumps(expected["solution"]))
            impact = {
                key: np.asarray(expected[key]) for key in expected if key.startswith("impact")
            }
            solved = instance._replace(data=instance.data._replace(**impact))
            options = make_options(
                profile=expected["profile"],
                single_placement=expected["single_placement"],
                decision_dependent=expected["decision_dependent"],
            )
            sets = budget(expected["Gamma_d"], expected["Gamma_e"])
            allocation = read_solution(solution, solved)
            found.append(Case(solved, options, sets, allocation, expected))
        return found

    return cases


@pytest.fixture
def tiny() -> tuple[Instance, Allocation]:
    """Two query types, models and tiers, degrees 1 and 2; a plan that splits one type.

    Numbers are round, so that costs and limits can be reckoned by hand.
    """
    pairs = np.ones((2, 2, 2))
    data = InstanceData(
        weights_gb=[4.0, 8.0],
        kv_gb_per_token=[0.01, 0.02],
        memory_gb=[10.0, 20.0],
        compute_tflops=[100.0, 200.0],
        price_usd_per_hour=[1.0, 2.0],
        tier_limit=[np.inf, 6.0],
        input_tokens=[60.0, 100.0],
        output_tokens=[40.0, 100.0],
        arrivals_per_hour=[10.0, 20.0],
        tflop_per_kilotoken=[0.5, 1.0],
        data_per_token=[0.001, 0.002],
        delay_usd_per_ms=[0.01, 0.02],
        unmet_usd=[5.0, 6.0],
        unmet_cap=[0.1, 0.0],
        delay_limit_ms=[100.0, 400.0],
        error_limit=[0.1, 0.2],
        delay_ms_per_token=pairs * [[0.8, 0.4], [1.6, 0.8]],
        delay_deviation=pairs * [[0.2, 0.1], [0.4, 0.2]],
        error_rate=pairs * [[0.08, 0.08], [0.04, 0.04]],
        error_deviation=pairs * [[0.02, 0.02], [0.01, 0.01]],
        residency_h=pairs * 0.1,
        storage_gb=100.0,
        storage_usd_per_gb_hour=0.01,
        budget_usd=200.0,
        rental_hours=10.0,
        impact_delay=[[0.5, 0.0], [0.25, 0.0]],
        impact_error=[[0.0, 0.5], [0.0, 0.25]],
    )
    names = (("chat", "code"), ("small", "large"), ("old", "new"))
    instance = check_instance(Instance("tiny", *names, (1, 2), 1.0, 1.0, data))
    replicas, share = np.zeros((2, 2, 2), np.int64), np.zeros((2, 2, 2, 2))
    replicas[0, 0, 0] = replicas[1, 1, 1] = 1  # small on old, TP 1; large on new, TP 2
    share[0, 0, 0, 0], share[0, 1, 1, 1], share[1, 1, 1, 1] = 0.5, 0.45, 1.0
    return instance, Allocation(replicas, share, np.array([0.05, 0.0]))


@pytest.fixture(scope="session")
def by_linprog():
    """Value of a program without wholeness, all degrees and dual variables, by SciPy."""

    def value(program: Program) -> float:
        matrix = program.matrix()
        equal = matrix.row_lower == matrix.row_upper
        assert np.all(np.isinf(matrix.row_lower[~equal]))
        return linprog(
            matrix.cost,
            A_ub=matrix.matrix[np.flatnonzero(~equal)],
            b_ub=matrix.row_upper[~equal],
            A_eq=matrix.matrix[np.flatnonzero(equal)],
            b_eq=matrix.row_upper[equal],
            bounds=np.stack([matrix.lower, matrix.upper], axis=1),
        ).fun

    return value
