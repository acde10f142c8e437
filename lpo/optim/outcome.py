"""How the solution of a mixed-integer program ended, for every back end."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np


class MilpStatus(StrEnum):
    """How a solve ended; compares equal to its word.

    optimal: within the gap asked for. feasible: a point, stopped before that. time_limit: stopped
    without a point. licence_refused: Gurobi was asked for by name and its licence does not take the
    problem. error: anything else, which the notes name.
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    TIME_LIMIT = "time_limit"
    LICENCE_REFUSED = "licence_refused"
    ERROR = "error"


class Incumbent(NamedTuple):
    """A whole point that a search found. seconds: since it began. objective: offset included."""

    seconds: float
    objective: float


class Outcome(NamedTuple):
    """What a back end found for a `MatrixProgram`, which minimises.

    status None: no optimum exists, because the program is infeasible or because it is unbounded.
    x: [n] or None. objective, bound: offset included, None without one. note: what went wrong.
    incumbents: each better point of a search as it was found, HiGHS alone.
    """

    status: MilpStatus | None
    x: np.ndarray | None
    objective: float | None
    bound: float | None
    nodes: int
    note: str = ""
    incumbents: tuple[Incumbent, ...] = ()


class LicenceRefused(Exception):
    """The back end is not installed, or its licence does not take a problem of this size."""


class Interrupted(KeyboardInterrupt):
    """The user stopped a search; `outcome` is what it had found and `solver` what was running."""

    def __init__(self, outcome: Outcome, solver: str = ""):
        super().__init__("the search was stopped")
        self.outcome = outcome
        self.solver = solver


TOLERANCE = 1e-9
"""Of rows, bounds and whole numbers: a whole number that is off by 1e-6 serves demand for free."""
