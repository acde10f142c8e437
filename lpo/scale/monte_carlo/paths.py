"""What happens to single queries as they get more passes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from lpo.scale.laws import LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo.chunk import ACCURACY, COST, TIME
from lpo.scale.monte_carlo.draws import BLOCK
from lpo.scale.monte_carlo.runs import (
    Part,
    blocks_of,
    on_cores,
    parts_of,
    question_of,
    run,
    sizes_of,
    whole,
)
from lpo.scale.passes import Pairs


class Paths(NamedTuple):
    """M queries with k = 1 to K passes; NumPy float32.

    cost [m, M, K]: dollars. time [m, p, M, K]: seconds. accuracy [m, M, K]: in [0, 1].
    """

    cost: Any
    time: Any
    accuracy: Any


def query_paths(
    key: Array,
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    k_max: int,
    parallel: int | Sequence[int] | np.ndarray,
    trials: int,
    pairs: Pairs | None = None,
) -> Paths:
    """Return single queries with k = 1 to k_max passes.

    **Arguments:**

    - `key`: of the random numbers, which are the same for every model, k and number of slots.
      Neither a larger `k_max` nor more `trials` change the queries and passes there were.
    - `models`: [m], or one. `parallel` [p]: slots.
    - `pairs`: lengths of passes, in place of the normal ones of the models.

    A query that got k passes is the same one with a pass less, and one more: its cost, time and,
    for best of k and pass at k, accuracy never fall with k.
    Raises InputError, one line, on numbers that are not whole or too small.
    """
    slots = whole("parallel", parallel, 1)
    (K,), (M,) = whole("k_max", k_max, 1), whole("trials", trials, 1)
    sizes = sizes_of(laws, int(K), slots, blocks_of(None), paths=True)
    question = question_of(laws, numbers, models, slots, pairs)
    shape = (len(question.models.accuracy), int(M), int(K))
    cost, accuracy = np.empty(shape, np.float32), np.empty(shape, np.float32)
    time = np.empty((shape[0], len(slots), *shape[1:]), np.float32)

    def fill(part: Part) -> None:
        begin = part.first * BLOCK
        at = slice(begin, begin + part.count)
        each = run(key, laws, sizes, question, part).values
        values = np.moveaxis(each[..., : part.count], 0, -1)  # q, m, N, k
        cost[:, at], accuracy[:, at] = values[COST][0], values[ACCURACY][0]
        time[:, :, at] = values[TIME].swapaxes(0, 1)

    for _ in on_cores(fill, parts_of(int(M), sizes.blocks)):
        pass
    return Paths(cost, time, accuracy)
