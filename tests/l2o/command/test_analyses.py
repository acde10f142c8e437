"""Experiments on starts: what tables say, recomputed from optima, plans and incumbents."""

import json
from functools import cache
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from lpo.allocate import Allocation, Options, audit, budget, generate
from lpo.allocate.validate.cost import cost, objective
from lpo.l2o.command.analyses import provisioning, rolling
from lpo.l2o.command.analyses.rolling_record import append, read
from lpo.l2o.command.analyses.rolling_starts import horizon
from lpo.l2o.families.allocation import at
from lpo.l2o.families.provisioning import arms
from lpo.l2o.families.provisioning import provisioning as linear_family
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of
from lpo.l2o.warm.drift import drifting
from lpo.l2o.warm.rolling import Solve

OF = "analysis.values"
STARTS = {"none", "previous", "planner", "nearest", "regression", "diffusion"}


def table(folder, name: str) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def given(**values: Any) -> list[str]:
    """Overrides of `analysis.values`."""
    return [f"{OF}.{name}={[float(v) for v in each]}" for name, each in values.items()]


def test_starts_of_the_provisioning_program_by_other_means(l2o):
    small = given(problems=[30], tests=[6], limit=[3000], training=[2], levels=[2], samples=[2])
    code, folder, out, err = l2o("+experiment=l2o_provisioning", *small, "seed=3")
    assert code == 0, err
    found = table(folder, "starts")
    assert len(found) == 5 * 3 and (found["gap_mean"] >= -1e-9).all()
    # whether a problem is unlike training does not depend on the start
    assert (found.groupby("problems")["outside"].nunique() == 1).all()
    assert (found["fallback"] >= found["outside"]).all() and (found["reached"] == 1.0).all()
    assert (found["total_ms"] > 0).all()
    key = jax.random.fold_in(jax.random.key(3), 1)
    own = arms()
    for name, shift in provisioning.SHIFTS.items():
        cold = found.loc[(found["problems"] == name) & (found["start"] == "none")].iloc[0]
        demand, price = sample_problems(family_of(linear_family(**shift)), key, 6)
        # x = 0, y = 0 breaks the demand and nothing else
        demand, price = np.asarray(demand, float), np.asarray(price, float)
        right = np.sqrt((demand**2).sum(1) + (own.stock**2).sum())
        kkt = np.linalg.norm(demand, axis=1) / (1.0 + right)
        assert cold["kkt_mean"] == pytest.approx(kkt.mean(), rel=1e-5)
        gaps = [_greedy(d, p) / _least(d, p) - 1.0 for d, p in zip(demand, price, strict=True)]
        assert cold["gap_mean"] == pytest.approx(np.mean(gaps), abs=1e-5)
    curves = pd.read_parquet(folder / "tables" / "curves.parquet")
    assert set(curves["start"]) == set(found["start"]) and (folder / "figures/kkt.png").exists()
    assert "fewest iterations" in out and "HiGHS" in out


def _least(demand, price) -> float:
    """The optimum, by SciPy."""
    own = arms()
    J, K = own.rate.shape
    matrix = np.zeros((J + K, J * K + J))
    for j in range(J):
        matrix[j, j * K : (j + 1) * K] = -own.rate[j]
        matrix[j, J * K + j] = -1.0
        for k in range(K):
            matrix[J + k, j * K + k] = 1.0
    usd = np.concatenate([np.tile(price, J), np.full(J, own.unmet_usd)])
    return linprog(usd, matrix, np.concatenate([-demand, own.stock])).fun


def _greedy(demand, price) -> float:
    """The cheapest GPUs for a unit of demand first, whoever it is for, in float64."""
    own = arms()
    left, stock, usd = demand.copy(), own.stock.astype(float).copy(), 0.0
    pairs = [(price[k] / own.rate[j, k], j, k) for j, k in zip(*np.nonzero(own.rate), strict=True)]
    for each, j, k in sorted(pairs):
        if each < own.unmet_usd:
            taken = min(stock[k], left[j] / own.rate[j, k])
            stock[k] -= taken
            left[j] -= taken * own.rate[j, k]
            usd += taken * price[k]
    return usd + own.unmet_usd * left.sum()


