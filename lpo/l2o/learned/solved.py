"""Solved problems, which layers and rules are trained on."""

from typing import NamedTuple

from lpo.l2o.family import Labels, Problem


class Solved(NamedTuple):
    """Training data. problems: leaves [M, ...]. labels: their solutions, leaves [M, ...]."""

    problems: Problem
    labels: Labels
