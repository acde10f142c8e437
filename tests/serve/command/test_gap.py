"""The experiment on the gap to R*: its checks, its fits and what it says of policies."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import load, paper_two_class
from lpo.serve.command.analyses.gap import CLAIMS, Curve, _check_table, _fit, find
from lpo.serve.policies import POLICIES, Gate

SHORT = ["windows=2", "warm_up_s=100.0"]
SIZES = np.array([10.0, 50.0, 200.0, 800.0])


def curve(name, share, error=1e-3):
    return Curve(POLICIES[name], 2.0, SIZES, np.asarray(share), np.full(len(SIZES), error))


def checked(each):
    table = _check_table([_fit(each)])
    return dict(zip(table["check"], table["passed"], strict=True))


def test_checks_hold_where_the_gap_closes_and_only_there():
    good = curve("credit_gate", 1.0 - 0.2 * SIZES**-0.5)
    assert checked(good) == {"above_r": True, "rise": True, "exponent": True}
    assert checked(curve("credit_gate", 1.0 - 0.2 * SIZES**-0.3))["exponent"] is False
    assert checked(curve("gate_and_route", 1.0 - 0.2 * SIZES**-0.3))["exponent"] is True
    assert checked(curve("gate_and_route", 1.0 - 0.2 * SIZES**-0.1))["exponent"] is False
    last = SIZES[-1] == SIZES
    assert checked(good._replace(share=good.share - 0.1 * last))["rise"] is False
    assert checked(good._replace(share=good.share + 0.02 * last))["above_r"] is False
    # fcfs promises nothing, nor does a gate on GPUs that are split
    assert checked(curve("fcfs_partition", [0.6] * 4)) == {}
    assert checked(curve("disaggregated_gate", [0.6] * 4)) == {}


def test_small_fleets_do_not_count_for_the_papers_gates():
    bent = 1.0 - np.array([0.9, *(0.5 * SIZES[1:] ** -0.4)])
    fit: Any = _fit(curve("gate_and_route", bent))
    assert fit.at_least == CLAIMS[Gate.INDEX].at_least
    assert fit.law.exponent == pytest.approx(0.4)
    two: Any = _fit(Curve(POLICIES["gate_and_route"], 2.0, SIZES[:2], bent[:2], np.full(2, 1e-3)))
    assert two.at_least == 1 and two.law.points == 2
    none = _fit(curve("gate_and_route", [1.01, 1.0, 1.02, 1.01]))
    assert none.law is None


def test_the_credit_gate_closes_the_gap_and_fcfs_does_not(serve_asked):
    cfg, problem = serve_asked(
        "+experiment=serve_gap",
        "policy=[credit_gate,fcfs_partition]",
        "seconds=200.0",
        "analysis.fleets=[40,10]",
        "analysis.values.seeds=[4.0]",
        "analysis.values.decode_times=[1.0]",
        *SHORT,
    )
    found = find(cfg, problem)
    gaps: Any = found.tables["gaps"].data
    assert gaps["n"].tolist() == [10, 40] * 4
    np.testing.assert_allclose(
        gaps["load"].unique(), load(paper_two_class()) * np.array([1.0, 2.0])
    )
    fits: Any = found.tables["fits"].data
    busy = fits[fits["load"] > 2.0].set_index("policy")["exponent"]
    assert 0.25 < busy["credit_gate"] < 0.9
    assert abs(busy["fcfs_partition"]) < 0.1
    checks: Any = found.tables["checks"].data
    assert set(checks["policy"]) == {"credit_gate"}
    assert checks.loc[checks["check"] != "exponent", "passed"].all()
    assert (gaps["share"] <= 1.0 + 3.0 * gaps["share_se"]).all()
    assert found.metrics["checks"] == len(checks)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("sedes=[1.0]", "sedes given"),
        ("seeds=[8.0,8.0]", "2 numbers given"),
        ("seeds=[2.5]", "whole"),
        ("decode_times=[0.0]", "> 0"),
    ],
)
def test_values_without_meaning_are_refused(serve_asked, value, says):
    cfg, problem = serve_asked("analysis.name=gap", f"+analysis.values.{value}")
    with pytest.raises(InputError, match=says):
        find(cfg, problem)
