"""Policies and instances of a configuration, and what happened when they met."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from lpo.bandit.certificate import Certificate
from lpo.bandit.command.config import BanditConfig, CertificateKind, FamilyKind, ridge_of
from lpo.bandit.contenders import ELLIPSOIDAL, ONLINE, policy_named
from lpo.bandit.environment import Environment, constant
from lpo.bandit.families import Case, disjoint_family
from lpo.bandit.policy import Claim, Policy, Settings
from lpo.bandit.simulation import Played, segments_of, simulate
from lpo.bandit.spherical import spherical_family
from lpo.runs import progress

ONLINES = (ONLINE, f"{ONLINE}_blocks")
OURS = (ELLIPSOIDAL, f"{ELLIPSOIDAL}_blocks")


class Contest(NamedTuple):
    """policies, played: by name, in the order of the tables. seeds: of the instances, [N].
    instances: what the environment draws, leaves [N, ...]. online, ours: the first LinUCB and the
    first Ellipsoidal-MINUCB that are listed, with widths of all arms or of each; None without."""

    environment: Environment
    policies: dict[str, tuple[Policy, Settings]]
    played: dict[str, Played]
    seeds: np.ndarray
    instances: Any
    online: str | None
    ours: str | None


def contest_of(cfg: BanditConfig, **changes: Any) -> Contest:
    """Play all policies of a configuration on its instances; `changes`: of the environment."""
    words = [f"{name} {value}".replace("_", " ") for name, value in changes.items()]
    return contest_in(cfg, environment_of(cfg, **changes), ", ".join(words) or "playing")


def contest_in(cfg: BanditConfig, environment: Environment, label: str = "playing") -> Contest:
    """Play all policies of a configuration in an environment that `environment_of` made of it, with
    a progress bar over policies and rounds."""
    policies, seeds = policies_of(cfg), cfg.seed + np.arange(cfg.seeds)
    with progress(len(policies) * segments_of(cfg.horizon), label, "segment") as advance:
        played = simulate(environment, policies, cfg.horizon, seeds.tolist(), cfg.x64, advance)
    with jax.enable_x64(cfg.x64):  # other numbers are drawn in double precision
        keys = jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))
        draw = jax.jit(jax.vmap(lambda key: environment.draw(jax.random.split(key, 3)[0])))
        instances = jax.device_get(draw(keys))
    online, ours = leading(cfg, ONLINES), leading(cfg, OURS)
    return Contest(environment, policies, played, seeds, instances, online, ours)


def environment_of(cfg: BanditConfig, **changes: Any) -> Environment:
    """Return the instances of a configuration; `changes`: to arguments of their family."""
    if cfg.environment.family is FamilyKind.product:
        from lpo.bandit.command.requests import routing_of  # takes seconds to import

        return known(cfg, routing_of(cfg, **changes).environment)
    given = cfg.environment
    options: dict[str, Any] = {
        "rows": given.rows,
        "noise": given.noise,
        "arms": given.arms,
        "features": given.features,
        "norm": given.norm,
        "available": given.available,
        "most_delay": given.most_delay,
        "regularisation": ridge_of(cfg),
        "delta": cfg.delta,
    }
    family = spherical_family if given.family is FamilyKind.spherical else disjoint_family
    return known(cfg, family(**{"case": Case(given.case.name)} | options | changes))


def known(cfg: BanditConfig, environment: Environment) -> Environment:
    """Return the environment with the certificate that a configuration asks for."""
    if cfg.certificate is CertificateKind.none:
        return environment._replace(certificate=nothing_known(environment))
    return environment


def nothing_known(environment: Environment) -> Callable[[object], Certificate]:
    """Return what makes the certificate that only bounds on norms are known."""
    cap = environment.assumptions.cap
    every = cap**2 * np.broadcast_to(
        np.eye(environment.dimension),
        (1, environment.blocks, environment.dimension, environment.dimension),
    )

    def certificate(instance: object) -> Certificate:
        return Certificate(constant(every))

    return certificate


def policies_of(cfg: BanditConfig) -> dict[str, tuple[Policy, Settings]]:
    """Return the policies of a configuration by name, scaled ones (the leading LinUCB and the
    leading Ellipsoidal-MINUCB) as `<name>_x<scale>`."""
    settings = Settings(
        width_scale=cfg.width_scale,
        epsilon=cfg.epsilon,
        posterior_scale=cfg.posterior_scale,
        discount=cfg.discount,
        horizon=float(cfg.horizon),
    )

    def named(name: str, scale: float) -> tuple[Policy, Settings]:
        return policy_named(
            name,
            claim=Claim(cfg.claim.name),
            union_split=cfg.union_split,
            settings=settings._replace(width_scale=scale),
        )

    found = {name: named(name, cfg.width_scale) for name in cfg.policies}
    for scale in cfg.width_scales:
        for name in (leading(cfg, ONLINES), leading(cfg, OURS)):
            if name is not None:
                found[f"{name}_x{scale:g}"] = named(name, scale)
    return found


def leading(cfg: BanditConfig, names: tuple[str, ...]) -> str | None:
    """Return the first policy of a configuration that is among `names`, None without one."""
    return next((name for name in cfg.policies if name in names), None)
