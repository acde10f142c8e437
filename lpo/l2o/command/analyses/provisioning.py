"""Starts of the provisioning program, on problems as in training and on shifted ones:
`+experiment=l2o_provisioning`. docs/l2o_warm_starts.md."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from lpo.l2o.classical.method import path
from lpo.l2o.classical.pdhg import pdhg, solve
from lpo.l2o.command.analyses.labelling import labelled
from lpo.l2o.command.analyses.refusing import refuse_comparison
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import Problem, sample_problems
from lpo.l2o.linear import LinearFamily, family_of, solved
from lpo.l2o.warm.guard import guarded
from lpo.l2o.warm.kinds import Kind, Settings
from lpo.l2o.warm.predictors import Predictor, fit
from lpo.l2o.warm.repair import repaired, repaired_gap
from lpo.runs import Findings, Picture, ResultTable, RunFolder, progress
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import WHOLE, numbers_or, only
from lpo.runs.pictures import line_picture

TARGET = 1e-3
"""The KKT error to which PDHG runs."""
STARTS = (Kind.NONE, Kind.MEAN, Kind.NEAREST, Kind.REGRESSION, Kind.DIFFUSION)
SHIFTS: dict[str, dict[str, Any]] = {
    "as in training": {},
    "demand x 1.5": {"demand_factor": 1.5},
    "new prices": {"price_factor": (0.6, 1.5, 0.7, 1.4, 0.8)},
}
"""What the test problems are drawn from; predictors are trained on the first."""
_USUAL = {
    "problems": 3000.0,
    "tests": 256.0,
    "limit": 20000.0,
    "training": 3000.0,
    "levels": 12.0,
    "samples": 8.0,
}
_TRAINING, _TESTS, _NETWORKS, _SAMPLES = range(4)
_TIMED = 64  # problems of which each is timed by itself
_DRAWN = 300  # iterations in the picture
_SHOWN = (
    "problems",
    "start",
    "iterations_median",
    "iterations_p90",
    "kkt_mean",
    "gap_mean",
    "total_ms",
    "fallback",
)


class _Tests(NamedTuple):
    """problems: leaves [B, ...]. least: optimal costs, [B]."""

    problems: Problem
    least: np.ndarray


class _Tools(NamedTuple):
    """Compiled once for all starts. run, errors: of all problems; alone: of one; guard: of all."""

    run: Callable[..., Any]
    alone: Callable[..., Any]
    errors: Callable[..., Any]
    guard: Callable[..., Any]


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Fit every start on solved problems, and let PDHG and the repair go on from it.

    Raises InputError on settings of the comparison on a family, and on `analysis.values` that mean
    nothing.
    """
    refuse_comparison(cfg)
    usual = {name: [number] for name, number in _USUAL.items()}
    given = only(numbers_or(cfg, dict.fromkeys(_USUAL, WHOLE), **usual))
    count = {name: int(number) for name, number in given.items()}
    key = jax.random.key(cfg.seed)
    linear = provisioning()
    known = sample_problems(
        family_of(linear), jax.random.fold_in(key, _TRAINING), count["problems"]
    )
    clock = perf_counter()
    labels = labelled(linear, known)
    label_s = perf_counter() - clock
    tests = {
        name: _tests(shift, jax.random.fold_in(key, _TESTS), count["tests"])
        for name, shift in SHIFTS.items()
    }
    tools = _tools(linear, count["limit"])
    settings = Settings(levels=count["levels"], count=count["samples"], training=count["training"])
    predictors, fit_s = [], []
    with progress(len(STARTS), "training", "start") as advance:
        for kind in STARTS:
            clock = perf_counter()
            networks = jax.random.fold_in(key, _NETWORKS)
            predictors.append(fit(kind, linear, known, labels, networks, settings))
            fit_s.append(perf_counter() - clock)
            advance(1)
    parts, curves = [], []
    sampling = jax.random.fold_in(key, _SAMPLES)
    with progress(len(STARTS) * len(tests), "tests", "row") as advance:
        for name, test in tests.items():
            rows = []
            for predictor in predictors:
                row, curve = _row(tools, predictor, test, sampling)
                rows.append({"problems": name, "start": str(predictor.kind), **row})
                curves.append(curve.assign(problems=name, start=str(predictor.kind)))
                advance(1)
            times = _milliseconds(tools, predictors, test, sampling)
            parts.append(pd.concat([pd.DataFrame(rows), times], axis=1).assign(fit_s=fit_s))
    folder.record(timings_s={"labels": label_s, "training": sum(fit_s)})
    table = pd.concat(parts, ignore_index=True)
    highs_ms = 1e3 * label_s / count["problems"]
    return _findings(table, pd.concat(curves, ignore_index=True), count, highs_ms)


