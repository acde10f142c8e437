"""What is said of an instance without a plan: limits to blame, and what would repair it."""

from collections.abc import Sequence
from typing import NoReturn

import pandas as pd

from lpo.allocate.command.config import AllocateConfig, SolverKind
from lpo.allocate.command.problem import Problem
from lpo.allocate.command.solving import without_warnings
from lpo.allocate.explain.repair import Repair, least_relaxation
from lpo.allocate.model.exact import Solved
from lpo.runs import Infeasible, RunFolder, print_table

ALL = "all of these"
ONE = "this alone"
HARDWARE = ("memory", "compute")  # of GPUs, which nobody relaxes
MANY = 3


def give_up(folder: RunFolder, cfg: AllocateConfig, problem: Problem, solved: Solved) -> NoReturn:
    """Raise Infeasible with the conflict and the least relaxation; write `tables/repair.csv`."""
    instance, options, uncertainty = problem[:3]
    with without_warnings():
        repair = least_relaxation(
            instance,
            options,
            uncertainty,
            alone=solved.conflict,
            solver="highs" if cfg.solver is SolverKind.highs else "auto",
            time_limit_s=cfg.time_limit,
            threads=cfg.threads,
        )
    table = _table(repair)
    folder.write_table("repair", table)
    if len(table):
        print_table(table, "what would make a plan possible")
    for note in (*solved.notes, *repair.notes):
        print(f"note: {note}")
    raise Infeasible(
        f"{_blamed(solved.conflict)}; {_remedy(repair)}",
        conflict=list(solved.conflict),
        relaxations=[each.record() for each in repair.together],
        relaxations_alone=[each.record() for each in repair.alone],
        relaxation_total=repair.total,
    )


def _blamed(conflict: Sequence[str]) -> str:
    """What cannot hold together; the memory or compute of many tiers is one of it."""
    parts = [name for name in conflict if name.partition(" of ")[0] not in HARDWARE]
    for kind in HARDWARE:
        tiers = [name for name in conflict if name.startswith(f"{kind} of ")]
        parts += tiers if len(tiers) < MANY else [f"{kind} of {len(tiers)} tiers"]
    if not parts:
        return "no limit of the instance is to blame"
    return f"{', '.join(parts)} cannot hold{' together' * (len(conflict) > 1)}"


def _remedy(repair: Repair) -> str:
    if repair.together:
        return f"least relaxation: {', '.join(each.words for each in repair.together)}"
    return f"no relaxation found ({repair.status})"


def _table(repair: Repair) -> pd.DataFrame:
    rows = [
        {"enough": kind} | each.record()
        for kind, group in ((ALL, repair.together), (ONE, repair.alone))
        for each in group
    ]
    return pd.DataFrame(rows, columns=pd.Index(["enough", *COLUMNS]))


COLUMNS = ("limit", "from", "to", "unit", "relative")
