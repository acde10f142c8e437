"""Policies by name: Ellipsoidal-MINUCB, its variants, and what it is compared with."""

from lpo.bandit.policy import Claim, Policy, Pooling, Rule, Settings, Widths, stages_of
from lpo.errors import InputError

NAMED = {
    "linucb": Policy(Rule.ONLINE),
    "pooled": Policy(Rule.POOLED),
    "ellipsoidal": Policy(),
    "min_width": Policy(Rule.MIN_WIDTH),
    "precision": Policy(pooling=Pooling.PRECISION),
    "euclidean": Policy(claim=Claim.EUCLIDEAN),
    "naive": Policy(Rule.POOLED, pooling=Pooling.NAIVE),
    "ellipsoidal_audit": Policy(audit=True),
    "learned": Policy(learned=True),
    "linucb_blocks": Policy(Rule.ONLINE, widths=Widths.PER_BLOCK),
    "ellipsoidal_blocks": Policy(widths=Widths.PER_BLOCK),
    "ellipsoidal_blocks_audit": Policy(widths=Widths.PER_BLOCK, audit=True),
    "lints": Policy(Rule.THOMPSON),
    "offline_greedy": Policy(Rule.OFFLINE_GREEDY),
    "staged": Policy(Rule.STAGED),
    "uniform": Policy(Rule.UNIFORM),
}
"""docs/bandit.md, "Policies", says what each does. Those with `_blocks` have widths for each arm,
and use a product certificate as it is."""

CLAIMING = tuple(
    name
    for name, each in NAMED.items()
    if (each.rule.two or each.rule in (Rule.POOLED, Rule.STAGED))
    and (each.claim, each.widths) == (Claim.PRODUCT, Widths.JOINT)
    and not (each.learned or each.pooling is Pooling.NAIVE)
)
"""Those whose use of a certificate `claim` decides."""

ONLINE, POOLED, ELLIPSOIDAL = "linucb", "pooled", "ellipsoidal"


def policy_named(
    name: str,
    *,
    claim: Claim = Claim.PRODUCT,
    union_split: bool = True,
    settings: Settings | None = None,
) -> tuple[Policy, Settings]:
    """Return the policy of a name, and its numbers.

    claim: what of a certificate those use that do not say so themselves (`euclidean`, `_blocks`).
    Raises InputError on an unknown name.
    """
    if name not in NAMED:
        raise InputError(f"policy {name!r}: must be one of {', '.join(NAMED)}.")
    settings = settings or Settings()
    policy = NAMED[name]._replace(
        union_split=union_split,
        forgets=settings.discount != 1.0,
        mixes=settings.epsilon != 0.0,
        stages=stages_of(settings.horizon) if name == "staged" else 0,
    )
    if policy.claim is Claim.PRODUCT and policy.widths is Widths.JOINT:
        policy = policy._replace(claim=claim)
    return policy, settings
