"""The scores that 3D-Learning was published with, and ours beside them.

Source: Wen, Fan, Yang, arXiv 2602.02943, Table I: normalised regret, of which `nr_code` is the
definition in the published code (docs/provision.md). One network, no seeds, no intervals.
"""

import pandas as pd

METHODS = (
    "dro_diffusion",  # 3D, by the pathwise gradient
    "dro_diffusion_ppo",  # 3D as published: importance ratios of the diffusion steps, clipped
    "kl_dro",
    "wasserstein_dro",  # W-DRO
    "cutout_augmentation",
    "gaussian_augmentation",
    "dfl",
)
TABLE_I = {
    "23V_test": (0.0518, 0.0797, 0.0682, 0.0967, 0.0949, 0.1298),
    "24V": (0.0283, 0.0604, 0.0828, 0.0707, 0.0716, 0.1003),
    "23D": (0.2213, 0.2967, 0.3087, 0.3241, 0.3304, 0.3993),
    "24D": (0.2775, 0.4558, 0.6266, 0.4648, 0.5004, 0.6103),
    "23D24D": (0.3140, 0.5071, 0.6894, 0.5215, 0.5643, 0.6828),
    "23D24V": (0.0703, 0.1214, 0.1680, 0.1317, 0.1376, 0.1791),
    "24D24V": (0.1814, 0.3072, 0.3976, 0.3259, 0.3471, 0.4360),
}


def beside_published(ours: pd.DataFrame) -> pd.DataFrame:
    """Printed scores by method and test set, and a column of ours for each architecture.

    `ours`: the columns method, architecture, test_set and nr_code. The last two rows of a method,
    `average` and `maximum`, are over all seven sets.
    """
    places = pd.MultiIndex.from_product([METHODS, TABLE_I], names=["method", "test_set"])
    # both gradients of 3D stand beside its one column
    printed = [TABLE_I[name][max(METHODS.index(method) - 1, 0)] for method, name in places]
    table = pd.DataFrame({"published": printed}, index=places)
    same = ours[ours["method"].isin(METHODS)]
    for architecture, rows in same.groupby("architecture", sort=False):
        scores = rows.set_index(["method", "test_set"])["nr_code"]
        table[str(architecture)] = scores.reindex(places)
    parts = []
    for method in METHODS:
        rows = table.loc[[method]]
        # of incomplete sets neither is comparable
        ends = {"average": rows.mean(skipna=False), "maximum": rows.max(skipna=False)}
        below = pd.DataFrame(ends).T
        below.index = pd.MultiIndex.from_product([[method], ends], names=places.names)
        parts += [rows, below]
    return pd.concat(parts).reset_index()
