"""What k passes are worth under each rule of aggregation, independent and correlated."""

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import SHARES, WHOLE, numbers_or
from lpo.scale.command.config import FeasibilityKind, MethodKind, RuleKind, ScaleConfig
from lpo.scale.command.drawing import line_picture
from lpo.scale.command.question import Question
from lpo.scale.command.refusing import refuse_others
from lpo.scale.exact import exact_curves
from lpo.scale.laws import Latency, Rule, make_laws

NEAR = 0.99
"""Of what many passes add to one: how many passes reach this share."""
ONLY = {
    "method": MethodKind.exact,
    "feasibility": FeasibilityKind.mean,
    "bootstrap": 0,
    "aggregate.rule": RuleKind.best_of_k,
    "aggregate.correlation": 0.0,
    "aggregate.wrong_answers": 1,
}
"""Rules, correlations and numbers of wrong answers are what is varied: `analysis.values`."""


def find(cfg: ScaleConfig, asked: Question) -> Findings:
    """Return the accuracy of every rule at every correlation, exactly.

    Raises InputError on settings other than `ONLY`, and on `analysis.values` that mean nothing.
    """
    refuse_others(cfg, ONLY, "in analysis rules")
    allowed = {"correlation": SHARES, "wrong_answers": WHOLE}
    given = numbers_or(cfg, allowed, correlation=(0.0, 0.3, 0.6), wrong_answers=(1.0, 4.0))
    values = {name: list(dict.fromkeys(numbers)) for name, numbers in given.items()}
    tables = [
        _accuracies(cfg, asked, rule, correlation, int(wrong))
        for correlation in values["correlation"]
        for rule in Rule
        for wrong in (values["wrong_answers"] if rule is Rule.MAJORITY else (1,))
    ]
    curves = pd.concat(tables, ignore_index=True)
    ends = _ends(curves)
    best = ends.loc[ends["model"] == asked.models.names[0]].iloc[0]
    return Findings(
        result=(
            f"{best['model']}: {cfg.k_max} passes reach {best['at_most']:.4g} by {best['rule']} "
            f"with correlation {best['correlation']:g}, one pass {best['at_one']:.4g}"
        ),
        metrics={
            f"{row['model']}/{row['rule']}/correlation_{row['correlation']:g}": row["at_most"]
            for row in ends.to_dict("records")
        },
        tables={
            "rules": ResultTable(
                "Rules of aggregation",
                f"Accuracy of one pass and of {cfg.k_max} (at_most), and the passes after which "
                f"{NEAR:.0%} of the difference is reached.",
                ends,
            )
        },
        pictures=_pictures(asked, curves),
        shown=[(f"accuracy by rule and correlation; at_most: with k = {cfg.k_max}", ends)],
        notes=[
            "best_of_k and pass_at_k need somebody who knows which answer is right; correlation "
            "takes most of what further passes bring."
        ],
        frames={"accuracies": curves},
    )


def _accuracies(
    cfg: ScaleConfig, asked: Question, rule: Rule, correlation: float, wrong: int
) -> pd.DataFrame:
    """One row a model and k."""
    given = cfg.aggregate
    laws, numbers = make_laws(
        latency=Latency.MEAN,
        rule=rule,
        accuracy=given.law.name,
        wrong_answers=wrong,
        correlation=correlation,
        verifier_sd=given.verifier_sd,
        right_weight=given.right_weight,
        wrong_weight=given.wrong_weight,
    )
    found = exact_curves(laws, numbers, asked.models.models, asked.k, [1])
    m = len(asked.models.names)
    name = f"{rule}, {wrong} wrong" if rule is Rule.MAJORITY else str(rule)
    return pd.DataFrame(
        {
            "model": np.repeat(asked.models.names, len(asked.k)),
            "rule": name,
            "correlation": correlation,
            "k": np.tile(asked.k, m),
            "accuracy": found.accuracy.mean[:, 0].ravel(),
            "accuracy_sd": found.accuracy.sd[:, 0].ravel(),
        }
    )


def _ends(curves: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for key, part in curves.groupby(["model", "correlation", "rule"], sort=False):
        model, correlation, rule = key  # pyright: ignore[reportGeneralTypeIssues]
        accuracy = part["accuracy"].to_numpy()
        gained = accuracy - accuracy[0]
        reached = np.abs(gained) >= NEAR * np.abs(gained[-1])
        rows.append(
            {
                "model": model,
                "correlation": correlation,
                "rule": rule,
                "at_one": accuracy[0],
                "at_most": accuracy[-1],
                "passes_for_99_percent_of_gain": int(part["k"].to_numpy()[reached.argmax()]),
            }
        )
    return pd.DataFrame(rows)


def _pictures(asked: Question, curves: pd.DataFrame) -> dict[str, Picture]:
    """A panel a correlation, of the first model."""
    first = asked.models.names[0]
    table = curves.loc[curves["model"] == first].copy()
    panels = []
    for i, correlation in enumerate(table["correlation"].unique()):
        table[f"accuracy_{i}"] = table["accuracy"].where(table["correlation"] == correlation)
        panels.append(
            Lines(f"Correlation {correlation:g}", "k", f"accuracy_{i}", "rule", log=(True, False))
        )
    words = {f"accuracy_{i}": "accuracy" for i in range(len(panels))}
    return {
        "rules": line_picture(
            f"Accuracy of {asked.titles[0]} by rule",
            "Exact means over queries. Votes count an answer as right with the accuracy of a pass.",
            table,
            panels,
            words,
        )
    }
