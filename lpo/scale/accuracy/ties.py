r"""What the votes for wrong answers, all equally likely, leave to the right one.

With n right votes of k, the j = k - n wrong ones fall on W answers like balls into cells. The right
answer wins where no cell holds more than n balls; where t cells hold n as well, one time in t + 1.
"""

from functools import cache

import numpy as np
from scipy.special import gammaln, xlogy


@cache
def shares(wrong_answers: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means of what n right votes of k are worth, and of its square, [most + 1, most + 1].

    Row k, column n; 0 where n > k. That is 1 / (t + 1), the probability of winning with t ties, and
    0 where a wrong answer has more votes. From the occupancy of cells (David and Barton,
    "Combinatorial Chance", 1962): t cells hold n and the rest fewer in
    C(W, t) j! / (n!^t (j - n t)!) (W - t)^(j - n t) P(the rest hold fewer) ways of W^j. To 1e-13.
    """
    n, j = np.arange(most + 1)[:, None], np.arange(most + 1)
    at_most = _at_most(wrong_answers, most)
    mean, square = np.zeros((most + 1, most + 1)), np.zeros((most + 1, most + 1))
    for t in range(wrong_answers + 1):
        cells, left = wrong_answers - t, np.maximum(j - n * t, 0)
        fewer = np.take_along_axis(np.vstack([at_most[cells][:1], at_most[cells][:-1]]), left, 1)
        fewer[0] = (cells == 0) & (left[0] == 0)  # no cell holds fewer than none
        log_ways = gammaln(wrong_answers + 1) - gammaln(t + 1) - gammaln(cells + 1)
        log_ways = log_ways + gammaln(j + 1) - t * gammaln(n + 1) - gammaln(left + 1)
        log_ways = log_ways + xlogy(left, cells) - j * np.log(wrong_answers)
        share = np.where(j >= n * t, np.exp(log_ways) * fewer, 0.0)
        mean, square = mean + share / (t + 1), square + share / (t + 1) ** 2
    wrong = j[:, None] - j  # of k votes with n right
    rows = [np.where(wrong >= 0, table[j, np.maximum(wrong, 0)], 0.0) for table in (mean, square)]
    return rows[0], rows[1]


def _at_most(wrong_answers: int, most: int) -> list[np.ndarray]:
    """P(none of c cells holds more than n of j balls), for c = 0 to W: [n, j], each to `most`.

    Less what each ball adds to the probability that its cell is the first to hold n + 1.
    """
    n, j = np.arange(most + 1)[:, None], np.arange(most)
    none = np.zeros((most + 1, most + 1))
    none[:, 0] = 1.0
    every = [none]
    others = np.maximum(j - n, 0)
    log_choices = gammaln(j + 1) - gammaln(n + 1) - gammaln(others + 1)
    for cells in range(1, wrong_answers + 1):
        log_full = log_choices - n * np.log(cells) + xlogy(others, 1.0 - 1.0 / cells)
        full = np.exp(log_full) * np.take_along_axis(every[-1], others, 1)
        over = np.cumsum(np.where(j >= n, full, 0.0), 1)
        every.append(np.concatenate([np.ones((most + 1, 1)), np.clip(1.0 - over, 0.0, 1.0)], 1))
    return every
