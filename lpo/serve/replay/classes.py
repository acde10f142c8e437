"""Requests sorted into classes by their lengths, and the numbers of each class.

docs/serve_replay.md.
"""

from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple, Protocol

import numpy as np
from scipy.cluster.vq import vq

from lpo.errors import InputError
from lpo.serve.instance import Hardware, Instance, make_instance
from lpo.serve.replay.trace import Trace


class Classes(Protocol):
    """How requests are sorted."""

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each class, [I]."""
        ...

    def kinds(self, trace: Trace) -> np.ndarray:
        """Return the class of each request, int64 [R]."""
        ...


class ThresholdClasses(NamedTuple):
    """Classes between edges in tokens; an edge belongs to the shorter side.

    Short prompts come first, of equal ones those with a short output.
    """

    prompt_edges: tuple[float, ...] = (1500.0,)
    decode_edges: tuple[float, ...] = (150.0,)

    @property
    def names(self) -> tuple[str, ...]:
        """The ranges of both lengths."""
        prompts, decodes = _ranges(self.prompt_edges), _ranges(self.decode_edges)
        return tuple(f"prompt {p}, decode {d}" for p, d in product(prompts, decodes))

    def kinds(self, trace: Trace) -> np.ndarray:
        """Return the class of each request, int64 [R]."""
        prompt = np.searchsorted(self.prompt_edges, trace.prompt)
        decode = np.searchsorted(self.decode_edges, trace.decode)
        return prompt * (len(self.decode_edges) + 1) + decode


class ClusterClasses(NamedTuple):
    """Classes around centres: a request belongs to the nearest in logarithms of lengths.

    centres: float64 [I, 2], tokens of prompt and output, in the order of their prompts.
    """

    centres: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The lengths at the centres."""
        return tuple(f"prompt ~ {p:.0f}, decode ~ {d:.0f}" for p, d in self.centres)

    def kinds(self, trace: Trace) -> np.ndarray:
        """Return the class of each request, int64 [R]."""
        return vq(_logs(trace), np.log(self.centres))[0].astype(np.int64)


class ClassTable(NamedTuple):
    """The classes of a trace, [I]: share of requests, requests per second, and of the lengths mean
    in tokens and coefficient of variation."""

    names: tuple[str, ...]
    share: np.ndarray
    rate: np.ndarray
    prompt: np.ndarray
    decode: np.ndarray
    cv_prompt: np.ndarray
    cv_decode: np.ndarray


def threshold_classes(
    prompt_edges: Sequence[float] = (1500.0,), decode_edges: Sequence[float] = (150.0,)
) -> ThresholdClasses:
    """Return checked classes; without edges a length does not count.

    Raises InputError on edges that are not positive and ascending.
    """
    for name, edges in (("prompt_edges", prompt_edges), ("decode_edges", decode_edges)):
        if not all(a < b for a, b in pairwise((0.0, *edges, np.inf))):
            raise InputError(
                f"`{name}` must be positive, finite and ascending, in tokens, got {list(edges)}."
            )
    return ThresholdClasses(tuple(map(float, prompt_edges)), tuple(map(float, decode_edges)))


def cluster_classes(
    trace: Trace, classes: int, *, seed: int = 0, restarts: int = 10
) -> ClusterClasses:
    """Return the best of `restarts` runs of k-means on the logarithms of both lengths.

    Begun by k-means++ (Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding",
    2007). A factor of 2 counts the same in prompts and in outputs. The same seed gives the same
    classes, in the order of their prompts.
    Raises InputError where the requests have fewer different lengths than classes are asked for.
    """
    # requests of equal lengths are one point with a weight
    points, weights = np.unique(_logs(trace), axis=0, return_counts=True)
    if not 1 <= classes <= len(points):
        raise InputError(
            f"`classes` must be between 1 and {len(points)}, the number of different pairs of "
            f"lengths, got {classes}."
        )
    rng = np.random.default_rng(seed)
    runs = [
        _lloyd(points, weights, _spread_out(points, weights, classes, rng)) for _ in range(restarts)
    ]
    centres = min(runs, key=lambda run: run[1])[0]
    return ClusterClasses(np.exp(centres[np.lexsort(centres.T[::-1])]))


def class_table(trace: Trace, kinds: np.ndarray, names: Sequence[str]) -> ClassTable:
    """Return the numbers of each class; NaN for the lengths of a class without requests."""
    I = len(names)
    requests = np.bincount(kinds, minlength=I)
    some = np.where(requests > 0, requests, np.nan)
    moments = []
    for lengths in (trace.prompt, trace.decode):
        mean = np.bincount(kinds, lengths, minlength=I) / some
        square = np.bincount(kinds, (lengths - mean[kinds]) ** 2, minlength=I) / some
        moments.append((mean, np.sqrt(square) / mean))
    (prompt, cv_prompt), (decode, cv_decode) = moments
    return ClassTable(
        tuple(names),
        share=requests / len(kinds),
        rate=requests / trace.duration_s,
        prompt=prompt,
        decode=decode,
        cv_prompt=cv_prompt,
        cv_decode=cv_decode,
    )


def instance_of(
    table: ClassTable,
    *,
    gpus: float,
    patience: Sequence[float] | float,
    hardware: Hardware,
    price_prompt: float,
    price_decode: float,
) -> Instance:
    """Return the instance of `gpus` GPUs that share the requests of a trace.

    Raises InputError on a class without requests, which has no mean lengths, and as
    `make_instance`.
    """
    without = np.flatnonzero(table.share == 0.0)
    if len(without):
        raise InputError(
            f"No request of the trace is in the class `{table.names[without[0]]}`: choose other "
            "classes."
        )
    if not (np.isfinite(gpus) and gpus > 0.0):
        raise InputError(f"`n` must be positive and finite, got {gpus}.")
    return make_instance(
        arrival=table.rate / gpus,
        prompt=table.prompt,
        decode=table.decode,
        patience=patience,
        hardware=hardware,
        price_prompt=price_prompt,
        price_decode=price_decode,
    )


def _ranges(edges: tuple[float, ...]) -> list[str]:
    if not edges:
        return ["any"]
    between = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"<= {edges[0]:g}", *between, f"> {edges[-1]:g}"]


def _logs(trace: Trace) -> np.ndarray:
    return np.log(np.stack([trace.prompt, trace.decode], axis=-1))


def _spread_out(
    points: np.ndarray, weights: np.ndarray, classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Centres of k-means++: each is drawn in proportion to the squared distance to those before."""
    centres = points[rng.choice(len(points), 1, p=weights / weights.sum())]
    while len(centres) < classes:
        mass = weights * vq(points, centres)[1] ** 2
        centres = np.vstack([centres, points[rng.choice(len(points), p=mass / mass.sum())]])
    return centres


def _lloyd(
    points: np.ndarray, weights: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, float]:
    """Centres that no step moves any more, and the sum of squared distances to them."""
    labels = None
    while True:
        nearest, distance = vq(points, centres)
        if labels is not None and np.array_equal(nearest, labels):
            return centres, float(weights @ distance**2)
        labels = nearest
        mass = np.bincount(labels, weights, minlength=len(centres))
        sums = [np.bincount(labels, weights * each, minlength=len(centres)) for each in points.T]
        # a centre that lost all its points stays where it is
        held = np.stack(sums, axis=-1) / np.where(mass > 0.0, mass, 1.0)[:, None]
        centres = np.where(mass[:, None] > 0.0, held, centres)
