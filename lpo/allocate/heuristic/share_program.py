"""The best shares for given replicas: a linear program that is changed and solved again.

docs/allocate_heuristic.md.
"""

from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.growing_program import GrowingProgram
from lpo.allocate.heuristic.routing_table import RoutingTable
from lpo.allocate.heuristic.worst_cuts import Cut
from lpo.allocate.instance import Instance


class Shares(NamedTuple):
    """A solution of `ShareProgram`.

    usd: everything, penalties included. unserved: the sum of shares at a penalty. replicas [C].
    share [I, C], unmet [I]. worst [2, I]: what the program takes the worst cases to be, as
    fractions of the limits.
    """

    usd: float
    unserved: float
    replicas: np.ndarray
    share: np.ndarray
    unmet: np.ndarray
    worst: np.ndarray


class Prices(NamedTuple):
    """Prices of the dual program, $, at least 0 unless said otherwise.

    served [I] (any sign): of a whole type. limit [2, I]: of the limits of delay and error. room
    [2, C]: of a replica's memory and compute, 0 without a row. cuts: of each cut. spent: of a $ of
    the budget; storage: of a GB; gpu [K]. replica [C] (any sign): what another replica changes
    `usd` by at least, 0 without a column.
    """

    served: np.ndarray
    limit: np.ndarray
    room: np.ndarray
    cuts: np.ndarray
    spent: float
    storage: float
    gpu: np.ndarray
    replica: np.ndarray


