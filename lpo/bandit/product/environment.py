"""The routing problem as a policy meets it. docs/bandit_product.md."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.bandit.certificate import Certificate
from lpo.bandit.environment import Environment, Round, constant
from lpo.bandit.offline import Offline, offline_sums
from lpo.bandit.product.changes import Terms
from lpo.bandit.product.contexts import CODE, LOAD, OUTPUT
from lpo.bandit.product.costs import Bill, bill_of
from lpo.bandit.product.features import FEATURES, features_of
from lpo.bandit.product.log import draw_log, tables_of
from lpo.bandit.product.product import Product, make_product


class Instance(NamedTuple):
    """before, after: terms of rewards in the log and in the rounds. offline: sums of the log."""

    before: Terms
    after: Terms
    offline: Offline


def product_environment(*given: Any, **options: Any) -> Environment:
    """Return the routing problem of `make_product`'s arguments as an environment."""
    return environment_of(make_product(*given, **options))


def environment_of(product: Product) -> Environment:
    """Return a routing problem as an environment of disjoint features: a block of 8 for every arm.

    A round is a request drawn from the later period, with its own lengths; all arms see the same
    features. Expected rewards are those of the length that was predicted (with `drift`: of such
    requests' mean length in the rounds), as costs are linear in the output; they are linear in the
    features but for the wait for a prefill, which is not linear in the load (`linear_fit`).
    """
    arms, tables, rounds = len(product.deployments), tables_of(product), product.periods.rounds
    expected = rounds.expected if product.drift else rounds.values[:, OUTPUT]
    most_load = [each.route.most_load for each in product.deployments]

    def draw(key: jax.Array) -> Instance:
        before, after, logged = draw_log(product, tables, key)
        x = features_of(product.economics, product.scales, product.periods.log.values)
        z = constant(x)[logged.row]
        return Instance(before, after, offline_sums(z, logged.reward, logged.arm, arms))

    def play(instance: Instance, key: jax.Array) -> Round:
        of_request, of_noise = jax.random.split(key)
        costs, scales = jax.tree.map(constant, (product.costs, product.scales))
        i = jax.random.randint(of_request, (), 0, len(expected))
        values, output, ratio = (constant(e)[i] for e in (rounds.values, expected, rounds.ratio))
        written = bill_of(costs, product.economics, values, output * ratio)
        grade = product.noise * jax.random.normal(of_noise)
        allowed = jnp.ones(arms, bool)
        if product.capacity:
            allowed = values[LOAD] <= constant(most_load)
        features = features_of(product.economics, scales, values)
        return Round(
            jnp.broadcast_to(features, (arms, len(FEATURES))),
            allowed,
            _reward(
                instance.after, bill_of(costs, product.economics, values, output), values[CODE]
            ),
            _reward(instance.after, written, values[CODE]) + grade,
            _delay(product, instance.after, written),
        )

    return Environment(
        draw,
        lambda instance: instance.offline,
        lambda instance: Certificate(constant(product.budgets)),
        play,
        product.assumptions,
        arms,
        arms,
        len(FEATURES),
        product.most_delay,
    )


def _reward(terms: Terms, bill: Bill, code: jax.Array) -> jax.Array:
    """[K]: quality less money and waiting."""
    low, high = terms.quality.T
    return low + (high - low) * code - terms.rent * bill.money - terms.slow * bill.wait


def _delay(product: Product, terms: Terms, bill: Bill) -> jax.Array:
    """[K]: requests that come, in the mean, before an answer is complete."""
    rounds = terms.slow * bill.latency_s * product.periods.rate
    return jnp.clip(rounds, 0, product.most_delay).astype(jnp.int32)
