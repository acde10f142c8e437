"""From named demand to the windows that are scored, and what must be said about them."""

from typing import NamedTuple

import numpy as np

from lpo.workload.windows import Layout, cut, pairs

FEW_WINDOWS = 100  # below this a test set is reported but supports no conclusion


class Cutting(NamedTuple):
    """A window every `stride` bins; of these at most `most`, evenly spaced, all for None."""

    layout: Layout
    stride: int
    most: int | None = None


def evenly(count: int, most: int | None) -> np.ndarray:
    """Indices of at most `most` of `count` places, the middles of equal parts; all for None.

    Distinct and ascending; distances between neighbours differ by one at most.
    """
    if most is None or count <= most:
        return np.arange(count)
    return (2 * np.arange(most) + 1) * count // (2 * most)


def scored_windows(bins: np.ndarray, cutting: Cutting) -> np.ndarray:
    """Windows of one series [bins], float32 [n, window]; none where it is shorter than one."""
    windows = cut(bins, cutting.layout, cutting.stride)
    return windows[evenly(len(windows), cutting.most)]


def target_clock(clock: np.ndarray, cutting: Cutting) -> np.ndarray:
    """What `clock` [bins] says of each target of `scored_windows`, [n, pairs] (, horizon)."""
    return pairs(scored_windows(clock, cutting), cutting.layout)[1]


def cut_tests(
    sets: dict[str, np.ndarray], cutting: Cutting
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Windows of every set that holds one, and notes on what is not scored or only reported."""
    layout, stride, most = cutting
    cuts, notes = _cut_sets(sets, cutting, "left out")
    counts = {name: len(windows) for name, windows in cuts.items()}
    notes += note(
        f"fewer than {FEW_WINDOWS} windows, report but draw no conclusion",
        [f"{name} {n}" for name, n in counts.items() if n < FEW_WINDOWS],
    )
    tails = {name: (len(sets[name]) - layout.window) % stride for name in cuts}
    notes += note(
        "bins at the end that fill no window", [f"{name} {n}" for name, n in tails.items() if n]
    )
    if most is not None:
        notes.append(f"scored on at most {most} windows of a set, evenly spaced")
    return cuts, notes


def cut_shifts(
    sets: dict[str, np.ndarray], cutting: Cutting
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Windows of every validation shift that holds one, and a note on those that hold none."""
    return _cut_sets(sets, cutting, "validation shifts left out")


def _cut_sets(
    sets: dict[str, np.ndarray], cutting: Cutting, without: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    cuts = {name: scored_windows(tokens, cutting) for name, tokens in sets.items()}
    notes = note(
        f"{without}, shorter than one window of {cutting.layout.window} bins",
        [name for name, windows in cuts.items() if not len(windows)],
    )
    return {name: windows for name, windows in cuts.items() if len(windows)}, notes


def note(text: str, items: list[str]) -> list[str]:
    """A line about `items`, or none where there are none."""
    return [f"{text}: {', '.join(items)}"] if items else []