class ShareProgram:
    r"""Minimise the cost of replicas, routes, unmet demand and worst cases over the exact rows.

    Replicas are columns between bounds. Equal bounds fix them, and then the prices of replicas say
    that any other replicas r' cost at least $usd + \sum_c p_c (r'_c - r_c)$, because nothing but
    those bounds differs (weak duality; Benders, "Partitioning procedures", 1962).

    What nobody serves costs a `penalty` [I], so that there is a solution whenever the replicas
    alone keep budget, storage and numbers of GPUs. A worst case that is no part of the table's
    levels begins at 0 and grows by the cuts that are added.

    most_replicas: of the deployments of a pair together, which stands for one degree a pair where
    replicas are not fixed; None: no such row.
    """

    def __init__(
        self,
        instance: Instance,
        table: RoutingTable,
        penalty: np.ndarray,
        most_replicas: int | None = None,
    ):
        I, C = table.most.shape
        data, program = instance.data, GrowingProgram()
        self.table, self._program = table, program
        self.has, self.linked = np.zeros((2, I, C), bool)
        self.cuts: list[Cut] = []
        self._route, self._deployment = np.full((I, C), -1), np.full(C, -1)  # columns
        self._room, self._cut_rows = np.full((2, C), -1), np.empty(0, np.int64)  # rows
        self._limited = np.flatnonzero(np.isfinite(data.tier_limit))
        self._budget_usd = float(data.budget_usd)
        one, some = np.ones(I), np.arange(I)
        self._balance = program.add_rows(one, one, [])
        self._limit = np.stack([program.add_rows(-np.inf * one, one, []) for _ in range(2)])
        totals = np.array([1.0, data.storage_gb, *data.tier_limit[self._limited]])
        self._total = program.add_rows(np.full(len(totals), -np.inf), totals, [])
        self._tier = np.full(len(data.tier_limit), -1)
        self._tier[self._limited] = self._total[2:]
        self._pair = np.full(table.pair.max(initial=-1) + 1, -1)
        if most_replicas is not None:
            most = np.full(len(self._pair), float(most_replicas))
            self._pair = program.add_rows(-np.inf * most, most, [])
        entries = [(self._balance, some, one)]
        self._unmet = program.add_columns(table.unmet_usd, table.unmet_cap, entries)
        self._unserved = program.add_columns(penalty, one, entries)
        self._worst = np.full((2, I), -1)
        for place in np.flatnonzero(np.isfinite(table.gamma)):
            usd = table.limit_usd * (place == 0)
            entries = [(self._limit[place], some, one)]
            self._worst[place] = program.add_columns(usd, np.inf * one, entries)

    def add_routes(self, wanted: np.ndarray) -> int:
        """Add the allowed routes of wanted [I, C] bool that are missing, and return their number.

        Deployments come with their first route, between 0 and 0 replicas.
        """
        table, missing = self.table, wanted & ~self.has & (self.table.most > 0.0)
        i, c = np.nonzero(missing)
        if not len(i):
            return 0
        self.has |= missing
        new = np.unique(c)
        self._add_deployments(new[self._deployment[new] < 0])
        r = np.arange(len(i))
        entries = [
            (self._balance[i], r, np.ones(len(i))),
            *((self._limit[place, i], r, table.level[place, i, c]) for place in range(2)),
            (self._room[0, c], r, table.memory[i, c]),
            (self._room[1, c], r, table.compute[i, c]),
            (self._total[0] + 0 * r, r, table.data_usd[i, c] / self._budget_usd),
            (self._total[1] + 0 * r, r, table.route_gb[i, c]),
        ]
        for row, cut in zip(self._cut_rows, self.cuts, strict=True):
            own = np.flatnonzero(i == cut.type)
            values = -cut.xi[c[own]] * table.risk[cut.place, cut.type, c[own]]
            entries.append((np.full(len(own), row), own, values))
        most = np.full(len(i), np.inf)
        self._route[i, c] = self._program.add_columns(table.usd[i, c], most, entries)
        return len(i)

    def add_cuts(self, cuts: list[Cut]) -> None:
        """Add cuts, which hold for routes that come later as well."""
        entries = []
        for row, cut in enumerate(cuts):
            c = np.flatnonzero(self.has[cut.type] & (cut.xi > 0.0))
            values = -cut.xi[c] * self.table.risk[cut.place, cut.type, c]
            columns = np.append(self._route[cut.type, c], self._worst[cut.place, cut.type])
            entries.append((np.full(len(columns), row), columns, np.append(values, 1.0)))
        none = np.zeros(len(cuts))
        rows = self._program.add_rows(none, none + np.inf, entries)
        self._cut_rows = np.append(self._cut_rows, rows)
        self.cuts.extend(cuts)

    def add_links(self, wanted: np.ndarray) -> int:
        """Add the rows share <= most replicas of the routes in wanted [I, C]; return how many."""
        i, c = np.nonzero(wanted & self.has & ~self.linked)
        self.linked[i, c] = True
        row, none = np.arange(len(i)), np.zeros(len(i))
        entries = [
            (row, self._route[i, c], none + 1.0),
            (row, self._deployment[c], -self.table.most[i, c]),
        ]
        self._program.add_rows(none - np.inf, none, entries)
        return len(i)

    def set_penalty(self, penalty: np.ndarray) -> None:
        """Set the dollars [I] for serving nothing of a type."""
        self._program.set_cost(self._unserved, penalty)

    def set_replicas(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Bound the replicas [C] of the deployments that the program has."""
        have = np.flatnonzero(self._deployment >= 0)
        self._program.set_bounds(self._deployment[have], lower[have], upper[have])

    def solve(self, deadline: float, ceiling: float = np.inf) -> bool | None:
        """Solve, as `GrowingProgram.solve` says."""
        return self._program.solve(deadline, ceiling)

    def value(self) -> float:
        """$ of the solution, penalties included; a lower bound of it when it is not below a
        ceiling."""
        return self._program.value()

    def shares(self) -> Shares:
        """The solution."""
        x, _, _ = self._program.solution()
        return Shares(
            self.value(),
            float(x[self._unserved].sum()),
            np.where(self._deployment >= 0, x[self._deployment], 0.0),
            np.where(self.has, x[self._route], 0.0),
            x[self._unmet],
            np.where(self._worst >= 0, x[self._worst], 0.0),
        )

    def prices(self) -> Prices:
        """Prices at the solution, none of the wrong sign."""
        _, dual, reduced = self._program.solution()
        paid = np.maximum(-dual, 0.0)
        gpu = np.zeros(len(self._tier))
        gpu[self._limited] = paid[self._total[2:]]
        return Prices(
            served=dual[self._balance],
            limit=paid[self._limit],
            room=np.where(self._room >= 0, paid[self._room], 0.0),
            cuts=np.maximum(dual[self._cut_rows], 0.0),
            spent=float(paid[self._total[0]]) / self._budget_usd,
            storage=float(paid[self._total[1]]),
            gpu=gpu,
            replica=np.where(self._deployment >= 0, reduced[self._deployment], 0.0),
        )

    def _add_deployments(self, new: np.ndarray) -> None:
        table, none = self.table, np.zeros(len(new))
        for place in range(2):
            self._room[place, new] = self._program.add_rows(none - np.inf, none, [])
        c, tier, pair = (
            np.arange(len(new)),
            self._tier[table.tier[new]],
            self._pair[table.pair[new]],
        )
        entries = [
            (self._room[0, new], c, none - 1.0),
            (self._room[1, new], c, none - 1.0),
            (self._total[0] + 0 * c, c, table.replica_usd[new] / self._budget_usd),
            (self._total[1] + 0 * c, c, table.weights_gb[new]),
            (tier[tier >= 0], c[tier >= 0], table.gpus[new][tier >= 0]),
            (pair[pair >= 0], c[pair >= 0], none[pair >= 0] + 1.0),
        ]
        self._deployment[new] = self._program.add_columns(table.replica_usd[new], none, entries)
