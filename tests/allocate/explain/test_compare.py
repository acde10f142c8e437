"""Changes between plans: by hand on a small instance, and in a round trip of real ones."""

import itertools

import numpy as np
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.explain.compare import DROPPED, changes
from lpo.allocate.options import Options, make_options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.cost import cost, objective
from lpo.errors import InputError

ONE = budget(1.0, 1.0)


def test_nothing_changed(tiny):
    instance, plan = tiny
    found = changes(instance, plan, plan, Options(), ONE)
    assert (found.deployments, found.routes) == ((), ())
    assert all(each.change == 0.0 for each in found.costs)


def test_added_removed_resized_and_moved(tiny):
    instance, before = tiny  # small on old, TP 1; large on new, TP 2; chat .5, .45 and .05 dropped
    replicas, share = np.zeros_like(before.replicas), np.zeros_like(before.share)
    replicas[0, 1, 0], replicas[1, 1, 1] = 1, 3
    share[0, 0, 1, 0], share[0, 1, 1, 1], share[1, 1, 1, 1] = 0.7, 0.3, 1.0
    found = changes(instance, before, Allocation(replicas, share, np.zeros(2)), Options(), ONE)
    # 10 h at $1 a GPU of the old tier, $2 of the new one
    assert [each.words for each in found.deployments] == [
        "added small on new: TP 1 (+1 GPUs, +$20.00)",
        "resized large on new: TP 2 -> 3 x TP 2 (+4 GPUs, +$80.00)",
        "removed small on old: was TP 1 (-1 GPUs, -$10.00)",
    ]
    assert [each.words for each in found.routes] == [
        "chat: 50 % from small on old to small on new",
        "chat: 15 % from large on new to small on new",
        "chat: 5 % from dropped to small on new",
    ]
    assert found.routes[0].queries_per_hour == pytest.approx(5.0)
    rental = found.costs[0]
    assert (rental.part, rental.before, rental.after) == ("rental", 50.0, 140.0)


def test_another_degree_moves_nobody(tiny):
    instance, before = tiny
    after = Allocation(before.replicas[:, :, ::-1], before.share[..., ::-1], before.unmet)
    found = changes(instance, before, after, Options(), ONE)
    assert found.routes == ()
    assert [each.change for each in found.deployments] == ["resized", "resized"]
    assert {each.gpus for each in found.deployments} == {1, -1}


def test_changes_lead_from_one_plan_to_the_other(rodiu_cases):
    cases = rodiu_cases("default")
    instance, places = cases[0].instance, {}
    for j, model in enumerate(instance.models):
        places |= {f"{model} on {tier}": (j, k) for k, tier in enumerate(instance.tiers)}
    for before, after in itertools.pairwise(cases):
        options = make_options(profile="reference")
        found = changes(instance, before.allocation, after.allocation, options, ONE)
        served = before.allocation.share.sum(axis=-1)
        unmet = before.allocation.unmet.copy()
        for each in found.routes:
            i = instance.query_types.index(each.query_type)
            for name, sign in ((each.from_, -1.0), (each.to, 1.0)):
                if name == DROPPED:
                    unmet[i] += sign * each.share
                else:
                    served[(i, *places[name])] += sign * each.share
        np.testing.assert_allclose(served, after.allocation.share.sum(axis=-1), atol=5e-6)
        np.testing.assert_allclose(unmet, after.allocation.unmet, atol=5e-6)
        rent = sum(each.rental_usd for each in found.deployments)
        assert rent == pytest.approx(found.costs[0].change)
        totals = [
            objective(cost(instance, each.allocation, options, ONE), options)
            for each in (before, after)
        ]
        assert found.costs[-1][1:] == pytest.approx((*totals, totals[1] - totals[0]))


def test_a_plan_for_other_names_is_refused(tiny, rodiu_cases):
    instance, plan = tiny
    with pytest.raises(InputError, match="shape"):
        changes(instance, rodiu_cases("small")[0].allocation, plan, Options(), ONE)
