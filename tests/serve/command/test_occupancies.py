"""Occupancies by class, beside a plan that only a router with shares follows."""

from typing import Any

import numpy as np

from lpo.serve.command.analyses.occupancies import STAGES, find


def test_the_router_with_shares_follows_the_plan_of_every_class(serve_asked):
    cfg, problem = serve_asked(
        "+experiment=serve_occupancies",
        "analysis.fleets=[50]",
        "analysis.values.seeds=[8.0]",
        "analysis.values.decode_times=[1.0]",
        "seconds=200.0",
        "warm_up_s=100.0",
        "windows=1",
    )
    found = find(cfg, problem)
    table: Any = found.tables["occupancies"].data
    assert len(table) == 2 * 2
    away: Any = found.tables["distances"].data.set_index("policy")["distance"]
    by_hand: Any = sum(np.abs(table[stage] - table[f"planned_{stage}"]) for stage in STAGES)
    np.testing.assert_allclose(by_hand.groupby(table["policy"]).sum()[away.index], away)
    assert away["sli_aware"] < 0.5 * away["gate_and_route"]
    # the plan keeps its level, and is the same for both
    plan = table.groupby("class")["planned_decoding_solo"]
    assert (plan.nunique() == 1).all()
    assert abs(np.diff(plan.first().to_numpy())[0]) <= 0.5 + 1e-6
    batch = problem.instance.hardware.batch
    slots = table.groupby("policy")[list(STAGES)].sum()
    assert (slots["prefilling"] <= 1.0).all() and (slots.sum(axis=1) <= batch).all()
