"""The log of the earlier deployment: who was sent where, with which probability."""

import jax
import numpy as np
import pytest

from lpo.bandit import simulate
from lpo.bandit.contenders import policy_named
from lpo.bandit.ope import make_log
from lpo.bandit.ope.readers import read_log
from lpo.bandit.product import (
    CONTEXT,
    Behaviour,
    environment_of,
    features_of,
    log_table,
    make_product,
)
from lpo.bandit.product.changes import Terms
from lpo.bandit.product.costs import bill_of
from lpo.bandit.product.linear import mean_rewards
from lpo.bandit.product.log import draw_log, tables_of
from lpo.errors import InputError
from tests import quick
from tests.bandit.product.routing import periods, product


def test_propensities_by_hand():
    given = product(capacity=True, behaviour=Behaviour(temperature=0.2, explore=0.3))
    log, chances = given.periods.log, tables_of(given).probability
    for row in (0, 5, int(log.values[:, 4].argmax()), int(log.values[:, 4].argmin())):
        bill = bill_of(given.costs, given.economics, log.values[row], log.values[row, 1])
        cost = bill.money + bill.wait
        room = [log.values[row, 4] <= each.route.most_load for each in given.deployments]
        weights = [np.exp(-c / 0.2) if r else 0.0 for c, r in zip(cost, room, strict=True)]
        expected = [
            0.7 * w / sum(weights) + 0.3 * r / sum(room) for w, r in zip(weights, room, strict=True)
        ]
        np.testing.assert_allclose(chances[row], expected, rtol=1e-10)
    full = log.values[:, 4] > 1.1
    assert full.any() and not full.all()
    assert (chances[full][:, [0, 3, 5, 6]] == 0.0).all()
    assert (chances[full][:, [1, 2, 4, 7]] > 0.0).all() and (chances[~full] > 0.0).all()


def test_arms_come_as_often_as_their_propensities_say():
    given = product(rows=None)
    tables = tables_of(given)
    draw = quick.jit(jax.vmap(lambda key: draw_log(given, tables, key)[2]))
    logged = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(2), 60)))
    runs, n = logged.arm.shape
    assert n == len(given.periods.log.time_s)
    np.testing.assert_array_equal(logged.row, np.broadcast_to(np.arange(n), (runs, n)))
    count = np.stack([(logged.arm == a).sum(0) for a in range(8)], axis=-1)  # of each row
    p = tables.probability
    chi_square = ((count - runs * p) ** 2 / (runs * p)).sum()
    freedom = 7 * n
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)
    expected = np.take_along_axis(np.broadcast_to(p, (runs, n, 8)), logged.arm[..., None], 2)
    np.testing.assert_allclose(logged.propensity, expected[..., 0], rtol=1e-5)


def test_rewards_of_the_log():
    given = product(rows=None, change="price_change")
    tables = tables_of(given)
    draw = quick.jit(jax.vmap(lambda key: draw_log(given, tables, key)))
    before, _, logged = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(5), 200)))
    more = []
    for run in range(200):
        means = mean_rewards(given, Terms(*(leaf[run] for leaf in before)), log=True)
        more.append(logged.reward[run] - means[logged.row[run], logged.arm[run]])
    # of each request: what its true length costs, and grades that average to 0
    by_row = np.mean(more, axis=0)
    assert abs(np.mean(more)) < 4 * np.std(by_row) / np.sqrt(len(by_row))
    usual = given.periods.log.ratio > 0.5
    assert np.std(np.array(more)[:, usual & (given.periods.log.ratio < 1.5)]) < 0.2
    np.testing.assert_array_equal(before.rent, 1.0)


@pytest.mark.parametrize("x64", [False, True])
def test_the_table_is_the_log_that_policies_get(x64):
    given = product()
    table = log_table(given, 3, x64)
    assert list(table) == [*CONTEXT, "action", "reward", "propensity"] and len(table) == 1500
    played = simulate(
        environment_of(given), {"e": policy_named("ellipsoidal_blocks")}, 1, [1, 2, 3], x64
    )
    x = features_of(given.economics, given.scales, table[list(CONTEXT)].to_numpy())
    for a, name in enumerate(given.arms):
        own = (table["action"] == name).to_numpy()
        gram = np.asarray(played["e"].state.log.gram[2, a])
        np.testing.assert_allclose(gram, x[own].T @ x[own], rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="`seed` must be"):
        log_table(given, -1)


def test_off_policy_evaluation_reads_it(tmp_path):
    table = log_table(product(), 0)
    path = tmp_path / "log.csv"
    table.to_csv(path, index=False)
    log = read_log(path, actions=product().arms)
    assert log.context_names == CONTEXT and log.action_names == product().arms
    np.testing.assert_allclose(log.rewards, table["reward"])
    again = make_log(
        table[list(CONTEXT)],
        [product().arms.index(name) for name in table["action"]],
        table["reward"],
        table["propensity"],
    )
    np.testing.assert_array_equal(log.actions, again.actions)


def test_refuses():
    for behaviour, message in (
        (Behaviour(temperature=0.0), "`temperature` must be positive"),
        (Behaviour(explore=0.0), "`explore` must be above 0"),
    ):
        with pytest.raises(InputError, match=message):
            make_product(periods(), behaviour=behaviour)
