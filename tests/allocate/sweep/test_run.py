"""Sensitivity analyses against published values, other solvers and single solves."""

import multiprocessing
import operator
import os
import signal
import time
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import SCALES, scaled
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import make_options
from lpo.allocate.sweep import ANALYSES, make_analysis, sweep
from lpo.allocate.sweep.analyses import LOOSER_UP
from lpo.allocate.sweep.table import sweep_table
from lpo.allocate.sweep.workers import WorkerDied, some_workers
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.audit import audit
from lpo.errors import InputError
from tests.solvers import BACKENDS

REFERENCE = make_options(profile="reference")


@pytest.fixture(scope="module")
def published():
    """The published instance, with the cap on dropped queries of the published tables."""
    instance = generate("robust", 42, legacy_stream=True)
    cap = np.minimum(1.0, 0.01 * instance.data.arrivals_per_hour)
    return instance._replace(data=instance.data._replace(unmet_cap=cap))


def solve(instance, analysis, options=REFERENCE, **given):
    given = {"gap": 1e-6, "workers": 1} | given
    return sweep_table(instance, analysis, sweep(instance, analysis, options, **given))


def costs(table, analysis):
    columns = [analysis.a.column, analysis.b.column, "total_cost"]
    return {(a, b): cost for a, b, cost in table[columns].itertuples(index=False)}


# Table values of the published sensitivity analyses.
PUBLISHED = [
    ("cost_budget", [0.40, 0.65], [0.30, 0.50], {(0.40, 0.30): 306.005, (0.65, 0.30): 1297.604}),
    ("cost_budget", [0.40, 0.50], [0.30, 0.35], {(0.40, 0.35): 251.552, (0.50, 0.30): 497.076}),
    (
        "delay_error_threshold",
        [0.01, 0.09],
        [0.4, 1.4],
        {(0.01, 0.4): 1551.510, (0.01, 1.4): 508.795, (0.09, 0.4): 1096.091},
    ),
    ("memory_error", [1.0, 2.0], [1.0, 1.2], {(1.0, 1.0): 494.998, (2.0, 1.2): 303.184}),
]


@pytest.mark.parametrize(("name", "grid_a", "grid_b", "expected"), PUBLISHED)
def test_published_values_by_every_solver(published, name, grid_a, grid_b, expected):
    known = ANALYSES[name]
    analysis = make_analysis(name, known.a.scale, known.b.scale, grid_a, grid_b)
    tables = [solve(published, analysis, solver=solver) for solver in BACKENDS]
    for table in tables:
        found = costs(table, analysis)
        assert {place: found[place] for place in expected} == pytest.approx(expected, abs=6e-4)
    agree = [table["total_cost"].to_numpy() for table in tables]
    assert agree[0] == pytest.approx(agree[-1], rel=1e-6)


def test_feasible_points_under_the_shipped_cap_and_why_the_others_are_not():
    instance = generate("robust", 42, legacy_stream=True)
    grids = [0.40, 0.45, 0.50], [0.35, 0.40, 0.45, 0.50]
    analysis = make_analysis("cost_budget", "price", "budget", *grids)
    table = solve(instance, analysis)
    found = {place: cost for place, cost in costs(table, analysis).items() if np.isfinite(cost)}
    expected = {(0.40, 0.40): 267.848, (0.40, 0.45): 259.573, (0.40, 0.50): 259.573}
    expected |= {(0.45, 0.45): 291.718, (0.45, 0.50): 284.062, (0.50, 0.50): 315.588}
    assert found == pytest.approx(expected, abs=6e-4)
    rows = {(row["p_c_scale"], row["delta_scale"]): row for row in table.to_dict("records")}
    reasons = {place: str(row["reason"]) for place, row in rows.items()}
    assert reasons[0.40, 0.40] == ""
    assert rows[0.40, 0.35]["status"] == "infeasible"
    assert reasons[0.40, 0.35].startswith("cannot hold together on these GPUs: budget, ")
    assert reasons[0.50, 0.35].startswith("tighter than p_c_scale 0.")
    assert np.isnan(rows[0.45, 0.35]["gap"])
    assert rows[0.45, 0.35]["scaled_delta"] == pytest.approx(0.35 * 3000)
    assert np.isfinite(table["solve_time"].to_numpy()).all()


