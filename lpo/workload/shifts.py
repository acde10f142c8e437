"""Shifts of demand: changes of one series, tokens [bins] -> tokens [bins], and mixtures of two.

All keep the unit and never re-scale: a shift that is scaled away tests nothing. What is random
comes from `rng`. Cutout, Perlin and Gaussian noise follow the test sets of 3D-Learning
(arXiv 2602.02943), whose strengths are the defaults: they clip at zero, and their amplitudes are
shares of the series' own maximum; where its text and its code mean different things by "cutout",
both are here. The other shifts are ours (docs/protocols.md).
"""

import zlib
from collections.abc import Callable

import numpy as np

REGIME_S = 10_800.0  # seconds of a block of `regime`: three hours


def generator(seed: int, name: str) -> np.random.Generator:
    """Random stream of one test set: depends on the seed and the set's name, not on other sets."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def overdispersion(tokens: np.ndarray, rng: np.random.Generator, *, log_sd: float) -> np.ndarray:
    """Each bin times its own log-normal factor, of mean one and log standard deviation `log_sd`."""
    return tokens * np.exp(log_sd * rng.standard_normal(tokens.shape) - log_sd**2 / 2)


def bursts(
    tokens: np.ndarray,
    rng: np.random.Generator,
    *,
    probability: float = 0.01,
    peak: float = 3.0,
    bins: int = 5,
) -> np.ndarray:
    """Each bin starts a burst with this probability: `peak` times the demand, falling in a line.

    The bin that lies `age` bins after a start gains (peak - 1)(1 - age / bins) times its demand,
    for age = 0, .., bins - 1. Gains of bursts that overlap add.
    """
    starts = rng.random(tokens.shape) < probability
    gain = (peak - 1) * (1 - np.arange(bins) / bins)
    return tokens * (1 + np.convolve(starts, gain)[: len(tokens)])


def regime(
    tokens: np.ndarray, bin_s: float, *, factor: float = 2.0, block_s: float = REGIME_S
) -> np.ndarray:
    """Level times `factor` in every second block of `block_s` seconds, the first as it was.

    A bin of `bin_s` seconds belongs to the block that it begins in.
    """
    block = np.arange(len(tokens)) * bin_s // block_s
    return np.where(block % 2 == 1, factor * tokens, tokens)


def thinning(tokens: np.ndarray, rng: np.random.Generator, *, per_bin: float = 20.0) -> np.ndarray:
    """Few large requests: Poisson counts, `per_bin` in a bin of mean demand, each of one size.

    The mean of every bin is kept; its variance is the bin's demand times the size of a request,
    which is the series' mean demand over `per_bin`.
    """
    size = tokens.mean() / per_bin
    return size * rng.poisson(tokens / size) if size > 0 else tokens.copy()


def subsampled(tokens: np.ndarray, step: int) -> np.ndarray:
    """Every `step`-th bin: cycles run `step` times as fast, the noise of a bin stays as it is."""
    return tokens[::step]


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
