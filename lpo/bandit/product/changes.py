"""What changed between the log and the rounds, and what a manifest says of it.
docs/bandit_product.md, "Changes"."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.certificate import Certificate, from_change_manifest, of_blocks
from lpo.bandit.environment import constant
from lpo.bandit.product.deployments import Deployment
from lpo.bandit.product.features import FEATURES
from lpo.errors import InputError


class Kind(StrEnum):
    """none: nothing. model_upgrade: the quality of one model's answers. price_change: the rent of a
    class of GPUs. new_hardware: a class of GPUs is replaced by a faster one, whose latency no log
    has; what a token costs stays."""

    NONE = "none"
    MODEL_UPGRADE = "model_upgrade"
    PRICE_CHANGE = "price_change"
    NEW_HARDWARE = "new_hardware"


class Change(NamedTuple):
    """what: name of the model or of the class of GPUs. size: of quality the norm over both tasks;
    of a price how much it rises or falls at most, as a share of itself; of latency how much of it
    goes at most, as a share. known: whether the manifest says the size; otherwise only what."""

    kind: Kind
    what: str
    size: float
    known: bool = True


class Terms(NamedTuple):
    """What rewards are made of: quality - rent x money - slow x wait. quality: [K, 2]. rent, slow:
    [K], 1 in the log."""

    quality: Any
    rent: Any
    slow: Any


_DEFAULTS = {
    Kind.NONE: ("", 0.0),
    Kind.MODEL_UPGRADE: ("Llama-3.2-31B", 0.15),
    Kind.PRICE_CHANGE: ("H100", 0.5),
    Kind.NEW_HARDWARE: ("H100", 0.5),
}
_BY_QUALITY, _BY_PRICE, _BY_LATENCY = ("conversation", "code"), ("buy_",), ("wait_",)


def change_of(
    kind: Kind | str,
    deployments: Sequence[Deployment],
    what: str | None = None,
    size: float | None = None,
    known: bool = True,
) -> Change:
    """Return a checked change; None: the model or GPUs, and the size, of the table in the docs.

    Raises InputError on another kind, a name that no deployment has, and a size that is negative,
    above 1, or above 0 with `none`.
    """
    if kind not in tuple(Kind):
        raise InputError(f"`change` must be one of {', '.join(Kind)}, got {kind!r}.")
    kind = Kind(kind)
    default, usual = _DEFAULTS[kind]
    change = Change(kind, what or default, usual if size is None else size, known)
    if not 0.0 <= change.size <= 1.0 or (kind is Kind.NONE and change.size > 0.0):
        allowed = "0" if kind is Kind.NONE else "from 0 to 1"
        raise InputError(f"`size` of change {kind} must be {allowed}, got {change.size}.")
    names = sorted({_subject(kind, each) for each in deployments})
    if kind is not Kind.NONE and change.what not in names:
        raise InputError(f"`what` of {kind} must be one of {', '.join(names)}, got {change.what}.")
    return change


def affected(change: Change, deployments: Sequence[Deployment]) -> np.ndarray:
    """Return whose rewards change, [K] bool."""
    hit = [change.what == _subject(change.kind, each) for each in deployments]
    return np.array(hit) & (change.kind is not Kind.NONE)


def drawn(
    change: Change, deployments: Sequence[Deployment], spread: float, key: jax.Array
) -> tuple[Terms, Terms]:
    """Return the terms of rewards in the log and in the rounds, as they come out for a key.

    Qualities of both tasks differ from the deployments' by normal numbers of standard deviation
    `spread`, the same for all arms of a model. An upgrade goes in a random direction over both
    tasks, for better or worse, at a distance uniform up to the size. A rent rises or falls by a
    share uniform up to the size, latency falls by one.
    """
    of_quality, of_direction, of_size = jax.random.split(key, 3)
    models = sorted({each.model for each in deployments})
    own = np.array([models.index(each.model) for each in deployments])
    quality = constant([each.quality for each in deployments])
    quality = quality + spread * jax.random.normal(of_quality, (len(models), 2))[own]
    one = jnp.ones(len(deployments))
    before = Terms(quality, one, one)
    hit = constant(affected(change, deployments)).astype(one.dtype)
    moved = change.size * jax.random.uniform(of_size)
    match change.kind:
        case Kind.MODEL_UPGRADE:
            direction = jax.random.normal(of_direction, (2,))
            direction = moved * direction / jnp.linalg.norm(direction)
            return before, before._replace(quality=quality + hit[:, None] * direction)
        case Kind.PRICE_CHANGE:
            sign = jnp.where(jax.random.bernoulli(of_direction), 1.0, -1.0)
            return before, before._replace(rent=one + sign * moved * hit)
        case Kind.NEW_HARDWARE:
            return before, before._replace(slow=one - moved * hit)
        case Kind.NONE:
            return before, before


def manifest_of(
    change: Change,
    deployments: Sequence[Deployment],
    by: np.ndarray,
    money: np.ndarray,
    wait: np.ndarray,
) -> dict[str, float | None]:
    """Return the budget of every feature of an arm that a change touches, by "arm: feature".

    by: scales of features, [c]. money, wait: coefficients [K, c] in what the old deployment is
    known to cost; a share of these is what a new rent or faster hardware can move.
    """
    touched = {
        Kind.NONE: (),
        Kind.MODEL_UPGRADE: _BY_QUALITY,
        Kind.PRICE_CHANGE: _BY_PRICE,
        Kind.NEW_HARDWARE: _BY_LATENCY,
    }[change.kind]
    found: dict[str, float | None] = {}
    for a in np.flatnonzero(affected(change, deployments)).tolist():
        for j, feature in enumerate(FEATURES):
            if not feature.startswith(touched):
                continue
            each = {Kind.PRICE_CHANGE: abs(money[a, j]), Kind.NEW_HARDWARE: abs(wait[a, j])}
            budget = change.size * float(each.get(change.kind, by[j]))
            found[entry(deployments[a].name, feature)] = budget if change.known else None
    return found


def entry(arm: str, feature: str) -> str:
    """Return the name of a feature of an arm in manifests."""
    return f"{arm}: {feature}"


def certificate_of_manifest(
    manifest: dict[str, float | None], arms: Sequence[str], cap: float, unchanged: float
) -> Certificate:
    """Return the certificate of a manifest: the listed features by so much, each on its own, and
    all features of every arm together by `unchanged`. Parts [m, K, c, c].

    Raises InputError as `from_change_manifest`.
    """
    c = len(FEATURES)
    rest = from_change_manifest({}, arms, dimension=c, cap=cap, unchanged=unchanged)
    if not manifest:
        return rest
    names = [entry(arm, feature) for arm in arms for feature in FEATURES]
    listed = from_change_manifest(manifest, names, dimension=None, cap=cap, unchanged=0.0)
    own = np.asarray(of_blocks(listed, len(arms)).budgets)  # a part touches one feature of one arm
    of_feature = np.diagonal(own.sum(1), axis1=-2, axis2=-1).argmax(-1)
    together = [own[of_feature == j].sum(0) for j in np.unique(of_feature)]
    return Certificate(jnp.concatenate([rest.budgets, jnp.asarray(np.stack(together))]))


def _subject(kind: Kind, deployment: Deployment) -> str:
    return deployment.model if kind is Kind.MODEL_UPGRADE else deployment.gpu
