"""Small solids for scenes in three dimensions, where plotly has no triangle and no star."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from lpo.runs.box_scenes import FACES, corners


class Solid(NamedTuple):
    """corners: [n, 3] around the middle. triangles: [t, 3] numbers of corners."""

    corners: np.ndarray
    triangles: np.ndarray


# A corner on top, three below, all at distance 1: a triangle from all sides.
TETRAHEDRON = Solid(
    np.array(
        [
            [0.0, 0.0, 1.0],
            [np.sqrt(8.0) / 3.0, 0.0, -1.0 / 3.0],
            [-np.sqrt(2.0) / 3.0, np.sqrt(2.0 / 3.0), -1.0 / 3.0],
            [-np.sqrt(2.0) / 3.0, -np.sqrt(2.0 / 3.0), -1.0 / 3.0],
        ]
    ),
    np.array(list(combinations(range(4), 3))),
)
# A small cube with a spike on every side.
_TIPS = np.kron(np.eye(3), [[-1.6], [1.6]])
STAR = Solid(
    np.vstack([corners(np.tile([-0.26, 0.26], (3, 1))), _TIPS]),
    np.array([(side[i - 1], side[i], 8 + tip) for tip, side in enumerate(FACES) for i in range(4)]),
)
