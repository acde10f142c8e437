"""Units in which the entries of a quadratic program are about 1, whatever those of the user."""

from typing import NamedTuple

import numpy as np

from lpo.optim.canonical import ConeProgram, ProgramData, pattern_rows

# Rounds of row and column scaling (Ruiz); each takes the square root of what is left.
_ROUNDS = 4


class Units(NamedTuple):
    """Of a batch: x = columns * x_scaled [B, n], s = slack * s_scaled and z = cost / slack *
    z_scaled [B, m], with `cost` [B, 1] the unit of the objective."""

    columns: np.ndarray
    slack: np.ndarray
    cost: np.ndarray


class _Groups(NamedTuple):
    """Entries of A sorted by row or column: `order`, where each group starts, whose it is."""

    order: np.ndarray
    starts: np.ndarray
    owners: np.ndarray

    def largest(self, entries: np.ndarray, size: int) -> np.ndarray:
        """Largest entry of every group [B, size]; 1 where a group is empty or zero."""
        result = np.ones((len(entries), size))
        if len(self.order):
            found = np.maximum.reduceat(entries[:, self.order], self.starts, axis=1)
            result[:, self.owners] = np.where(found > 0, found, 1.0)
        return result


class Scaling:
    """Finds the units of the programs of one pattern.

    Rows and columns of A are equilibrated; rows with one entry (bounds) follow their variable and
    do not count. Then b and the objective are divided by their largest entries. So slacks and
    multipliers compare, tolerances mean the same for tokens and for millions of tokens, and
    which constraints count as active does not depend on units.
    """

    def __init__(self, program: ConeProgram):
        self.program = program
        self.rows = pattern_rows(program.A_indptr)
        coupling = np.flatnonzero(np.diff(program.A_indptr)[self.rows] > 1)
        self.by_row = _groups(coupling, self.rows)
        self.by_column = _groups(coupling, program.A_indices)
        self.all_by_row = _groups(np.arange(len(self.rows)), self.rows)
        self.P_rows = pattern_rows(program.P_indptr)

    def __call__(self, data: ProgramData) -> tuple[ProgramData, Units]:
        """The programs in their units, and the units."""
        program, batch = self.program, len(data.q)
        row, column = np.ones((batch, program.m)), np.ones((batch, program.n))
        entries = np.abs(data.A)
        for _ in range(_ROUNDS):
            row_step = 1 / np.sqrt(self.by_row.largest(entries, program.m))
            column_step = 1 / np.sqrt(self.by_column.largest(entries, program.n))
            row, column = row * row_step, column * column_step
            entries = entries * row_step[:, self.rows] * column_step[:, program.A_indices]
        row /= self.all_by_row.largest(entries, program.m)

        length = _or_one((np.abs(data.b) * row).max(axis=1, keepdims=True, initial=0.0))
        column = column * length
        linear = (np.abs(data.q) * column).max(axis=1, keepdims=True, initial=0.0)
        P = data.P * column[:, self.P_rows] * column[:, program.P_indices]
        quadratic = np.abs(P).max(axis=1, keepdims=True, initial=0.0)
        cost = _or_one(np.where(linear > 0, linear, quadratic))
        row /= length
        scaled = ProgramData(
            P=P / cost,
            q=data.q * column / cost,
            A=data.A * row[:, self.rows] * column[:, program.A_indices],
            b=data.b * row,
        )
        return scaled, Units(column, 1 / row, cost)


def _groups(entries: np.ndarray, owner: np.ndarray) -> _Groups:
    order = entries[np.argsort(owner[entries], kind="stable")]
    owners, starts = np.unique(owner[order], return_index=True)
    return _Groups(order, starts, owners)


def _or_one(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, 1.0)
