"""Replicas by local search, with the best shares for each of them. docs/allocate_heuristic.md."""

from time import perf_counter

import numpy as np

from lpo.allocate.heuristic.column_generation import penalty
from lpo.allocate.heuristic.lagrangian import price_out
from lpo.allocate.heuristic.moves import LowerBounds, pair_moves
from lpo.allocate.heuristic.routing_table import RoutingTable
from lpo.allocate.heuristic.share_program import ShareProgram, Shares
from lpo.allocate.heuristic.worst_cuts import Cut, violated_cuts
from lpo.allocate.instance import Instance
from lpo.allocate.options import Options

_IMPROVES = 1e-7  # relative
UNSERVED = 1e-7  # sum of shares
_CUT = 1e-6  # of a limit: what a worst case may exceed the program's by
_ROUNDS = 20  # of cuts
_BOUNDS = 80
_DEARER, _RAISES = 30.0, 4  # factor on the penalty for what nobody serves, and how often
_GRACE_S = 0.5
_KICKED = 3  # moves of a kick


class LocalSearch:
    r"""Search among replicas [C], valued by the linear program of the best shares.

    Every program that is solved bounds the cost of all other replicas that serve everybody from
    below (`ShareProgram`; for a deployment without replicas the bound is that of its best use,
    `price_out`). A move is tried only when none of the last bounds rules it out, so that what has
    no improving move is the best of its neighbourhood: all changes of one pair (`pair_moves`), and
    of one pair that gives something up together with another one.
    """

    def __init__(self, instance: Instance, table: RoutingTable, options: Options, deadline: float):
        self.table, self.evaluations = table, 0
        self._instance, self._most, self._deadline = instance, options.replicas, deadline
        self._program = ShareProgram(instance, table, penalty(table))
        self._program.add_routes(table.most > 0.0)
        self._bounds = LowerBounds(len(table.pair), _BOUNDS)
        self._known: dict[bytes, float] = {}

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return perf_counter() > self._deadline

    def within(self, replicas: np.ndarray) -> bool:
        """Whether the replicas alone keep budget, storage and numbers of GPUs."""
        data, table = self._instance.data, self.table
        gpus = np.bincount(table.tier, replicas * table.gpus, len(data.tier_limit))
        return bool(
            replicas @ table.replica_usd <= data.budget_usd
            and replicas @ table.weights_gb <= data.storage_gb
            and np.all(gpus <= data.tier_limit)
        )

    def trim(self, replicas: np.ndarray) -> np.ndarray:
        """Give up what costs most until budget, storage and numbers of GPUs are kept."""
        replicas = replicas.copy()
        while not self.within(replicas):
            replicas[np.argmax(replicas * self.table.replica_usd)] = 0.0
        return replicas

    def value(self, replicas: np.ndarray, ceiling: float = np.inf) -> float:
        """$ with the best shares; anything from `ceiling` on means that or more."""
        key = replicas.tobytes()
        if self._known.get(key, -np.inf) >= ceiling or not self.within(replicas):
            return np.inf
        program, usd = self._program, np.inf
        program.set_replicas(replicas, replicas)
        self.evaluations += 1
        for _ in range(_ROUNDS):
            solved = program.solve(self._deadline, ceiling)
            if solved is None:
                return np.inf
            usd = program.value()
            if solved is False:
                break
            shares = program.shares()
            cuts = violated_cuts(self.table, shares.share, shares.worst, _CUT)
            if not cuts:
                break
            program.add_cuts(cuts)
        prices = program.prices()
        priced = price_out(self._instance, self.table, program.cuts, prices, self._most, links=True)
        of_replica = np.where(replicas > 0.0, prices.replica, priced.replica)
        self._bounds.add(replicas, usd, of_replica)
        self._known[key] = usd
        return usd if usd < ceiling else np.inf

    def binding(self) -> list[Cut]:
        """Cuts of worst cases that the last program paid for."""
        prices = self._program.prices().cuts
        return [cut for cut, usd in zip(self._program.cuts, prices, strict=True) if usd > 0.0]

    def climb(self, replicas: np.ndarray) -> tuple[np.ndarray, float]:
        """Improve until no move does or the time is up."""
        usd = self.value(replicas)
        while not self.over:
            moves = pair_moves(self.table, replicas, self._most)
            ceiling, less = usd * (1.0 - _IMPROVES), moves.gives_up
            better = self._first(replicas, ceiling, None, moves.change)
            if better is None:
                same = moves.pair[less, None] == moves.pair
                better = self._first(replicas, ceiling, same, moves.change[less], moves.change)
            if better is None:
                break
            replicas, usd = better
        return replicas, usd

    def run(self, replicas: np.ndarray, kicks: int, rng: np.random.Generator) -> np.ndarray:
        """Climb from `replicas`, then `kicks` times from the best after a few random moves.

        While not all is served where the search ends, it goes on at a higher penalty.
        """
        best, usd = self.climb(replicas)
        shares = self._shares(best)
        for raised in range(1, _RAISES + 1):
            if shares is None or shares.unserved <= UNSERVED or self.over:
                break
            self._program.set_penalty(_DEARER**raised * penalty(self.table))
            self._bounds, self._known = LowerBounds(len(best), _BOUNDS), {}
            best, usd = self.climb(best)
            shares = self._shares(best)
        for _ in range(kicks):
            start = best
            for _ in range(_KICKED):
                moves = pair_moves(self.table, start, self._most)
                side = moves.change[moves.gives_up == (rng.random() < 0.5)]
                if len(side):
                    start = start + side[rng.integers(len(side))]
            if self.over:
                break
            if self.within(start):
                found, value = self.climb(start)
                if value < usd * (1.0 - _IMPROVES):
                    best, usd = found, value
        return best

    def _first(
        self, replicas: np.ndarray, ceiling: float, never: np.ndarray | None, *kinds: np.ndarray
    ) -> tuple[np.ndarray, float] | None:
        """The first sum of a change of each kind [M, C] that costs less than `ceiling`.

        The one that costs least by the bounds is tried first. never: those that are no move.
        """
        least = self._bounds.combined(replicas, *kinds)
        if never is not None:
            least[never] = np.inf
        while least.size and not self.over:
            which = np.unravel_index(np.argmin(least), least.shape)
            if not least[which] < ceiling:
                break
            other = replicas + sum(kind[m] for kind, m in zip(kinds, which, strict=True))
            least[which] = np.inf
            valued = self.evaluations
            usd = self.value(other, ceiling)
            if usd < ceiling:
                return other, usd
            if self.evaluations > valued:
                latest = self._bounds.combined(replicas, *kinds, latest=True)
                np.maximum(least, latest, out=least)
        return None

    def _shares(self, replicas: np.ndarray) -> Shares | None:
        """Best shares of replicas that the search ended with; None if the time does not allow."""
        self._program.set_replicas(replicas, replicas)
        grace = max(self._deadline, perf_counter() + _GRACE_S)
        return self._program.shares() if self._program.solve(grace) else None
