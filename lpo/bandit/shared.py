"""Arms with features of their own, written as features that all arms share (one-hot x context)."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import block_diag

from lpo.bandit.certificate import Certificate
from lpo.bandit.environment import Environment, Round
from lpo.bandit.offline import Offline


def shared_offline(offline: Offline) -> Offline:
    """Return the same sums over one block of d = g c features."""
    return Offline(
        block_diag(*offline.gram)[None], offline.moment.reshape(1, -1), offline.count.sum()[None]
    )


def shared_certificate(certificate: Certificate) -> Certificate:
    """Return the same bounds on one block of d = g c features, [m g, 1, d, d]: each is a part."""
    parts, blocks, size = certificate.budgets.shape[:3]
    eye = jnp.eye(blocks, dtype=certificate.budgets.dtype)
    spread = jnp.einsum("mgcd,gh,gi->mghcid", certificate.budgets, eye, eye)
    return Certificate(spread.reshape(parts * blocks, 1, blocks * size, blocks * size))


def shared_features(features: jax.Array) -> jax.Array:
    """Return features [K, c] of arms of their own as [K, K c]: zero but in the arm's place."""
    return block_diag(*features[:, None])


def shared(environment: Environment) -> Environment:
    """Return an environment of as many blocks as arms with all features in one block.

    The same numbers at K times the cost: to compare the two, and for policies of joint features.
    """

    def play(instance: object, key: jax.Array) -> Round:
        now = environment.play(instance, key)
        return now._replace(features=shared_features(now.features))

    return environment._replace(
        offline=lambda instance: shared_offline(environment.offline(instance)),
        certificate=lambda instance: shared_certificate(environment.certificate(instance)),
        play=play,
        blocks=1,
        dimension=environment.blocks * environment.dimension,
    )
