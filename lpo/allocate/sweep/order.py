"""In which order the points of a sweep are solved, and what follows without solving."""

from collections.abc import Generator, Iterable
from typing import NamedTuple

import numpy as np


class Ask(NamedTuple):
    """Solve the point at `index` of a row, from the plan of that at `start` (None: nothing)."""

    index: int
    start: int | None


class Answer(NamedTuple):
    """Whether the point has a plan, and whether it is known that it can have none."""

    plan: bool
    infeasible: bool


def row_order(count: int) -> Generator[Ask, Answer, None]:
    """Ask for every point of a row, 0 the tightest, each once; the answers are sent in.

    A plan stays one when limits are loosened, so each point starts from the next tighter one. What
    is infeasible stays so when limits are tightened, so the tightest point with a plan is found by
    bisection and those below it are asked last, when the answer is known. Which points are asked
    with which starts depends on the answers alone: equal rows give equal plans.
    """
    last = count - 1
    plans: set[int] = set()
    asked: set[int] = set()

    def ask(index: int, start: int | None) -> Generator[Ask, Answer, Answer]:
        asked.add(index)
        answer = yield Ask(index, start)
        if answer.plan:
            plans.add(index)
        return answer

    answer = yield from ask(last, None)
    if not answer.infeasible and last > 0:
        answer = yield from ask(0, None)
        low, high = 0, last
        while answer.infeasible and high - low > 1:
            middle = (low + high) // 2
            found = yield from ask(middle, None)
            low, high = (low, middle) if found.plan else (middle, high)
    for index in range(count):
        if index not in asked and (tighter := [known for known in plans if known < index]):
            yield from ask(index, max(tighter))
    for index in reversed(range(count)):
        if index not in asked:
            yield from ask(index, None)


class Infeasible:
    """Points known to be infeasible on a grid whose indices go from tight to loose."""

    def __init__(self, shape: tuple[int, int]):
        self.known = np.zeros(shape, bool)

    def add(self, point: tuple[int, int]) -> None:
        """Note an infeasible point."""
        self.known[point] = True

    def implies(self, point: tuple[int, int]) -> bool:
        """Whether a point that is at least as loose in both scales is infeasible."""
        return bool(self.known[point[0] :, point[1] :].any())


def loosest(points: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """For each infeasible point the loosest that makes it so: itself, or one looser than it.

    Points are pairs of indices from tight to loose. Of several the one with the greatest sum of
    indices is named, then with the greatest first index: the same whatever order they were found.
    """
    known = sorted(set(points), key=lambda p: (-sum(p), -p[0]))
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for point in known:
        looser = [q for q in known if q[0] >= point[0] and q[1] >= point[1]]
        found[point] = looser[0]
    return found
