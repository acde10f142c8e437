"""`python -m lpo.bandit`: what it writes is what was played."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.bandit import Case, Claim, Policy, Rule, Settings, disjoint_family, simulate

SMALL = (
    "seed=3",
    "seeds=3",
    "horizon=80",
    "rounds=[20,50]",
    "environment.arms=3",
    "environment.features=2",
    "environment.rows=300",
    "policies=[linucb,ellipsoidal]",
    "width_scales=[0.5]",
)


def tables_of(folder, name: str) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_regret_of_the_table_is_what_the_library_plays(bandit):
    code, folder, out, _ = bandit("+experiment=aligned", *SMALL)
    assert code == 0
    regret = tables_of(folder, "regret")
    assert list(regret.columns) == ["policy", "seed", "round", "regret"]
    assert set(regret["seed"]) == {3, 4, 5}
    assert {20, 50, 80} <= set(regret["round"])
    environment = disjoint_family(Case.ALIGNED, arms=3, features=2, rows=300)
    policies = {
        "linucb": Policy(Rule.ONLINE, claim=Claim.ELLIPSOID, union_split=False),
        "ellipsoidal": Policy(claim=Claim.ELLIPSOID, union_split=False),
    }
    given = {name: (policy, Settings(horizon=80.0)) for name, policy in policies.items()}
    given["ellipsoidal_x0.5"] = (
        policies["ellipsoidal"],
        Settings(horizon=80.0, width_scale=0.5),
    )
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    for name, played in simulate(environment, given, 80, [3, 4, 5]).items():
        sums = np.cumsum(np.asarray(played.regret), 1)
        rows = regret.loc[regret["policy"] == name]
        for t in (20, 50, 80):
            found = rows.loc[rows["round"] == t, "regret"].to_numpy()
            np.testing.assert_allclose(found, sums[:, t - 1], rtol=1e-5)
        assert metrics[f"regret/{name}"] == pytest.approx(sums[:, -1].mean(), rel=1e-5)
    policies = tables_of(folder, "policies").set_index("policy")
    assert policies.loc["linucb", "guarantee"] == "theory"
    assert policies.loc["ellipsoidal_x0.5", "guarantee"].startswith("void")
    assert "least regret after 80 rounds" in out
    for name in ("regret", "used_offline", "effective_dimension"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


def test_horizons_say_what_logs_of_several_lengths_save(bandit):
    code, folder, _, _ = bandit(
        "+experiment=horizon_sweep",
        *SMALL,
        "analysis.values={rows: [300, 3000]}",
    )
    assert code == 0
    table = tables_of(folder, "horizons")
    np.testing.assert_allclose(table["saved"], table["linucb"] - table["ellipsoidal"], rtol=1e-6)
    last = table.loc[table["round"] == 80].set_index("rows")
    assert 0.0 < last.loc[300, "saved"] < last.loc[3000, "saved"]


def test_a_log_without_rows_is_linucb(bandit):
    code, folder, _, _ = bandit("+experiment=aligned", *SMALL, "environment.rows=0")
    assert code == 0
    last = tables_of(folder, "policies").set_index("policy")
    assert last.loc["ellipsoidal", "regret"] == last.loc["linucb", "regret"]
    assert last.loc["ellipsoidal", "used_offline"] == 0.0


def test_a_log_file_is_evaluated(bandit, tmp_path):
    rng = np.random.default_rng(0)
    n, worth, often = 500, np.array([0.2, 0.5]), np.array([0.7, 0.3])
    action = rng.choice(2, n, p=often)
    log = pd.DataFrame(
        {
            "load": rng.normal(size=n),
            "action": np.array(["left", "right"])[action],
            "reward": worth[action] + 0.1 * rng.normal(size=n),
            "propensity": often[action],
        }
    )
    log.to_csv(tmp_path / "log.csv", index=False)
    code, folder, out, _ = bandit(
        "+experiment=off_policy", f"log.path={tmp_path / 'log.csv'}", "+log.changes={right: 0.4}"
    )
    assert code == 0
    values = tables_of(folder, "values").set_index(["policy", "estimator"])
    ips = (log["reward"] / log["propensity"] * (log["action"] == "right")).mean()
    assert values.loc[("always right", "ips"), "value"] == pytest.approx(ips, rel=1e-9)
    right = values.loc[("always right", "dr")]
    assert right["low"] < 0.5 < right["high"]
    # the certificate: a change of norm .4 moves the mean of the one context by .4 |x|
    widening = 0.4 * log["load"].abs().mean()
    assert right["shift"] == pytest.approx(widening, rel=1e-6)
    assert "always right" in out or "greedy" in out


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["policies=[linucb,best]"], "policies: best given; allowed: a list"),
        (["policies=linucb"], "policies: linucb given; allowed: a list"),
        (["horizon=0"], "horizon: 0 given; allowed: from 1"),
        (["seeds=0"], "seeds: 0 given; allowed: from 1"),
        (["epsilon=1.5"], "epsilon: 1.5 given; allowed: in [0, 1]"),
        (["discount=0.9", "policies=[precision]"], "discount: 0.9 given; allowed: 1 with"),
        (["environment.case=hostile"], "allowed: zero_shift, small_shift"),
        (["rounds=[5,5]"], "rounds: [5, 5] given; allowed: rounds of at least 1, each once"),
        (["+experiment=off_policy"], "log.path: null given; allowed: a .csv"),
        (["+experiment=off_policy", "log.path=none.csv"], "none.csv: no such file"),
        (["+experiment=horizon_sweep", "policies=[linucb]"], "allowed: with ellipsoidal"),
    ],
)
def test_bad_values_are_refused_with_one_line(bandit, overrides, said):
    code, _, _, err = bandit(*overrides)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
