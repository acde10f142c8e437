# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportArgumentType=false
"""Several objectives, against the single one with other prices."""

import numpy as np
import pytest

from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.model.objectives import Goal, solve_lexicographic, solve_weighted
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Ellipsoid, Uncertainty, budget
from lpo.allocate.validate.audit import audit
from lpo.errors import InputError

SETS = budget(2.0, 2.0)


def test_goals_are_minimised_one_after_another(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    plain = solve_allocation(instance, uncertainty=SETS, gap=1e-7)
    first = solve_lexicographic(instance, uncertainty=SETS, gap=1e-7)
    unmet, cost, gpus = first.stages
    assert [stage.goal for stage in first.stages] == ["unmet", "cost", "gpus"]
    # a price of dropped queries that outweighs all else finds the least share and its cost
    dear = solve_allocation(scaled(instance, unmet_price=1e4), uncertainty=SETS, gap=1e-7)
    assert unmet.value == pytest.approx(dear.allocation.unmet.mean(), abs=1e-6)
    assert unmet.value < plain.allocation.unmet.mean()
    served = instance._replace(data=instance.data._replace(unmet_cap=np.full(3, unmet.value * 3)))
    assert cost.value == pytest.approx(
        solve_allocation(served, uncertainty=SETS, gap=1e-7).objective, rel=1e-4
    )
    assert cost.value >= plain.objective - 1e-6
    rented = (first.solved.allocation.replicas * np.array(instance.tensor_parallel)).sum()
    assert gpus.value == pytest.approx(rented)
    assert audit(instance, first.solved.allocation, Options(), SETS).ok
    (only,) = solve_lexicographic(instance, uncertainty=SETS, order=[Goal.COST], gap=1e-7).stages
    assert only.value == pytest.approx(plain.objective, rel=1e-6)


def test_weights_are_prices_where_the_budget_does_not_bind(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    found = solve_weighted(instance, {"unmet": 0.3, "delay": 5.0}, uncertainty=SETS, gap=1e-7)
    dearer = scaled(instance, unmet_price=0.3, delay_price=5.0)
    assert found.objective == pytest.approx(
        solve_allocation(dearer, uncertainty=SETS, gap=1e-7).objective, rel=1e-6
    )


def test_bad_goals_and_weights_are_refused(tiny):
    for order in ([], ["cost", "cost"]):
        with pytest.raises(InputError, match="order"):
            solve_lexicographic(tiny[0], order=order)
    with pytest.raises(InputError, match="rent"):
        solve_weighted(tiny[0], {"rent": 1.0})
    with pytest.raises(InputError, match="rental"):
        solve_weighted(tiny[0], {"rental": -1.0})
    sets = Uncertainty(Ellipsoid(1.0), Ellipsoid(1.0))
    with pytest.raises(InputError, match="ellipsoids"):
        solve_weighted(tiny[0], {}, uncertainty=sets)
