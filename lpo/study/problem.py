"""What the cells of a setting are trained and judged on."""

import numpy as np

from lpo import workload
from lpo.train.config import ProtocolKind, TrainConfig
from lpo.train.problem import load_workload, make_protocol

VALIDATION = "validation"  # prefix of the sets by which variants and defaults are chosen


def problem_of(config: TrainConfig, max_windows: int | None) -> workload.Problem:
    """Training windows, and at most `max_windows` of each set that a cell is judged on."""
    problem = workload.build(
        load_workload(config.workload),
        make_protocol(config.protocol, config.provision),
        seed=config.seed,
        suite="full" if config.protocol.name is ProtocolKind.lead_time else "standard",
        max_windows=max_windows,
    )
    kept = workload.evenly(len(problem.validation), max_windows)
    return problem._replace(validation=problem.validation[kept])


def judged_sets(problem: workload.Problem) -> dict[str, np.ndarray]:
    """Test sets by name, and `validation`, `validation:<shift>` for choices where there are any."""
    sets = dict(problem.tests)
    if len(problem.validation):
        sets[VALIDATION] = problem.validation
    return sets | {f"{VALIDATION}:{k}": windows for k, windows in problem.validation_shifts.items()}
