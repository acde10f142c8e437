"""What is assumed about several passes: how long they take together, and what they are worth.

docs/scale_laws.md describes each.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Latency(StrEnum):
    """When k passes on P slots are complete.

    mean: total time over P (arXiv 2510.18905; a pass may end before it is complete, for k < P).
    waves: P at a time, each wave as long as its slowest pass. work_conserving: a free slot takes
    the next pass. contended: waves in which r passes side by side take 1 + contention (r - 1) times
    as long.
    """

    MEAN = "mean"
    WAVES = "waves"
    WORK_CONSERVING = "work_conserving"
    CONTENDED = "contended"


class Rule(StrEnum):
    """What the answer of k passes is worth.

    best_of_k: the best score (arXiv 2510.18905, a perfect selector). verifier: the score of the
    pass with the best score plus noise of standard deviation `verifier_sd`. majority: whether right
    answers are the most frequent, against `wrong_answers` equally likely wrong ones; ties are
    drawn. pass_at_k: whether any answer is right. weighted: whether right answers have more than
    half of the weight; the weight of a vote is Gamma distributed with shape `right_weight` or
    `wrong_weight`.
    """

    BEST_OF_K = "best_of_k"
    VERIFIER = "verifier"
    MAJORITY = "majority"
    PASS_AT_K = "pass_at_k"
    WEIGHTED = "weighted"

    @property
    def votes(self) -> bool:
        """Whether a pass is right or wrong, instead of having a score."""
        return self in (Rule.MAJORITY, Rule.PASS_AT_K, Rule.WEIGHTED)


class AccuracyLaw(StrEnum):
    """The law of the score of one pass, on [0, 1].

    clipped_normal: a normal number cut off at 0 and 1, with atoms there (arXiv 2510.18905).
    truncated_normal: a normal number given that it lies in between, with the same two parameters.
    beta: of the same mean and standard deviation as the record says.
    """

    CLIPPED_NORMAL = "clipped_normal"
    TRUNCATED_NORMAL = "truncated_normal"
    BETA = "beta"


class Laws(NamedTuple):
    """What programs are compiled for; hashable.

    correlated: whether passes of one query share a factor, with `LawNumbers.correlation`.
    wrong_answers: of the rule majority. varied: for the rule pass_at_k, the probability of being
    right varies over queries, Beta distributed with the record's mean and standard deviation.
    """

    latency: Latency = Latency.WAVES
    rule: Rule = Rule.BEST_OF_K
    accuracy: AccuracyLaw = AccuracyLaw.CLIPPED_NORMAL
    correlated: bool = False
    wrong_answers: int = 1
    varied: bool = False


class LawNumbers(NamedTuple):
    """Numbers of the laws, [] each; a pytree that differentiates.

    correlation: of the latent normal numbers behind the scores (or right and wrong answers) of two
    passes of a query, in [0, 1): one common factor. contention: of the latency `contended`.
    verifier_sd: of the noise on scores. right_weight, wrong_weight: shapes, that is mean weights,
    of the votes of the rule weighted.
    """

    correlation: Any = 0.0
    contention: Any = 0.0
    verifier_sd: Any = 0.05
    right_weight: Any = 2.0
    wrong_weight: Any = 1.0


def make_laws(
    *,
    latency: str = Latency.WAVES,
    rule: str = Rule.BEST_OF_K,
    accuracy: str = AccuracyLaw.CLIPPED_NORMAL,
    wrong_answers: int = 1,
    varied: bool = False,
    **numbers: float,
) -> tuple[Laws, LawNumbers]:
    """Return checked laws; `numbers` are fields of `LawNumbers`.

    A verifier without noise (verifier_sd 0) takes the best score: the rule is then best_of_k, whose
    integrals have no noise to divide by.

    Raises InputError, one line, on names and numbers out of range, and on combinations that mean
    nothing: `varied` with another rule than pass_at_k, or with a correlation, which says the same
    in another way.
    """
    for name, given, kinds in (
        ("latency", latency, Latency),
        ("rule", rule, Rule),
        ("accuracy", accuracy, AccuracyLaw),
    ):
        if given not in tuple(kinds):
            raise InputError(f"`{name}` must be one of {', '.join(kinds)}, got {given!r}.")
    values = LawNumbers(**numbers)
    allowed = {
        "correlation": (0.0 <= values.correlation < 1.0, "in [0, 1)"),
        "contention": (0.0 <= values.contention < np.inf, "finite and at least 0"),
        "verifier_sd": (0.0 <= values.verifier_sd < np.inf, "finite and at least 0"),
        "right_weight": (0.0 < values.right_weight < np.inf, "positive and finite"),
        "wrong_weight": (0.0 < values.wrong_weight < np.inf, "positive and finite"),
    }
    for name, (good, words) in allowed.items():
        if not good:
            raise InputError(f"`{name}` must be {words}, got {getattr(values, name)}.")
    if wrong_answers != int(wrong_answers) or wrong_answers < 1:
        raise InputError(f"`wrong_answers` must be a whole number >= 1, got {wrong_answers}.")
    if varied and (rule != Rule.PASS_AT_K or values.correlation > 0.0):
        raise InputError("`varied` is for the rule pass_at_k with a correlation of 0.")
    if rule == Rule.VERIFIER and values.verifier_sd == 0.0:
        rule = Rule.BEST_OF_K
    laws = Laws(
        Latency(latency),
        Rule(rule),
        AccuracyLaw(accuracy),
        correlated=values.correlation > 0.0,
        wrong_answers=int(wrong_answers),
        varied=varied,
    )
    return laws, values