def _tests(shift: dict[str, Any], key: jax.Array, count: int) -> _Tests:
    linear = provisioning(**shift)
    problems = sample_problems(family_of(linear), key, count)
    return _Tests(problems, solved(linear, problems).value)


def _tools(linear: LinearFamily, limit: int) -> _Tools:
    one = partial(solve, linear, target=TARGET, limit=limit)
    family, method, steps = family_of(linear), pdhg(linear), min(_DRAWN, limit)

    def errors(problem: Problem, z: jax.Array) -> jax.Array:
        return jax.numpy.sqrt(path(family, method, problem, z, steps).value)

    def guard(problem: Problem, z: jax.Array, predictor: Predictor) -> tuple[jax.Array, jax.Array]:
        found = guarded(linear, predictor.known, problem, z)
        return found.fell_back, found.outside

    return _Tools(
        jax.jit(jax.vmap(one)),
        jax.jit(one),
        jax.jit(jax.vmap(errors)),
        lambda problems, z, predictor: jax.jit(jax.vmap(partial(guard, predictor=predictor)))(
            problems, z
        ),
    )


def _row(
    tools: _Tools, predictor: Predictor, test: _Tests, key: jax.Array
) -> tuple[dict[str, Any], pd.DataFrame]:
    """One row of the table, and the KKT error by iterations."""
    starts = predictor.starts(test.problems, key)
    found = tools.run(test.problems, starts.z)
    needed = np.asarray(found.iterations)
    gap = repaired_gap(repaired(test.problems, starts.z), test.least)
    fell_back, outside = tools.guard(test.problems, starts.z, predictor)
    kkt = np.asarray(starts.error)
    row = {
        "iterations_median": float(np.median(needed)),
        "iterations_p90": float(np.percentile(needed, 90)),
        "reached": float(np.asarray(found.reached).mean()),
        "kkt_mean": float(kkt.mean()),
        "kkt_median": float(np.median(kkt)),
        "gap_mean": float(gap.mean()),
        "gap_median": float(np.median(gap)),
        "gradients": int(starts.calls[0]),
        "fallback": float(np.asarray(fell_back).mean()),
        "outside": float(np.asarray(outside).mean()),
    }
    error = np.median(np.asarray(tools.errors(test.problems, starts.z)), 0)
    return row, pd.DataFrame({"iterations": np.arange(len(error)), "kkt_median": error})


def _milliseconds(
    tools: _Tools, predictors: list[Predictor], test: _Tests, key: jax.Array
) -> pd.DataFrame:
    """Medians over problems, each by itself: the prediction, the repair, PDHG to the target.

    One row a predictor. They take turns, so that what else the machine does hits all alike.
    """

    def timed(work: Callable[[], Any]) -> tuple[Any, float]:
        clock = perf_counter()
        found = jax.block_until_ready(work())
        return found, 1e3 * (perf_counter() - clock)

    def all_of(predictor: Predictor, i: int) -> tuple[float, ...]:
        part = jax.tree.map(lambda leaf: leaf[i : i + 1], test.problems)
        problem = jax.tree.map(lambda leaf: leaf[0], part)
        own = jax.random.fold_in(key, i)
        start, predict = timed(lambda: predictor.start(problem, own))
        z = np.asarray(start.z)[None]
        _, repair = timed(lambda: tuple(repaired(part, z)))
        _, onward = timed(lambda: tools.alone(problem, start.z))
        return predict, repair, onward, predict + onward

    for predictor in predictors:
        all_of(predictor, 0)  # compiles
    times = [
        [all_of(predictor, i) for predictor in predictors]
        for i in range(min(_TIMED, len(test.least)))
    ]
    names = ["predict_ms", "repair_ms", "pdhg_ms", "total_ms"]
    return pd.DataFrame(np.median(times, 0), columns=names)


