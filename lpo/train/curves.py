"""What the training curves of `metrics.parquet` say: one row a seed, steps kept, last values."""

import pandas as pd


def curves_by_seed(metrics: pd.DataFrame) -> pd.DataFrame:
    """Metrics with a column `seed` (0, 1, ...): one row a stage, step, name and seed."""
    by_seed = metrics.loc[metrics["name"].str.contains("/seed_")]
    if by_seed.empty:
        return metrics.assign(seed=0)
    parts = by_seed["name"].str.extract(r"(?P<name>.*)/seed_(?P<seed>\d+)$")
    return by_seed.assign(name=parts["name"], seed=parts["seed"].astype(int))


def kept_steps(curves: pd.DataFrame) -> pd.DataFrame:
    """Stage, seed, step kept by validation, validation loss there and at the last step.

    Step 0 is the predictor that a method continued, where no later one did better.
    """
    rows = []
    best_of = curves.loc[curves["name"] == "best_validation_loss"]
    lowest = best_of.groupby(["stage", "seed"], sort=False)["value"].min().to_dict()
    validated = curves.loc[curves["name"] == "validation_loss"]
    for (stage, seed), group in validated.groupby(["stage", "seed"], sort=False):
        steps, losses = group["step"].to_numpy(), group["value"].to_numpy()
        best = int(losses.argmin())
        kept_loss = lowest.get((stage, seed), losses[best])
        kept = {"kept_step": 0 if kept_loss < losses[best] else steps[best]}
        kept |= {"last_step": steps[-1], "kept_loss": kept_loss, "last_loss": losses[-1]}
        rows.append({"stage": stage, "seed": seed} | kept)
    return pd.DataFrame(
        rows, columns=["stage", "seed", "kept_step", "last_step", "kept_loss", "last_loss"]
    )


def final_adversary(curves: pd.DataFrame, method: str) -> dict[str, float]:
    """The adversary after the last epoch, means over seeds: `adversary/<name>`."""
    rows = curves.loc[curves["stage"] == method]
    last = rows.loc[rows["step"] == rows["step"].max()].groupby("name")["value"].mean()
    names = ("growth", "growth_se", "alpha", "path_kl", "nominal_loss", "worst_case_loss")
    return {f"adversary/{name}": float(last[name]) for name in names if name in last}
