"""Sensitivity analyses: the plan at every pair of two scales. docs/allocate_sweeps.md."""

from collections.abc import Generator, Iterator
from time import perf_counter
from typing import Any

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import Solved
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.sweep.analyses import Analysis
from lpo.allocate.sweep.columns import row_of_plan
from lpo.allocate.sweep.order import Answer, Ask, Infeasible, loosest, row_order
from lpo.allocate.sweep.point import Point, Settings, Task, settings, solve_point
from lpo.allocate.sweep.workers import Workers, some_workers, usable_cores
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.optim.outcome import MilpStatus

WORTH_S = 3.0
"""Seconds of work that are left when other processes are started, which takes one."""

Place = tuple[int, int]
"""Indices of a point in the two axes, from tight to loose."""


def sweep(
    instance: Instance,
    analysis: Analysis,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    workers: int | None = None,
    explain: bool = True,
) -> Iterator[Point]:
    """Yield a point as soon as it is known; `sweep_table` puts them in order.

    Points of one value of the first scale are solved from tight to loose, each from the plan
    before it; what is tighter than an infeasible point is infeasible too and not solved. Infeasible
    points come again at the end, with the limits to blame or the looser point that implies them: a
    later point replaces the earlier one. Plans do not depend on `workers`, unless a time limit
    strikes.

    **Arguments:**

    - `options`, `uncertainty`, `solver`, `time_limit_s`, `gap`: of each point, as in
      `solve_allocation`; one thread a solve.
    - `workers`: most processes, None for as many as there are cores to use; 1 solves in this one,
      as happens to little work (`WORTH_S`).
    - `explain`: find the limits that conflict at infeasible points that none looser implies.

    Raises InputError on arguments that `solve_allocation` refuses and on `workers` below 1, and
    KeyboardInterrupt when the user stops it; points that were yielded stay true.
    """
    if workers is not None and workers < 1:
        raise InputError(f"`workers` must be at least 1 or None, got {workers}.")
    given = settings(
        instance,
        analysis,
        options,
        uncertainty,
        solver=solver,
        time_limit_s=time_limit_s,
        gap=gap,
    )
    rows = [_Row(place, len(analysis.b.values)) for place in range(len(analysis.a.values))]
    count = min(usable_cores() if workers is None else workers, len(rows))
    with some_workers(solve_point, given, count) as pool:
        infeasible = Infeasible((len(rows), len(analysis.b.values)))
        found: dict[Place, Point] = {}
        for place, point in _solved(given, rows, infeasible, pool):
            found[place] = point
            yield point
        yield from _explained(given, found, pool, explain)


class _Row:
    """The points of one value of the first scale, by their indices from tight to loose."""

    def __init__(self, place: int, count: int):
        self.place, self.left = place, count
        self.plans: dict[int, Allocation] = {}
        self._order = row_order(count)
        self.ask: Ask | None = next(self._order)
        self.waits = False

    def take(self, index: int, point: Point) -> None:
        """Go on with the answer to `ask`."""
        plan = point.solved.allocation
        if plan is not None:
            self.plans[index] = plan
        self.left -= 1
        self.waits = False
        infeasible = point.solved.status is MilpStatus.INFEASIBLE
        try:
            self.ask = self._order.send(Answer(plan is not None, infeasible))
        except StopIteration:
            self.ask = None


class _Pace:
    """Starts other processes when the work that is left is worth it."""

    def __init__(self, pool: Workers):
        self.pool, self.clock, self.answers = pool, perf_counter(), 0

    def answered(self, left: int) -> None:
        """Note an answer, with `left` to come."""
        self.answers += 1
        seconds = perf_counter() - self.clock
        if self.answers == 1 and seconds < WORTH_S / 5:  # what is loaded once would count often
            return
        if left * seconds / self.answers > WORTH_S:
            self.pool.start()


def _solved(
    given: Settings, rows: list[_Row], infeasible: Infeasible, pool: Workers
) -> Generator[tuple[Place, Point], None, None]:
    """Every point once. Of the rows that can go on, the one with most left goes first."""
    pace = _Pace(pool)
    while True:
        for row in rows:
            while row.ask and not row.waits and infeasible.implies((row.place, row.ask.index)):
                place = (row.place, row.ask.index)
                point = _implied(given, place)
                row.take(place[1], point)
                yield place, point
        ready = [row for row in rows if row.ask and not row.waits]
        ready.sort(key=lambda row: (-row.left, -row.place))
        for row in ready:
            if not pool.idle:
                break
            assert row.ask is not None
            start = None if row.ask.start is None else row.plans[row.ask.start]
            row.waits = True
            place = (row.place, row.ask.index)
            pool.give(place, Task(*_values(given.analysis, place), start, False))
        if not pool.busy:
            return
        place, point = pool.answer()
        pace.answered(sum(row.left for row in rows))
        if point.solved.status is MilpStatus.INFEASIBLE:
            infeasible.add(place)
        rows[place[0]].take(place[1], point)
        yield place, point


def _explained(
    given: Settings, found: dict[Place, Point], pool: Workers, explain: bool
) -> Iterator[Point]:
    """The infeasible points again, with the reason that does not depend on the order."""
    causes = loosest(
        place for place, each in found.items() if each.solved.status is MilpStatus.INFEASIBLE
    )
    first = sorted(place for place, cause in causes.items() if place == cause)
    waiting, pace = list(first) if explain else [], _Pace(pool)
    while waiting or pool.busy:
        while waiting and pool.idle:
            place = waiting.pop()
            pool.give(place, Task(*_values(given.analysis, place), None, True))
        place, point = pool.answer()
        pace.answered(len(waiting))
        if point.solved.status is MilpStatus.INFEASIBLE:  # not stopped by a time limit
            seconds = found[place].solved.seconds
            found[place] = point._replace(solved=point.solved._replace(seconds=seconds))
    for place in first:
        yield found[place]
    for place, cause in causes.items():
        if place != cause:
            yield found[place]._replace(reason=_because(given.analysis, found[cause]))


def _because(analysis: Analysis, cause: Point) -> str:
    where = f"{analysis.a.column} {cause.a:g}, {analysis.b.column} {cause.b:g}"
    why = "" if cause.reason == "infeasible" else f" ({cause.reason})"
    return f"tighter than {where}, which is infeasible{why}"


def _values(analysis: Analysis, place: Place) -> tuple[float, float]:
    return analysis.a.tight_to_loose[place[0]], analysis.b.tight_to_loose[place[1]]


def _implied(given: Settings, place: Place) -> Point:
    """A point that need not be solved, because a looser one is infeasible."""
    analysis, program = given.analysis, given.program
    a, b = _values(analysis, place)
    at = scaled(given.instance, **{analysis.a.scale: a, analysis.b.scale: b})
    status: Any = MilpStatus.INFEASIBLE
    solved = Solved(None, status, None, None, None, "", 0.0, 0, (), (), 0, 0)
    row = row_of_plan(at, None, program.options, program.uncertainty, analysis.extra)
    return Point(a, b, solved, row, "tighter than an infeasible point")
