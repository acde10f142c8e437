"""Shifts of demand: corruptions of a series, `(tokens, rng) -> tokens`, and mixtures of two.

All keep the unit and never re-scale: a shift that is scaled away tests nothing. Corruptions clip at
zero; their amplitudes are shares of the series' own maximum. Follows the test sets of 3D-Learning
(arXiv 2602.02943), whose strengths are the defaults; where its text and its code mean different
things by "cutout", both are here.
"""

import zlib
from collections.abc import Callable

import numpy as np


def generator(seed: int, name: str) -> np.random.Generator:
    """Random stream of one test set: depends on the seed and the set's name, not on other sets."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def cutout_points(
    tokens: np.ndarray, rng: np.random.Generator, *, probability: float = 0.005
) -> np.ndarray:
    """Each bin loses all its demand with this probability, independently (the paper's text)."""
    return np.where(rng.random(tokens.shape) < probability, 0.0, tokens)


def cutout_block(
    tokens: np.ndarray, rng: np.random.Generator, *, share: float = 0.005
) -> np.ndarray:
    """One block of bins, `share` of the series, is set to its maximum (the authors' code)."""
    bins = len(tokens)
    length = round(share * bins)
    start = rng.integers(bins - length + 1)
    place = np.arange(bins)
    return np.where((place >= start) & (place < start + length), tokens.max(), tokens)


def gaussian(
    tokens: np.ndarray, rng: np.random.Generator, *, amplitude: float = 0.10
) -> np.ndarray:
    """Independent normal noise of standard deviation `amplitude` times the maximum."""
    noise = amplitude * tokens.max() * rng.standard_normal(tokens.shape)
    return np.maximum(tokens + noise, 0.0)


def perlin(tokens: np.ndarray, rng: np.random.Generator, *, amplitude: float = 0.05) -> np.ndarray:
    """Slow smooth noise whose largest absolute value is `amplitude` times the maximum."""
    noise = amplitude * tokens.max() * perlin_noise(len(tokens), rng)
    return np.maximum(tokens + noise, 0.0)


def perlin_noise(bins: int, rng: np.random.Generator, *, cells: int = 8) -> np.ndarray:
    """One-dimensional gradient noise over `bins` points, mean 0 and largest absolute value 1.

    Random slopes in [-1, 1] at the `cells + 1` lattice points 0, 1, .., cells; between two of them
    the straight lines through both are blended with the quintic 6t^5 - 15t^4 + 10t^3 (Perlin,
    "Improving noise", SIGGRAPH 2002). The paper's "octaves 8" are these cells, in the sense of the
    `perlin-noise` package, and not eight frequencies summed.
    """
    slope = rng.uniform(-1.0, 1.0, cells + 1)
    position = cells * np.arange(bins) / bins
    left = position.astype(int)
    t = position - left
    blend = t**3 * (t * (6 * t - 15) + 10)
    noise = (1 - blend) * slope[left] * t + blend * slope[left + 1] * (t - 1)
    noise -= noise.mean()
    largest = np.abs(noise).max()
    return noise / largest if largest > 0 else noise


CORRUPTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "cutout_points": cutout_points,
    "cutout_block": cutout_block,
    "perlin": perlin,
    "gaussian": gaussian,
}

# Mixed in the paper. A workload with none of these pairs mixes each other series with the one it
# trains on.
PAPER_MIXTURES = (
    ("code_2023", "code_2024"),
    ("code_2023", "conv_2024"),
    ("code_2024", "conv_2024"),
)


def mixture(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """First half of one demand followed by the first half of another, tokens in the same bins.

    The two are not interleaved: windows over the seam see one service give way to the other.
    """
    return np.concatenate([first[: len(first) // 2], second[: len(second) // 2]])


def mixture_pairs(names: list[str], train: str) -> list[tuple[str, str]]:
    """Pairs of series to mix: the paper's where present, or else each other series with `train`."""
    from_paper = [pair for pair in PAPER_MIXTURES if set(pair) <= set(names)]
    return from_paper or [(name, train) for name in names if name != train]