def test_a_rolling_run_and_its_continuation(l2o, monkeypatch):
    trained = cache(lambda seed, size, numbers: horizon(seed, size, dict(numbers)))
    monkeypatch.setattr(  # one training for both runs
        rolling, "horizon", lambda seed, size, numbers: trained(seed, size, tuple(numbers.items()))
    )
    small = given(solves=[3], size=[3, 3, 4], relaxations=[8], problems=[24], training=[2],
                  levels=[2], samples=[2], planner_s=[0.1], time_limit_s=[5])  # fmt: skip
    code, folder, out, err = l2o("+experiment=l2o_rolling", *small)
    assert code == 0, err
    starts, each = table(folder, "starts").set_index("start"), table(folder, "solves")
    assert set(starts.index) == STARTS and len(each) == 3 * 6
    _check_solves(folder, starts, each)
    assert ("learns nothing wins" in out) + ("learned start wins" in out) + (
        "No start has a lower median" in out
    ) == 1
    assert (folder / "figures" / "time_to_1_percent.png").exists()
    # killed in the middle of the eighth line
    path = folder / rolling.SOLVES
    lines = path.read_text().splitlines(True)
    path.write_text("".join(lines[:7]) + lines[7][:40])
    summary = json.loads((folder / "summary.json").read_text()) | {"status": "interrupted"}
    (folder / "summary.json").write_text(json.dumps(summary))
    code, _, _, err = l2o("+experiment=l2o_rolling", *small, "resume=true")
    assert code == 0, err
    again = path.read_text().splitlines(True)
    assert again[:7] == lines[:7] and len(again) == 18  # not solved again
    later = table(folder, "solves")
    np.testing.assert_allclose(later["objective"], each["objective"], rtol=1.1e-2)
    order = [(line["period"], line["starter"]) for line in map(json.loads, again)]
    assert order == [(line["period"], line["starter"]) for line in map(json.loads, lines)]


def _check_solves(folder, starts, each) -> None:
    """Costs by the audit of plans, times by the incumbents, the table by both."""
    instance, sets = generate("robust", 1, size=(3, 3, 4)), budget(np.inf, np.inf)
    options = Options(horizon_consistent=True)
    own = read(folder / rolling.SOLVES, instance.shape)
    drift = drifting(jax.random.fold_in(jax.random.key(0), 2), 3, 4, 3)
    for solve, plan in own:
        now = at(instance, drift[solve.period])
        assert audit(now, plan, options, sets).ok
        usd = objective(cost(now, plan, options, sets), options)
        assert solve.objective == pytest.approx(usd, rel=1e-6)
        assert solve.bound <= usd * (1 + 1e-6)
    best = each.groupby("period")["objective"].min()
    excess = each["objective"] / each["period"].map(best) - 1.0
    np.testing.assert_allclose(each["excess"], excess, atol=1e-9)
    assert (each["excess"] >= 0).all() and (each.groupby("period")["excess"].min() == 0).all()
    came = pd.read_parquet(folder / "tables" / "incumbents.parquet")
    good = came.loc[came["usd"] <= 1.01 * came["period"].map(best)]
    first = good.groupby(["starter", "period"])["seconds"].min().unstack()
    for name, row in starts.iterrows():
        assert row["first_s"] == pytest.approx(first.loc[name].median())
        ratio = (first.loc["none"] / first.loc[name]).median()
        assert row["speedup"] == pytest.approx(ratio)
        assert row["worst_excess"] == pytest.approx(
            each.loc[each["starter"] == name, "excess"].max(), abs=1e-12
        )
    assert starts["fastest"].sum() == 3 and starts.loc["none", "started"] == 0.0
    assert starts.loc["previous", "started"] == pytest.approx(2 / 3)


def test_a_line_of_the_record_comes_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    share = rng.uniform(size=(2, 2, 3, 2)) * (rng.uniform(size=(2, 2, 3, 2)) < 0.3)
    plan = Allocation(np.array(rng.integers(0, 2, (2, 3, 2))), share, np.array([0.0, 0.25]))
    solve = Solve(4, "a", True, False, np.nan, 0.1, ((1.0, 2.0), (3.0, 1.0 / 3.0)), 4.0, 1.0 / 3.0,
                  0.3, np.nan, 7, "said")  # fmt: skip
    path = tmp_path / "solves.jsonl"
    assert read(path, share.shape) == []
    append(path, solve, plan)
    append(path, solve._replace(period=5), plan)
    (first, same), (second, _) = read(path, share.shape)
    assert repr(first) == repr(solve) and second.period == 5
    for one, other in zip(plan, same, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["+experiment=l2o_rolling", f"{OF}.size=[3.0,3.0]"], "analysis.values.size"),
        (["+experiment=l2o_rolling", f"{OF}.solves=[2.5]"], "analysis.values.solves"),
        (["+experiment=l2o_provisioning", f"{OF}.tests=[2.0,3.0]"], "one number"),
        (["+experiment=l2o_provisioning", f"+{OF}.other=[2.0]"], "analysis.values: other"),
        (["+experiment=l2o_provisioning", "training.steps=5"], "training.steps: given with"),
        (["+experiment=l2o_rolling", "family=ackley"], "family: given with analysis.name=rolling"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(l2o, overrides, line):
    code, _, _, err = l2o(*overrides)
    assert code == 2 and line in err and err.count("\n") == 1
