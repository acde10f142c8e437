"""Which limits leave a point of a sweep without a plan, when each type has one place."""

from lpo.allocate.explain.limits import with_limits
from lpo.allocate.instance import InstanceData
from lpo.allocate.model.program import Program
from lpo.allocate.narrowing import plan_exists
from lpo.optim.conflict import irreducible
from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.matrix_program import feasibility
from lpo.optim.outcome import MilpStatus

# No plan comes near such a limit, and rows divided by it keep their other entries.
_NO_LIMIT = {"unmet cap": 1.0, "delay": 1e9, "error": 1e6, "budget": 1e12, "storage": 1e12}


def conflicting_limits(
    program: Program, data: InstanceData, *, time_limit_s: float | None = None
) -> tuple[str, ...]:
    """Return named limits that cannot hold together and can without any one of them.

    Memory and compute of GPUs always hold: nobody relaxes them. A limit is left out by raising its
    number, so that what is left stays tight and most questions are answered by `plan_exists`; HiGHS
    answers the others, for which `time_limit_s` holds each. () where no plan fits the GPUs whatever
    the limits. For programs that `can_narrow` allows, without limits on numbers of GPUs.
    """
    here = program.instance._replace(data=data)
    names = [name for name in program.limits() if name.partition(" of ")[0] in _NO_LIMIT]

    def feasible(kept: frozenset[str]) -> bool:
        free = {name: _NO_LIMIT[name.partition(" of ")[0]] for name in names if name not in kept}
        changed = with_limits(here, free).data
        matrix = program.matrix(changed)
        known = plan_exists(program, matrix, changed)
        if known is not None:
            return known
        result = solve_matrix(
            feasibility(matrix), solver="highs", time_limit_s=time_limit_s, gap=0.5, threads=1
        )
        return result.status is not MilpStatus.INFEASIBLE

    return irreducible(names, feasible)
