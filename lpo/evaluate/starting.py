"""Where the search of a fleet's exact plans begins other than at the task's relaxation."""

import jax
import numpy as np
import pandas as pd

from lpo import provision, workload
from lpo.errors import InputError
from lpo.evaluate.config import EvaluateConfig, StartKind
from lpo.evaluate.trained import TrainedRun
from lpo.l2o.warm.fleet import FleetStart, fleet_start
from lpo.l2o.warm.kinds import Kind


def other_start(run: TrainedRun, cfg: EvaluateConfig) -> FleetStart | None:
    """Return what makes the starts that `cfg.start` names, None for the task's relaxation, rounded.

    What is learned is fitted on the demand of the run's training windows and nothing else. Raises
    `InputError` for a run whose task is no fleet.
    """
    if cfg.start is StartKind.rounded:
        return None
    if not isinstance(run.task, provision.FleetTask):
        raise InputError(
            f"start: {cfg.start.name} given, and {run.name} decides no fleet; allowed: rounded"
        )
    _, target = workload.pairs(run.problem.train.astype(np.float64), run.problem.layout)
    return fleet_start(
        run.task,
        cfg.demand_scale * target[:, 0],  # [windows, H]
        predictor=Kind.NONE if cfg.start is StartKind.linear else cfg.start.name,
        commit=cfg.replan,
        key=jax.random.key(cfg.seed),
    )


def start_note(run: TrainedRun, cfg: EvaluateConfig, rows: pd.DataFrame) -> list[str]:
    """One line on learned starts, from the rows of `tables/evaluation.csv`; none without them."""
    if cfg.start in (StartKind.rounded, StartKind.linear):
        return []
    exact = rows.loc[rows["decision"] == "exact"]
    return [
        f"exact plans of {run.name} begin at what {cfg.start.name} predicts, or, where the guard "
        f"refuses ({exact['fallback'].mean():.0%}), at the linear relaxation; "
        f"{1e3 * exact['seconds'].sum() / exact['plans'].sum():.3g} ms a plan"
    ]
