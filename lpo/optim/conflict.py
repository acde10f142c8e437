"""Which groups of constraints cannot hold together: an irreducible set, by a deletion filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lpo.errors import InputError

if TYPE_CHECKING:
    import cvxpy as cp

    Constraints = Sequence[cp.Constraint]

BOUNDS = "variable bounds"
"""Group of the bounds that are attributes of variables (`nonneg`, `bounds`)."""


def constraint_groups(
    problem: cp.Problem, groups: Mapping[str, Constraints] | None
) -> dict[str, list[cp.Constraint]]:
    """Return `groups`, or one group a constraint by its label or its place `constraint 0`, ...

    Raises InputError when a group holds a constraint that the problem has not, and when one is
    called as the group of the bounds is.
    """
    own = {constraint.id for constraint in problem.constraints}
    if groups is None:
        named: dict[str, list[cp.Constraint]] = {}
        for place, constraint in enumerate(problem.constraints):
            label = getattr(constraint, "label", None) or f"constraint {place}"
            named.setdefault(str(label), []).append(constraint)
    else:
        named = {name: list(members) for name, members in groups.items()}
    for name, members in named.items():
        if any(constraint.id not in own for constraint in members):
            raise InputError(f"The group `{name}` has a constraint that the problem has not.")
    if BOUNDS in named:
        raise InputError(f"`{BOUNDS}` is the name of the bounds of variables, not of a group.")
    return named


def irreducible(
    names: Sequence[str], feasible: Callable[[frozenset[str]], bool]
) -> tuple[str, ...]:
    """Return some of `names` that are infeasible together and feasible without any one of them.

    feasible(kept): whether the constraints of these groups can hold; it must not be true of all
    of them, and true of a set makes it true of every subset. One call a name: each is left out in
    turn, and stays out if the others still conflict (Chinneck, "Feasibility and infeasibility in
    optimization", 2008, deletion filter). () when they conflict without any of the names.
    """
    kept = list(names)
    for name in names:
        others = frozenset(kept) - {name}
        if not feasible(others):
            kept.remove(name)
    return tuple(kept)
