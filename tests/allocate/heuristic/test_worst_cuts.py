"""Worst cases of a routing table against the closed form, and what their cuts promise."""

import numpy as np

from lpo.allocate.heuristic.routing_table import routing_table
from lpo.allocate.heuristic.worst_cuts import protecting_cuts, violated_cuts, worst_cases
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.columns import make_columns
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import Budget, budget, worst_case


def test_worst_cases_and_cuts():
    instance, gamma = generate("robust", 1, size=(4, 5, 6)), (1.7, 2.4)
    options = make_options(decision_dependent=True)
    table = routing_table(instance, options, budget(*gamma), make_columns(instance))
    rng = np.random.default_rng(0)
    share = rng.random(table.most.shape) * (rng.random(table.most.shape) < 0.3)
    first = np.unique(table.pair, return_index=True)[1]
    for place, impact in enumerate((instance.data.impact_delay, instance.data.impact_error)):
        value, xi = worst_cases(table, place, share)
        at_risk = table.risk[place] * share
        by_pair = np.stack([at_risk[:, table.pair == p].sum(axis=1) for p in table.pair[first]], 1)
        removed = impact[table.model[first], table.tier[first]]
        assert np.allclose(value, worst_case(by_pair, Budget(gamma[place]), removed))
        assert np.allclose(np.sum(xi * at_risk, axis=1), value)
        assert np.all(xi <= table.kept[place]) and np.all(
            xi[:, first].sum(1) <= gamma[place] + 1e-12
        )
        exact = np.zeros((2, 4))
        exact[place] = value
        wrong = [cut for cut in violated_cuts(table, share, exact, 1e-9) if cut.place == place]
        assert not wrong
    usd = rng.random((2, 4))
    for cut in protecting_cuts(table, rng.normal(size=table.most.shape), usd):
        xi = cut.xi[first]
        assert np.all((xi >= 0.0) & (xi <= table.kept[cut.place, first]))
        assert xi.sum() <= gamma[cut.place] + 1e-9
