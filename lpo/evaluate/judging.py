"""Every method of a run on every chosen test set, by every kind of decision."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo import forecast, provision, workload
from lpo.errors import InputError
from lpo.evaluate.capacity import Unit, cheapest_unit, replicas
from lpo.evaluate.config import EvaluateConfig, listed
from lpo.evaluate.fleet import lower_bound, outcome, roll_fleets
from lpo.evaluate.rows import Outcome, summarise
from lpo.evaluate.trained import TrainedRun
from lpo.l2o.warm.fleet import FleetStart
from lpo.train.problem import catalogue_of, make_fleet
from lpo.train.scoring import Predictions, predict, predict_rules

DEFAULT_RULES = ("oracle", "last", "mean7_tuned", "max7_tuned")
ORACLE = "oracle"


class Candidate(NamedTuple):
    """A method's forecasts on one test set with one seed: [plans, H], or [windows, pairs]."""

    method: str
    seed: int
    forecast: np.ndarray


class Judged(NamedTuple):
    """`rows`: the table of the run. `schedule`: its own method's fleet, slot by slot, if any."""

    rows: pd.DataFrame
    schedule: pd.DataFrame | None


def chosen_sets(run: TrainedRun, cfg: EvaluateConfig, other: dict[str, np.ndarray] | None) -> Any:
    """Windows of the test sets that `cfg` asks for. Raises `InputError` on an unknown name."""
    known = run.problem.tests if other is None else other
    default = [run.problem.own] if other is None else list(known)
    return _chosen("test_sets", cfg.test_sets, list(known), default, known)


def _chosen(key: str, asked: Any, names: list[str], default: list[str], known: Any):
    wanted = default if asked is None else names if asked == "all" else listed(asked)
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(f"{key}: {unknown[0]} given; allowed: all, {', '.join(names)}")
    return {name: known[name] for name in wanted}


def forecasts(
    run: TrainedRun, cfg: EvaluateConfig, tests: dict[str, np.ndarray]
) -> list[Predictions]:
    """Decision forecasts of the chosen methods and rules on `tests`, the oracle always first.

    Rules have one seed. Raises `InputError` on an unknown method, or a rule that does not apply.
    """
    problem = run.problem._replace(tests=tests)
    if cfg.workload is not None:
        problem = problem._replace(clocks=None)  # those of the run's own series, not of another's
    rules = forecast.applicable_rules(
        slots=run.task.horizon is not None,
        fractile=run.task.fractile,
        clock=problem.clocks is not None,
    )
    names = [*rules, *run.methods]
    default = [*DEFAULT_RULES, *run.methods]
    wanted = _chosen("methods", cfg.methods, names, default, dict.fromkeys(names))
    count = run.cfg.seeds if cfg.seeds is None else cfg.seeds
    if count > run.cfg.seeds:
        raise InputError(f"seeds: {count} given; allowed: at most {run.cfg.seeds}, the run's")
    predictions = predict_rules(problem, run.task, 1, {ORACLE, *wanted})
    for name in wanted:
        if name in run.methods:
            every = predict(name, run.methods[name], problem, run.task)
            by_set = {test_set: values[:count] for test_set, values in every.by_set.items()}
            predictions.append(Predictions(name, by_set))
    return predictions


def judge(
    run: TrainedRun,
    cfg: EvaluateConfig,
    tests: dict[str, np.ndarray],
    predictions: list[Predictions],
    advance: Callable[[int], Any],
    start: FleetStart | None = None,
) -> Judged:
    """Decide, price and compare; `advance` is told how many decisions are made.

    One row a method, seed, test set and kind of decision. start: of exact plans of a fleet, None
    for the task's relaxation, rounded.
    """
    fleet = run.cfg.provision.name.name == "fleet"
    on_set = partial(_fleet_rows, start=start) if fleet else _capacity_rows
    rows, schedules = [], []
    for name, windows in tests.items():
        candidates = [
            Candidate(each.method, run.cfg.seed + i, values)
            for each in predictions
            for i, values in enumerate(each.by_set[name])
        ]
        _, target = workload.pairs(windows.astype(np.float64), run.problem.layout)
        for row, schedule in on_set(run, cfg, candidates, target, advance):
            rows.append({"run": run.name, "test_set": name} | row)
            if schedule is not None:
                schedules.append(schedule.assign(test_set=name))
    schedule = pd.concat(schedules, ignore_index=True) if schedules else None
    return Judged(pd.DataFrame(rows), schedule)


Rows = Iterator[tuple[dict[str, Any], pd.DataFrame | None]]


