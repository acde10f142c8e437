"""Whole numbers of passes of several models within limits of cost and time: all, or some by steps.

A mix is passes [m]; `use` [m, n] is which shares of the n limits (cost, time, and number of
passes where that is one) a pass of each model uses up.
"""

from typing import NamedTuple

import numpy as np

_BATCH = 2**13  # mixes at once: with 600 nodes 40 MB
_ROUNDING = 1e-14  # of accuracies
_EQUALS = 64
_WHOLE = 1e-9  # of passes: 3 of $0.1 fit into $0.3
_LEAST = -700.0  # numbers that underflow take ten times as long


class Nodes(NamedTuple):
    """log_cdf [m, U]: logarithms of the models' distribution functions at U points of a quadrature,
    finite. weight [U]: of the points."""

    log_cdf: np.ndarray
    weight: np.ndarray


def loss(nodes: Nodes, mixes: np.ndarray) -> np.ndarray:
    """Return 1 - E[A] of mixes [B, m], with all digits where E[A] is nearly 1."""
    power = mixes.astype(np.float64) @ nodes.log_cdf
    np.maximum(power, _LEAST, out=power)
    return np.exp(power, out=power) @ nodes.weight


def loss_of_many(nodes: Nodes, mixes: np.ndarray) -> np.ndarray:
    """Return `loss` of any number of mixes, in batches."""
    parts = np.array_split(mixes, -(-len(mixes) // _BATCH))
    return np.concatenate([loss(nodes, part) for part in parts])


def every_mix(use: np.ndarray, most: int) -> np.ndarray | None:
    """Return all mixes [B, m] to which no pass of the model that uses least can be added, None
    where these are more than about `most`."""
    order = np.argsort(-use.max(1), kind="stable")
    mixes, left = np.zeros((1, 0), np.int64), np.ones((1, use.shape[1]))
    for share in use[order[:-1]]:
        fit = _fit(left, share)
        if len(fit) + fit.sum() > most:
            return None
        row = np.repeat(np.arange(len(fit)), fit + 1)
        count = np.arange(len(row)) - (np.cumsum(fit + 1) - fit - 1)[row]
        mixes, left = np.column_stack([mixes[row], count]), left[row] - count[:, None] * share
    mixes = np.column_stack([mixes, _fit(left, use[order[-1]])])
    return mixes[:, np.argsort(order)]


def beginnings(use: np.ndarray) -> list[np.ndarray]:
    """Return no pass, and as many as fit of each model alone."""
    alone = np.diag(_fit(np.ones(use.shape[1]), use))
    return [np.zeros(len(use), np.int64), *alone]


def filled(nodes: Nodes, use: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Return a mix with passes added one by one until none fits, each the one that gains most over
    the shares that it uses."""
    one = np.eye(len(use), dtype=np.int64)
    while (fits := _fit(1.0 - passes @ use, use) > 0).any():
        gain = loss(nodes, passes[None]) - loss(nodes, passes + one)
        passes = passes + one[np.where(fits, gain / use.sum(1), -1.0).argmax()]
    return passes


def exchanged(nodes: Nodes, use: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Return a mix in which one or two passes of a model made room for any number of another, and
    for what then fits, as long as that helped."""
    found = float(loss(nodes, passes[None])[0])
    while len(others := _neighbours(use, passes)):
        better = filled(nodes, use, most_accurate(nodes, use, others))
        lost = float(loss(nodes, better[None])[0])
        if lost >= found - _ROUNDING:
            break
        passes, found = better, lost
    return passes


def _neighbours(use: np.ndarray, passes: np.ndarray) -> np.ndarray:
    one = np.eye(len(use), dtype=np.int64)
    found = [np.zeros((0, len(use)), np.int64)]
    for less, count in enumerate(passes):
        for away in range(1, min(count, 2) + 1):
            rest = passes - away * one[less]
            for more, fit in enumerate(_fit(1.0 - rest @ use, use)):
                if more != less:
                    found.append(rest + np.arange(1, fit + 1)[:, None] * one[more])
    return np.concatenate(found)


def sparing(nodes: Nodes, use: np.ndarray, mixes: np.ndarray) -> np.ndarray:
    """Return the most accurate of mixes [B, m] without the passes that add nothing to it; of equals
    the one that then uses least.

    What adds at most 1e-14 to the accuracy adds nothing. Of equals, the `_EQUALS` that use least to
    begin with are looked at.
    """
    lost = loss_of_many(nodes, mixes)
    enough = lost.min() + _ROUNDING
    equals = mixes[lost <= enough]
    equals = equals[np.argsort((equals @ use).sum(1), kind="stable")[:_EQUALS]]
    for model in np.argsort(-use.sum(1), kind="stable"):  # what uses most goes first
        few, many = np.zeros(len(equals), np.int64), equals[:, model].copy()
        while (few < many).any():
            middle = (few + many) // 2
            tried = equals.copy()
            tried[:, model] = middle
            good = loss(nodes, tried) <= enough
            few, many = np.where(good, few, middle + 1), np.where(good, middle, many)
        equals[:, model] = many
    return equals[(equals @ use).sum(1).argmin()]


def most_accurate(nodes: Nodes, use: np.ndarray, mixes: np.ndarray) -> np.ndarray:
    """Return the most accurate of mixes [B, m], of equals the one that uses least."""
    lost = loss_of_many(nodes, mixes)
    equals = mixes[lost <= lost.min() + _ROUNDING]
    return equals[(equals @ use).sum(1).argmin()]


def _fit(left: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How many passes that use `share` [..., n] fit into what is left [..., n] of all limits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(share > 0.0, left / share, np.inf).min(-1)
    return np.floor(each + _WHOLE).clip(0.0).astype(np.int64)
