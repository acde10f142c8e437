"""What the cells of a setting are trained and judged on."""

from dataclasses import replace

import numpy as np

from lpo import workload
from lpo.train.config import ProtocolKind, SuiteKind, TrainConfig
from lpo.train.problem import load_workload, make_problem, make_protocol

VALIDATION = "validation"  # prefix of the sets by which variants and defaults are chosen


def problem_of(config: TrainConfig, max_windows: int | None) -> workload.Problem:
    """Training windows, and at most `max_windows` of each set that a cell is judged on."""
    protocol = replace(config.protocol, max_windows=max_windows)
    if protocol.name is ProtocolKind.lead_time:
        protocol.suite = SuiteKind.full
    problem = make_problem(
        load_workload(config.workload),
        make_protocol(protocol, config.provision),
        replace(config, protocol=protocol),
    )
    kept = workload.evenly(len(problem.validation), max_windows)
    return problem._replace(validation=problem.validation[kept])


def judged_sets(problem: workload.Problem) -> dict[str, np.ndarray]:
    """Test sets by name, and `validation`, `validation:<shift>` for choices where there are any."""
    sets = dict(problem.tests)
    if len(problem.validation):
        sets[VALIDATION] = problem.validation
    return sets | {f"{VALIDATION}:{k}": windows for k, windows in problem.validation_shifts.items()}