def _fleet_rows(
    run: TrainedRun,
    cfg: EvaluateConfig,
    candidates: list[Candidate],
    target: np.ndarray,
    advance: Callable[[int], Any],
    start: FleetStart | None,
) -> Rows:
    task = run.task
    assert isinstance(task, provision.FleetTask)
    commit = task.horizon if cfg.replan is None else cfg.replan
    truth = cfg.demand_scale * target[:, 0]  # [plans, H]
    demand = truth[:, :commit].reshape(-1)
    batch = cfg.demand_scale * np.stack([each.forecast[:, 0] for each in candidates])
    bound = lower_bound(task.fleet, demand)
    kinds = [kind.name for kind in cfg.decisions]
    own = run.cfg.robust.method.name
    rolled = {
        kind: roll_fleets(
            task,
            kind,
            batch,
            commit,
            solver=cfg.solver.name,
            gap=cfg.gap,
            time_limit_s=cfg.time_limit_s,
            advance=advance,
            start=start,
        )
        for kind in kinds
    }
    for kind in kinds:
        reference = _reference(kind, kinds)
        for i, each in enumerate(candidates):
            n = rolled[kind].n[i]
            result = outcome(task.fleet, n, rolled[reference].n[0], demand, commit)
            row = {"method": each.method, "seed": each.seed, "decision": kind}
            row |= summarise(result, True, _block(run)) | {
                "bound_usd": bound,
                "gap_max": rolled[kind].gap,
                "solver": rolled[kind].solver,
                "seconds": rolled[kind].seconds / len(candidates),
                "start": cfg.start.name if kind == "exact" else "",
                "fallback": rolled[kind].fallback,
            }
            first = each.method == own and each.seed == run.cfg.seed and kind == kinds[-1]
            schedule = _schedule(run, n, batch[i], demand, commit) if first else None
            yield row, schedule


def _reference(kind: str, kinds: list[str]) -> str:
    """The oracle's kind of decision: for whole replicas the best whole ones that were asked for."""
    return "exact" if kind != "relaxed" and "exact" in kinds else kind


def _block(run: TrainedRun) -> int:
    return provision.block_length(run.problem.layout.window, run.problem.protocol.test_stride)


def _schedule(
    run: TrainedRun, n: np.ndarray, forecast: np.ndarray, demand: np.ndarray, commit: int
) -> pd.DataFrame:
    task = run.task
    assert isinstance(task, provision.FleetTask)
    served = provision.dispatch(task.fleet, n, demand)
    names = catalogue_of(run.cfg.provision).names
    return pd.DataFrame(
        {
            "slot": np.arange(len(demand)),
            "demand_tokens": demand,
            "forecast_tokens": forecast[:, :commit].reshape(-1),
            "capacity_tokens": n @ task.fleet.capacity,
            "unserved_tokens": served.unserved,
            "gpus": n @ task.fleet.gpus,
        }
        | {f"replicas {name}": n[:, k] for k, name in enumerate(names)}
    )


def _capacity_rows(
    run: TrainedRun,
    cfg: EvaluateConfig,
    candidates: list[Candidate],
    target: np.ndarray,
    advance: Callable[[int], Any],
) -> Rows:
    task = run.task
    assert isinstance(task, provision.CapacityTask)
    fleet = make_fleet(run.cfg.provision, run.problem.protocol.bin_s)
    unit = cheapest_unit(fleet, catalogue_of(run.cfg.provision).names)
    money = not task.normalised
    usd = unit.usd / unit.tokens / run.cfg.provision.c_over if money else 1.0
    demand = cfg.demand_scale * target
    kinds = [kind.name for kind in cfg.decisions]
    for kind in kinds:
        reference = _reference(kind, kinds)
        best = replicas(task, unit, demand, reference)
        for each in candidates:
            n = replicas(task, unit, cfg.demand_scale * each.forecast, kind)
            advance(len(n))
            row = {"method": each.method, "seed": each.seed, "decision": kind}
            row |= summarise(
                _capacity_outcome(task, unit, n, best, demand, usd), money, _block(run)
            )
            yield row | {"solver": "closed form"}, None


def _capacity_outcome(
    task: provision.CapacityTask,
    unit: Unit,
    n: np.ndarray,
    best: np.ndarray,
    demand: np.ndarray,
    usd: float,
) -> Outcome:
    def cost(replicas: np.ndarray) -> np.ndarray:
        return usd * np.asarray(task.cost(replicas * unit.tokens, demand)).sum(axis=-1)

    unserved = np.maximum(demand - n * unit.tokens, 0.0).sum(axis=-1)
    gpus = [unit.gpus * each.mean(axis=-1) for each in (n, best)]
    return Outcome(cost(n), cost(best), demand.sum(axis=-1), unserved, *gpus)
