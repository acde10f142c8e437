"""Policies and instances of a configuration, and what happened when they met."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from lpo.bandit.certificate import Certificate
from lpo.bandit.command.config import BanditConfig, CertificateKind
from lpo.bandit.contenders import ELLIPSOIDAL, ONLINE, policy_named
from lpo.bandit.environment import Environment
from lpo.bandit.families import Case, disjoint_family
from lpo.bandit.policy import Claim, Policy, Settings
from lpo.bandit.simulation import Played, simulate


class Contest(NamedTuple):
    """policies, played: by name, in the order of the tables. seeds: of the instances, [N]."""

    environment: Environment
    policies: dict[str, tuple[Policy, Settings]]
    played: dict[str, Played]
    seeds: np.ndarray


def contest_of(cfg: BanditConfig, **changes: Any) -> Contest:
    """Play all policies of a configuration on its instances; `changes`: of the environment."""
    environment, policies = environment_of(cfg, **changes), policies_of(cfg)
    seeds = cfg.seed + np.arange(cfg.seeds)
    played = simulate(environment, policies, cfg.horizon, seeds.tolist(), x64=cfg.x64)
    return Contest(environment, policies, played, seeds)


def environment_of(cfg: BanditConfig, **changes: Any) -> Environment:
    """Return the instances of a configuration; `changes`: to arguments of their family."""
    given = cfg.environment
    options: dict[str, Any] = {
        "rows": given.rows,
        "noise": given.noise,
        "arms": given.arms,
        "features": given.features,
        "norm": given.norm,
        "available": given.available,
        "most_delay": given.most_delay,
        "regularisation": cfg.regularisation,
        "delta": cfg.delta,
    }
    environment = disjoint_family(Case(given.case.name), **options | changes)
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
        return Certificate(jnp.asarray(every))

    return certificate


def policies_of(cfg: BanditConfig) -> dict[str, tuple[Policy, Settings]]:
    """Return the policies of a configuration by name, scaled ones as `<name>_x<scale>`."""
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
        for name in (ONLINE, ELLIPSOIDAL):
            if name in cfg.policies:
                found[f"{name}_x{scale:g}"] = named(name, scale)
    return found