def test_any_pair_of_scales_point_by_point(tiny):
    instance = tiny[0]
    analysis = make_analysis("mine", "demand", "deviation", [1.0, 2.0], [2.0, 0.5])
    options, sets = make_options(), budget(1.0, 1.0)
    points = list(sweep(instance, analysis, options, sets, gap=1e-9, workers=1))
    table = sweep_table(instance, analysis, points)
    assert list(table.columns[:5]) == [
        "demand_scale",
        "deviation_scale",
        "status",
        "solve_time",
        "gap",
    ]
    assert [(r["demand_scale"], r["deviation_scale"]) for r in table.to_dict("records")] == [
        (1.0, 0.5),
        (1.0, 2.0),
        (2.0, 0.5),
        (2.0, 2.0),
    ]
    for point in points:
        at = scaled(instance, demand=point.a, deviation=point.b)
        alone = solve_allocation(at, options, sets, gap=1e-9)
        assert point.solved.status == alone.status
        if point.solved.allocation is not None:
            assert point.row["total_cost"] == pytest.approx(alone.objective, rel=1e-6)
            assert audit(at, point.solved.allocation, options, sets).ok


def test_plans_do_not_depend_on_the_number_of_processes(published, monkeypatch):
    monkeypatch.setattr("lpo.allocate.sweep.run.WORTH_S", 0.0)
    known = ANALYSES["delay_error_threshold"]
    analysis = make_analysis("mine", known.a.scale, known.b.scale, [0.01, 0.05], [0.4, 0.7, 1.0])
    shipped = published._replace(
        data=published.data._replace(unmet_cap=np.minimum(published.data.unmet_cap, 0.5))
    )
    alone, together = (solve(shipped, analysis, gap=0.05, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(
        alone.drop(columns="solve_time"), together.drop(columns="solve_time")
    )


def test_an_abandoned_sweep_leaves_its_points_and_no_process(published, monkeypatch):
    monkeypatch.setattr("lpo.allocate.sweep.run.WORTH_S", 0.0)
    analysis = ANALYSES["memory_error"]
    running = sweep(published, analysis, REFERENCE, workers=3)
    points = list(islice(running, 2))
    assert len(multiprocessing.active_children()) == 2
    running.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert multiprocessing.active_children() == []
    assert len(sweep_table(published, analysis, points)) == 2


def test_other_processes_work_and_their_errors_and_deaths_are_seen():
    call: Any = operator.call
    with some_workers(call, os.readlink, 2) as pool:
        pool.start()
        found, until = set(), time.monotonic() + 60
        while len(found) < 2 and time.monotonic() < until:
            if pool.idle:
                pool.give("who", "/proc/self")
            found.add(pool.answer()[1])
        assert len(found) == 2
        while pool.busy:
            pool.answer()
        pool.give("which", "/nowhere")
        with pytest.raises(FileNotFoundError):
            pool.answer()
    with some_workers(call, time.sleep, 2) as pool:
        pool.start()
        while not pool.ready:
            time.sleep(0.01)
        pool.give("long", 60)
        (child,) = multiprocessing.active_children()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied):
            pool.answer()


@pytest.mark.parametrize("scale", SCALES)
def test_scales_loosen_in_the_direction_that_is_said(tiny, scale):
    instance, plan = tiny
    options, sets = make_options(), budget(1.0, 1.0)
    looser, tighter = (2.0, 0.5) if scale in LOOSER_UP else (0.5, 2.0)
    broken = [
        {row.limit for row in audit(scaled(instance, **{scale: f}), plan, options, sets).violated}
        for f in (looser, 1.0, tighter)
    ]
    assert broken[0] <= broken[1] <= broken[2]
    assert not broken[0]


def test_the_published_grids_are_whole():
    assert sum(len(analysis.points) for analysis in ANALYSES.values()) == 270
    assert ANALYSES["gpu_cost_error"].a.values[-1] == 1.5
    assert make_analysis("memory_error", "memory", "error_limit", [1], [1]).a.column == (
        "C_gpu_scale"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("x", "prices", "budget", [1], [1]), "sweep.a: 'prices' given"),
        (("x", "price", "price", [1], [1]), "another scale"),
        (("x", "price", "budget", [], [1]), "sweep.grid_a"),
        (("x", "price", "budget", [1, 1], [1]), "every value once"),
        (("x", "price", "budget", [1], [-1]), "above 0"),
    ],
)
def test_bad_analyses_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        make_analysis(*given)


def test_workers_below_one_are_refused(published):
    with pytest.raises(InputError, match="`workers`"):
        next(sweep(published, ANALYSES["memory_error"], workers=0))
