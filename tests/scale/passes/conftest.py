"""Lengths whose clips bind, and the laws of a pass by brute force."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtr

from lpo.scale.models import Models

# prompt, prompt_sd, output, output_sd
_LENGTHS = [
    (20, 15, 300, 200),  # both clips of both
    (10, 0, 200, 80),  # the greatest output
    (50, 40, 5, 8),  # the least of both
    (40, 200, 1000, 50),  # also the greatest prompt
    (60, 20, 900, 0),  # outputs vary because prompts do
    (30, 25, 480, 0.5),
    (1024, 64, 2048, 128),  # none
]
_SPEEDS = [(5e-4, 5e-3), (0.1, 1e-3), (0.0, 0.01), (0.01, 0.0)]


class Cases(NamedTuple):
    """models [55], and which rows are which. reference: the nine of the paper. still: the same with
    lengths that do not vary. free: these, free and in no time. clipped: every pair of `lengths` and
    speeds, speeds inside."""

    models: Models
    reference: slice
    still: slice
    free: slice
    clipped: slice
    lengths: list[tuple[float, ...]]


@pytest.fixture(scope="session")
def cases(reference_models) -> Cases:
    """All in one: a program is compiled for their number."""
    zero = np.zeros(9)
    still = reference_models.models._replace(prompt_sd=zero, output_sd=zero)
    free = still._replace(input_price=zero, output_price=zero, input_s=zero, output_s=zero)
    rows = np.array([(*lengths, *speeds) for lengths in _LENGTHS for speeds in _SPEEDS], float)
    prompt, prompt_sd, output, output_sd, input_s, output_s = rows.T
    score = np.full(len(rows), 0.5)
    prices = np.full(len(rows), 1e-6), np.full(len(rows), 3e-6)
    clipped = Models(score, score, prompt, prompt_sd, output, output_sd, *prices, input_s, output_s)
    each = zip(reference_models.models, still, free, clipped, strict=True)
    return Cases(
        Models(*map(np.concatenate, each)),
        reference=slice(0, 9),
        still=slice(9, 18),
        free=slice(18, 27),
        clipped=slice(27, 55),
        lengths=_LENGTHS,
    )


def _cells(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal numbers and their probabilities."""
    edges = np.linspace(-9.0, 9.0, count + 1)
    return 0.5 * (edges[1:] + edges[:-1]), np.diff(ndtr(edges))


def _moments(prompt, prompt_sd, output, output_sd, cells=3000):
    """Mean prompt, mean output, variances and covariance, by a grid over both."""
    z, weight = _cells(cells)
    prompts = np.clip(prompt + prompt_sd * z, 1.0, 16.0 * prompt)
    outputs = np.maximum(output + output_sd * z, 1.0)
    first, second = np.empty(cells), np.empty(cells)
    for i, most in enumerate(16.0 * prompts):
        given = np.minimum(outputs, most)
        first[i], second[i] = weight @ given, weight @ given**2
    means = weight @ prompts, weight @ first
    one, other = prompts - means[0], first - means[1]
    variances = weight @ one**2, weight @ second - means[1] ** 2
    return *means, *variances, weight @ (one * other)


def _longest(prompt, prompt_sd, output, output_sd, input_s, output_s, counts, steps=2000):
    """Mean and standard deviation of the longest of each of `counts`, by a grid over time."""
    z, weight = _cells(500)
    prompts = np.clip(prompt + prompt_sd * z, 1.0, 16.0 * prompt)
    ends = [
        input_s * prompts + output_s * np.clip(output + by * output_sd, 1.0, 16.0 * prompts)
        for by in (-9.0, 9.0)
    ]
    first, last = ends[0].min(), ends[1].max()
    step = (last - first) / steps
    time = first + step * (np.arange(steps) + 0.5)
    F = np.zeros(steps)
    for x, mass in zip(np.array_split(prompts, 10), np.array_split(weight, 10), strict=True):
        rest = time[:, None] - input_s * x
        if output_s > 0.0:
            y = rest / output_s
            done = ndtr((y - output) / output_sd) if output_sd > 0.0 else 1.0 * (y >= output)
            done = np.where(y >= 16.0 * x, 1.0, np.where(y < 1.0, 0.0, done))
        else:
            done = 1.0 * (rest >= 0.0)
        F += done @ mass
    mean = np.array([last - step * (F**n).sum() for n in counts])
    square = np.array([last**2 - step * (2.0 * time * F**n).sum() for n in counts])
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


@pytest.fixture(scope="session")
def moments_by_grid():
    return _moments


@pytest.fixture(scope="session")
def longest_by_grid():
    return _longest