def _findings(
    table: pd.DataFrame, curves: pd.DataFrame, count: dict[str, int], highs_ms: float
) -> Findings:
    first = table.loc[table["problems"] == next(iter(SHIFTS))].set_index("start")
    needed = first["iterations_median"].to_dict()
    best = min(needed, key=lambda name: needed[name])
    return Findings(
        result=(
            f"{best} needs the fewest iterations of PDHG, {needed[best]:.4g} in the median; "
            f"nothing {needed[Kind.NONE]:.4g}, diffusion {needed[Kind.DIFFUSION]:.4g}"
        ),
        metrics={
            f"{name}/{row['problems'].replace(' ', '_')}/{row['start']}": float(row[name])
            for row in table.to_dict("records")
            for name in ("iterations_median", "kkt_mean", "gap_mean", "total_ms", "fallback")
        },
        tables={
            "starts": ResultTable(
                "Starts of the provisioning program",
                f"Over {count['tests']} test problems. iterations: of PDHG from the start to a KKT "
                f"error of {TARGET:g}, at most {count['limit']}; reached: share that got there. "
                "kkt: error of the start itself. gap: of the start repaired into a plan, above the "
                "optimum. predict_ms, repair_ms, pdhg_ms: milliseconds of one problem by itself, "
                "medians; total_ms: predicting and PDHG. gradients: taken by a prediction. "
                "fallback: share of problems on which the guard would use the cold start; outside: "
                f"because they are unlike training. fit_s: seconds of training.",
                table,
            )
        },
        pictures={"kkt": _picture(curves)},
        shown=[("starts of the provisioning program", table.loc[:, list(_SHOWN)])],
        notes=_notes(table, highs_ms),
        frames={"curves": curves},
    )


def _notes(table: pd.DataFrame, highs_ms: float) -> list[str]:
    """Which start wins, by what, on which problems."""
    notes = []
    for name in SHIFTS:
        part = table.loc[table["problems"] == name].set_index("start")
        parts = []
        for column, words, factor, unit in (
            ("iterations_median", "fewest iterations", 1.0, ""),
            ("total_ms", "least time, predicting included", 1.0, " ms"),
            ("gap_mean", "cheapest repaired plan", 100.0, " % above the optimum"),
        ):
            best = str(part[column].idxmin())
            least, ours = (factor * float(part.loc[s, column]) for s in (best, "diffusion"))
            against = "" if best == "diffusion" else f"; diffusion {ours:.3g}{unit}"
            parts.append(f"{words}: {best} ({least:.3g}{unit}{against})")
        notes.append(f"Problems {name}: {', '.join(parts)}.")
    notes.append(
        f"HiGHS states and solves a problem of this size exactly in {highs_ms:.2g} ms, from no "
        f"start; total_ms ends at a KKT error of {TARGET:g}."
    )
    return notes


def _picture(curves: pd.DataFrame) -> Picture:
    """A panel a kind of problems, a line a start."""
    shown, panels = curves.copy(), []
    for i, name in enumerate(SHIFTS):
        shown[f"kkt_{i}"] = shown["kkt_median"].where(shown["problems"] == name)
        panels.append(
            Lines(
                f"Problems {name}",
                "iterations",
                f"kkt_{i}",
                "start",
                reference=TARGET,
                log=(False, True),
            )
        )
    words = {f"kkt_{i}": "KKT error, median" for i in range(len(panels))}
    return line_picture(
        "KKT error by iterations of PDHG",
        "Medians over test problems, by where PDHG begins; the dashed line: the target.",
        shown,
        panels,
        {"iterations": "iterations of PDHG", "start": "start", **words},
    )
