"""What a policy is: by which rule arms are chosen, with which widths. docs/bandit.md."""

import math
from enum import StrEnum
from typing import NamedTuple

from lpo.errors import InputError


class Rule(StrEnum):
    """How an arm is chosen.

    min_ucb: by the lower one of two upper bounds, from online data and from pooled data. min_width:
    by the upper bound that is closer to its estimate. online: LinUCB/OFUL, without logs. pooled:
    by the pooled bound alone. thompson: by a sample of the online posterior. offline_greedy: by
    what the log alone says. staged: SupLinUCB with both widths. uniform: by chance.
    """

    MIN_UCB = "min_ucb"
    MIN_WIDTH = "min_width"
    ONLINE = "online"
    POOLED = "pooled"
    THOMPSON = "thompson"
    OFFLINE_GREEDY = "offline_greedy"
    STAGED = "staged"
    UNIFORM = "uniform"

    @property
    def two(self) -> bool:
        """Whether the smaller one of two widths counts."""
        return self in (Rule.MIN_UCB, Rule.MIN_WIDTH)


class Pooling(StrEnum):
    """How logs enter. ridge: all rows, and a penalty for their bias. precision: as much of them as
    the bias leaves, without a penalty. naive: all rows, as if there were no bias."""

    RIDGE = "ridge"
    PRECISION = "precision"
    NAIVE = "naive"


class Widths(StrEnum):
    """joint: one confidence ellipsoid over all blocks. per_block: one for each block, at delta over
    their number; tighter where every arm has features of its own."""

    JOINT = "joint"
    PER_BLOCK = "per_block"


class Claim(StrEnum):
    """What of a certificate is used. product: all: each part and each block bounds the bias on its
    own. ellipsoid: one ellipsoid around them. euclidean: one bound on the norm around that."""

    PRODUCT = "product"
    ELLIPSOID = "ellipsoid"
    EUCLIDEAN = "euclidean"


class OfflineNoise(StrEnum):
    """Of which law the noise of the log is, for the bound on its norm."""

    GAUSSIAN = "gaussian"
    SUB_GAUSSIAN = "sub_gaussian"


class Policy(NamedTuple):
    """What programs are compiled for; hashable.

    audit: a block whose rewards contradict the certificate loses its pooled bound. learned: the
    certificate is learned from the online rewards at rounds 4 d 2^k; before the first one logs are
    not used. union_split: delta is shared by all events that a claim needs, four of widths and two
    of the audit. forgets: `Settings.discount` is below 1. mixes: `Settings.epsilon` is above 0.
    stages: of rule staged, `stages_of` the horizon; 0 of others.
    """

    rule: Rule = Rule.MIN_UCB
    pooling: Pooling = Pooling.RIDGE
    widths: Widths = Widths.JOINT
    claim: Claim = Claim.PRODUCT
    offline_noise: OfflineNoise = OfflineNoise.GAUSSIAN
    audit: bool = False
    learned: bool = False
    union_split: bool = True
    forgets: bool = False
    mixes: bool = False
    stages: int = 0


class Settings(NamedTuple):
    """Numbers of a policy. width_scale: times the statistical widths, 1 being what theory says
    (below 1 nothing is guaranteed). epsilon: share of rounds in which any arm is played.
    posterior_scale: of Thompson samples, in sigma. discount: by which evidence ages each round.
    horizon: rounds, at most, for the audit's and the staged variant's union bounds."""

    width_scale: float = 1.0
    epsilon: float = 0.0
    posterior_scale: float = 1.0
    discount: float = 1.0
    horizon: float = 10_000.0


def stages_of(horizon: float) -> int:
    """Return how many stages rule staged has over so many rounds: log2, rounded up, at least 1."""
    return max(1, math.ceil(math.log2(max(horizon, 1.0))))


def check_policy(policy: Policy, settings: Settings) -> None:
    """Raise InputError on combinations without a meaning and on numbers out of range."""
    if policy.learned and not (policy.rule.two and policy.pooling is Pooling.RIDGE):
        raise InputError("`learned` must go with rule min_ucb or min_width and pooling ridge.")
    if policy.learned and policy.audit:
        raise InputError("`audit` must be off for a learned certificate: there is no claim.")
    if policy.audit and not policy.rule.two:
        raise InputError("`audit` must go with rule min_ucb or min_width: it closes one of two.")
    if policy.forgets and (policy.pooling is Pooling.PRECISION or policy.rule is Rule.STAGED):
        raise InputError("`discount` must be 1 with pooling precision and with rule staged.")
    if policy.rule is Rule.STAGED and policy.pooling is not Pooling.RIDGE:
        raise InputError("rule staged must go with pooling ridge.")
    if policy.forgets != (settings.discount != 1.0):
        raise InputError(f"`forgets` must say whether discount is not 1, got {settings.discount}.")
    if policy.mixes != (settings.epsilon != 0.0):
        raise InputError(f"`mixes` must say whether epsilon is not 0, got {settings.epsilon}.")
    for name, low, high in (
        ("width_scale", 0.0, float("inf")),
        ("epsilon", 0.0, 1.0),
        ("posterior_scale", 0.0, float("inf")),
    ):
        number = getattr(settings, name)
        if not low <= number <= high:
            raise InputError(f"`{name}` must be {low:g} to {high:g}, got {number}.")
    if not 0.0 < settings.discount <= 1.0:
        raise InputError(f"`discount` must be above 0, at most 1, got {settings.discount}.")
    if not 1.0 <= settings.horizon < float("inf"):
        raise InputError(f"`horizon` must be finite and at least 1, got {settings.horizon}.")
    stages = stages_of(settings.horizon) if policy.rule is Rule.STAGED else 0
    if policy.stages != stages:
        raise InputError(f"`stages` must be {stages} for this horizon, got {policy.stages}.")
