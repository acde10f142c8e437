"""The allocation of given replicas that costs least. docs/allocate_heuristic.md."""

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.heuristic.column_generation import penalty
from lpo.allocate.heuristic.routing_table import RoutingTable, routing_table
from lpo.allocate.heuristic.share_program import ShareProgram
from lpo.allocate.heuristic.worst_cuts import Cut, carried, violated_cuts
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import make_columns
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty

_NOTHING = 1e-9  # a share that is rounding of the solver
_UNSERVED = 1e-7  # sum of shares
_DEARER = 1e4  # factor on the penalty for what nobody serves
_CUT = 1e-7  # of a limit: what a worst case may exceed the program's by


def best_shares(
    instance: Instance,
    replicas: np.ndarray,
    options: Options,
    uncertainty: Uncertainty,
    deadline: float,
    *,
    routes: np.ndarray | None = None,
    as_box: float = np.inf,
    known: tuple[RoutingTable, list[Cut]] | None = None,
) -> Allocation | None:
    """Return the cheapest shares for replicas [J, K, N].

    None if these cannot keep the limits, or if the `deadline` of `perf_counter` comes first.
    Replicas that the shares do not need are given up. Weights stored by route are counted in
    proportion to the share.

    routes: [I, J, K, N] bool, those that may be used; None for all. as_box: as in `routing_table`.
    known: worst cases to begin with, and the table that they are stated in.
    """
    columns = make_columns(instance, deployments=replicas > 0)
    table = routing_table(instance, options, uncertainty, columns, as_box=as_box)
    place = (table.model, table.tier, table.degree_index)
    if routes is not None:
        table = table._replace(most=np.where(routes[:, *place], table.most, 0.0))
    number = replicas[place].astype(np.float64)
    program = ShareProgram(instance, table, _DEARER * penalty(table))
    program.add_routes(table.most > 0.0)
    program.set_replicas(number, number)
    if known is not None:
        program.add_cuts(carried(known[1], known[0], table))
    cuts = None
    while cuts is None or cuts:
        if not program.solve(deadline):
            return None
        shares = program.shares()
        cuts = violated_cuts(table, shares.share, shares.worst, _CUT)
        program.add_cuts(cuts)
    if shares.unserved > _UNSERVED:
        return None
    share = np.zeros(instance.shape)
    share[:, *place] = np.where(shares.share > _NOTHING, shares.share, 0.0)
    unmet = np.where(shares.unmet > _NOTHING, shares.unmet, 0.0)
    whole = share.sum(axis=(1, 2, 3)) + unmet
    share, unmet = share / whole[:, None, None, None], unmet / whole
    load = np.stack([table.memory, table.compute]) * share[:, *place]
    room = load.sum(axis=1).max(axis=0)
    needed = np.zeros_like(replicas)
    needed[place] = np.minimum(np.ceil(room - 1e-6), number)
    return Allocation(needed, share, unmet)
