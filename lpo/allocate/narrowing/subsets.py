"""Cheapest ways to share a set out among many takers: min-plus products over subsets.

f(S) is what a taker of the set S costs. The product (f g)(S) = min over T in S of f(T) + g(S - T)
is that of two takers together. Sets of I members are numbers from 0 to 2^I - 1, arrays over them
have them last.
"""

from functools import cache
from typing import NamedTuple

import numpy as np


class Subsets(NamedTuple):
    """Every set with each of its subsets.

    member [2^I, I] bool. part, rest [3^I]: a subset, and what it leaves of the set; sorted by set,
    which begins at start [2^I].
    """

    member: np.ndarray
    part: np.ndarray
    rest: np.ndarray
    start: np.ndarray


Tree = list[np.ndarray]
"""Products of 1, 2, 4, ... takers, [G, 2^l, 2^I] at level l: tree[0] is of all, the last of one."""


@cache
def make_subsets(size: int) -> Subsets:
    """All sets of `size` members."""
    every = np.arange(2**size)
    part, rest = np.nonzero((every[:, None] & every) == 0)
    order = np.argsort(part | rest, kind="stable")
    part, rest = part[order], rest[order]
    member = (every[:, None] >> np.arange(size)) & 1 > 0
    return Subsets(member, part, rest, np.searchsorted(part | rest, every))


def product(f: np.ndarray, g: np.ndarray, subsets: Subsets) -> np.ndarray:
    """(f g)(S), [..., 2^I]."""
    sums = f[..., subsets.part] + g[..., subsets.rest]
    return np.minimum.reduceat(sums, subsets.start, axis=-1)


def tree_of(takers: np.ndarray, subsets: Subsets) -> Tree:
    """Products of neighbours, of neighbours of those, and so on, of takers [G, P, 2^I]."""
    G, P, S = takers.shape
    width = 1 << (P - 1).bit_length()
    nobody = np.full((G, width - P, S), np.inf)
    nobody[..., 0] = 0.0  # takes nothing, at no cost
    tree = [np.concatenate([takers, nobody], axis=1)]
    while tree[0].shape[1] > 1:
        tree.insert(0, product(tree[0][:, ::2], tree[0][:, 1::2], subsets))
    return tree


def outside(tree: Tree, subsets: Subsets) -> np.ndarray:
    """What all others cost together, for each taker: [G, 2^L, 2^I], of the sets that they share."""
    others = np.full_like(tree[0], np.inf)
    others[..., 0] = 0.0
    for level in tree[1:]:
        swapped = level.reshape(len(level), -1, 2, level.shape[-1])[:, :, ::-1]
        others = product(np.repeat(others, 2, axis=1), swapped.reshape(level.shape), subsets)
    return others


def trace(tree: Tree, subsets: Subsets, case: int) -> list[tuple[int, int]]:
    """Takers and their sets in a cheapest way to share out all members, in one of the G cases."""
    sets = [len(subsets.start) - 1]
    for level in tree[1:]:
        below = []
        for node, whole in enumerate(sets):
            end = subsets.start[whole + 1] if whole + 1 < len(subsets.start) else None
            ways = slice(subsets.start[whole], end)
            part, rest = subsets.part[ways], subsets.rest[ways]
            best = np.argmin(level[case, 2 * node, part] + level[case, 2 * node + 1, rest])
            below += [int(part[best]), int(rest[best])]
        sets = below
    return list(enumerate(sets))
