"""The data sets of the published experiment, rebuilt from the traces with all its faults.

Source: 3D-Learning (Wen, Fan, Yang, arXiv 2602.02943), its Table I and its published code. The
2023 series are one hour each: 701 bins of conversation and 233 non-empty bins of code. They were
repeated to more than a day, empty bins were dropped, and each set was min-max scaled by its own
extremes and brought back by those of the training set. None of this should be done; it is here so
that numbers can be set beside the printed ones.
"""

import numpy as np

from lpo.errors import InputError

SERIES = ("conv_2023", "code_2023", "conv_2024", "code_2024")
REPEATS_2023 = 30, 96  # conversation, code: the smallest exact periods of the published files
OWN = "23V_test"
WARNING = (
    "published set-up, for comparison with printed figures only: its 2023 series are one hour "
    "repeated, so train and test rows repeat each other exactly; empty bins are dropped; every "
    "test set is scaled by its own extremes; there is no validation part"
)


def published_sets(tokens: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Series of the published experiment by the paper's acronym, `23V` first, and notes on them.

    `tokens`: demand in 5 s bins of the four Azure series, named as in `SERIES`. Those of 2024 are
    the first halves of their weeks: `24V` and `24D` are shorter than printed, the sets made of two
    halves are not. Scaled as published, in tokens of the training set.

    Raises `InputError` when one of the four is missing.
    """
    missing = [name for name in SERIES if name not in tokens]
    if missing:
        raise InputError(
            f"protocol `paper` rebuilds the published experiment from {', '.join(SERIES)}; "
            f"this workload has no {', '.join(missing)}: use `honest` or `lead_time`."
        )
    dropped = {name: int(np.sum(tokens[name] == 0)) for name in SERIES}
    conv_23, code_23, conv_24, code_24 = (tokens[name][tokens[name] > 0] for name in SERIES)
    notes = [
        f"empty bins dropped: {', '.join(f'{name} {n}' for name, n in dropped.items() if n)}",
        f"repeated: 2023 conversation {REPEATS_2023[0]} times, 2023 code {REPEATS_2023[1]} times",
        "24V and 24D hold half a week, the printed figures are of a whole one",
    ]
    conv_23 = np.tile(conv_23, REPEATS_2023[0])
    code_23 = np.tile(code_23, REPEATS_2023[1])
    half_code_23 = code_23[: len(code_23) // 2]
    sets = {
        "23V": conv_23,
        "24V": conv_24,
        "23D": code_23,
        "24D": code_24,
        "23D24D": np.concatenate([half_code_23, code_24]),
        "23D24V": np.concatenate([half_code_23, conv_24]),
        "24D24V": np.concatenate([code_24, conv_24]),
    }
    lo, hi = conv_23.min(), conv_23.max()
    return {name: lo + (hi - lo) * own_extremes(x) for name, x in sets.items()}, notes


def own_extremes(tokens: np.ndarray) -> np.ndarray:
    """Scaled to [0, 1] by its own smallest and largest value."""
    lo, hi = tokens.min(), tokens.max()
    return (tokens - lo) / (hi - lo)
