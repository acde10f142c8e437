"""`python -m lpo.bandit`: what it writes is what was played."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.bandit import Case, Claim, Policy, Rule, Settings, disjoint_family, simulate
from lpo.bandit.command.analyses import widths
from lpo.bandit.contenders import policy_named
from lpo.bandit.spherical import spherical_family

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


LOG = "+experiment=off_policy"


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
    directions_are_those_of_the_states(policies, environment, given)
    report = (folder / "report.html").read_text()
    assert "Policies at the horizon" in report and "Regret of each seed" not in report
    for name in ("regret", "used_offline", "effective_dimension"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


def directions_are_those_of_the_states(table: Any, environment: Any, given: Any) -> None:
    """tr S (S + W_0)^-1 of every seed, in NumPy."""
    for name, played in simulate(environment, given, 80, [3, 4, 5]).items():
        gram, log = (np.asarray(e, float) for e in (played.state.gram, played.state.log.gram))
        before = np.eye(2) + (0.0 if name == "linucb" else log)
        each = np.trace(gram @ np.linalg.inv(gram + before), axis1=-2, axis2=-1).sum(-1)
        assert table.loc[name, "remaining_dimension"] == pytest.approx(each.mean(), rel=1e-5)
        assert 0.0 < each.mean() < 6.0


def test_few_rounds_of_one_seed(bandit):
    """The default's rounds are above the horizon; one seed has no interval."""
    small = [each for each in SMALL if not each.startswith(("rounds", "seeds"))]
    code, folder, out, _ = bandit("+experiment=aligned", *small, "seeds=1")
    assert code == 0 and "less regret than ellipsoidal" in out
    assert "rounds: []" in (folder / "config.yaml").read_text()
    rounds, policies = tables_of(folder, "rounds"), tables_of(folder, "policies")
    assert set(rounds["round"]) == {80}
    assert rounds[["low", "high"]].isna().all(axis=None)
    spreads = ["sem", "low", "high", "more_low", "more_high"]
    assert policies[spreads].isna().all(axis=None) and policies["more"].notna().all()


@pytest.mark.parametrize("x64", [False, True])
def test_certificates_are_of_the_logs_that_policies_got(bandit, x64):
    """Double precision draws other logs."""
    code, folder, _, _ = bandit("+experiment=aligned", *SMALL, f"x64={x64}")
    assert code == 0
    environment = disjoint_family(Case.ALIGNED, arms=3, features=2, rows=300)
    played = simulate(environment, {"": (Policy(), Settings())}, 1, [3, 4, 5], x64=x64)[""]
    values = np.linalg.eigvalsh(np.asarray(played.state.log.gram, float))
    table = tables_of(folder, "certificates")
    np.testing.assert_allclose(table["log_most"], values.max((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(table["log_least"], values.min((1, 2)), rtol=1e-3)


def test_horizons_say_what_logs_of_several_lengths_save(bandit):
    code, folder, _, _ = bandit(
        "+experiment=horizon_sweep",
        *(each for each in SMALL if "environment.rows" not in each),
        "analysis.values={rows: [300, 3000]}",
    )
    assert code == 0
    table = tables_of(folder, "horizons")
    np.testing.assert_allclose(table["saved"], table["linucb"] - table["ellipsoidal"], rtol=1e-6)
    last = table.loc[table["round"] == 80].set_index("rows")
    assert 0.0 < last.loc[300, "saved"] < last.loc[3000, "saved"]


def test_shared_features(bandit):
    code, folder, out, _ = bandit(
        "+experiment=spherical_aligned",
        "seeds=2",
        "horizon=40",
        "rounds=[10]",
        "environment.arms=3",
        "environment.features=4",
        "environment.rows=50",
        "policies=[ellipsoidal]",
        "width_scales=[]",
    )
    assert code == 0
    environment = spherical_family(Case.ALIGNED, 3, 4, 50)
    given = {"e": policy_named("ellipsoidal", union_split=False)}
    lost = np.asarray(simulate(environment, given, 40, [0, 1])["e"].regret)
    table = tables_of(folder, "regret").pivot(index="seed", columns="round", values="regret")
    np.testing.assert_allclose(table[10], lost[:, :10].sum(1), rtol=1e-5)
    np.testing.assert_allclose(table[40], lost.sum(1), rtol=1e-5)
    assert "ellipsoidal" in out and "linucb" not in out


def test_a_learned_certificate_brings_nothing(bandit):
    code, folder, out, _ = bandit(
        "+experiment=learned_certificate",
        *SMALL,
        "policies=[linucb,ellipsoidal,learned,staged]",
    )
    assert code == 0
    last = tables_of(folder, "policies").set_index("policy")
    who_loses_less_than_ours_is_said(folder, last, out)
    assert last.loc["learned", "regret"] == last.loc["linucb", "regret"]
    assert last.loc["learned", "used_offline"] == 0.0
    assert np.isfinite(last.loc["staged", "regret"])
    words = " ".join(out.split())
    said = "learned: the log tightened in 0.00% of the rounds, and in 3 of 3 seeds"
    assert words.count(said) == 1


def who_loses_less_than_ours_is_said(folder, table: Any, out: str) -> None:
    sums = tables_of(folder, "regret")
    last = sums.loc[sums["round"] == 80].pivot(index="seed", columns="policy", values="regret")
    for name in ("ellipsoidal_x0.5", "linucb"):
        more = last[name] - last["ellipsoidal"]
        half = 4.302653 * more.std() / np.sqrt(3)  # Student, 2 degrees of freedom
        row = table.loc[name]
        assert row["more"] == pytest.approx(more.mean(), rel=1e-6)
        assert row["more_high"] == pytest.approx(more.mean() + half, rel=1e-6)
    better = list(table.index[table["more"] < 0.0])
    assert better
    said = out[out.index("note: less regret than ellipsoidal") :]
    assert all(f"{name} {table.loc[name, 'regret']:.4g}" in said for name in better)


def test_widths_of_several_cases(bandit, monkeypatch):
    cases = Case.ALIGNED, Case.FALSE_CERTIFICATE
    monkeypatch.setattr(widths, "CASES", cases)
    code, folder, _, _ = bandit(
        "+experiment=narrow_widths", *(each for each in SMALL if "rounds" not in each)
    )
    assert code == 0
    wide = tables_of(folder, "widths").set_index("case")
    assert list(wide.columns) == ["linucb", "ellipsoidal", "linucb_x0.5", "ellipsoidal_x0.5"]
    assert list(wide.index) == ["aligned", "false certificate"]
    given = {"e": policy_named("ellipsoidal", claim=Claim.ELLIPSOID, union_split=False)}
    environment = disjoint_family(Case.ALIGNED, arms=3, features=2, rows=300)
    lost = np.asarray(simulate(environment, given, 80, [3, 4, 5])["e"].regret).sum(1)
    assert wide.loc["aligned", "ellipsoidal"] == pytest.approx(lost.mean(), rel=1e-5)


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
    closing = " ".join(out[out.index("500 decisions, mean reward") :].split())
    best = values.xs("dr", level="estimator")
    best = best.loc[best["value"].idxmax()]
    said = f"logged; {best['low_new']:.4g} to {best['high_new']:.4g} in those of now; report:"
    assert said in closing
    ranges = "log.reward_low=-1", "log.reward_high=2"
    code, folder, out, _ = bandit(
        "+experiment=off_policy",
        f"log.path={tmp_path / 'log.csv'}",
        "log.interval=empirical_bernstein",
        *ranges,
        folder="bounded",
    )
    assert code == 0 and "by clipped_ips the most is" in out and "nan" not in out.splitlines()[-1]
    values = tables_of(folder, "values").set_index(["policy", "estimator"])
    assert np.isfinite(values.loc[("greedy", "clipped_ips"), ["low", "high"]].to_numpy(float)).all()
    assert not np.isfinite(values.loc[("greedy", "ips"), ["low", "high"]].to_numpy(float)).any()
    given = (
        "+experiment=off_policy",
        f"log.path={tmp_path / 'log.csv'}",
        "log.interval=empirical_bernstein",
    )
    code, folder, out, _ = bandit(*given, *ranges, "log.weight_high=4", folder="weights")
    assert code == 0 and "by ips the most is" in out
    values = tables_of(folder, "values").set_index(["policy", "estimator"])
    assert np.isfinite(values.loc[("greedy", "ips"), ["low", "high"]].to_numpy(float)).all()
    for wrong, said in (
        (
            (*ranges, "log.weight_high=3"),
            "log.weight_high must be at least its weight, 3.33333, got",
        ),
        (
            ("log.reward_low=-1", "log.reward_high=0.1"),
            "log.reward_low, log.reward_high: -1 to 0.1",
        ),
        ((*ranges, "log.folds=501"), "log.folds: 501 given; allowed: from 2 to 500, the rows"),
        (
            (*ranges, "+log.changes.rihgt=1"),
            "log.changes.rihgt: no action of the log; allowed: left",
        ),
    ):
        code, _, _, err = bandit(*given, *wrong, folder=f"wrong {said[:9]}")
        assert code == 2 and said in err and len(err.strip().splitlines()) == 1
    (tmp_path / "one.csv").write_text("load,action,reward,propensity\n1,left,0.2,0.7\n")
    code, _, _, err = bandit(
        "+experiment=off_policy", f"log.path={tmp_path / 'one.csv'}", folder="1"
    )
    assert code == 2 and "one.csv: must have at least 2 rows, has 1." in err


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
        (["horizon=300", "rounds=[5000]"], "rounds: [5000] given; allowed: rounds up to the"),
        (["width_scale=0"], "width_scale: 0.0 given; allowed: > 0 and finite"),
        (
            ["policies=[linucb]", "posterior_scale=2"],
            "posterior_scale: given with policies=['linucb']; allowed: with policies that have",
        ),
        (
            ["policies=[linucb,learned,ellipsoidal_blocks]", "claim=ellipsoid"],
            "claim: given with policies=[",
        ),
        ([LOG, "log.draws=9"], "log.draws: given with log.interval=normal; allowed: with log.inte"),
        ([LOG, "log.cap=1"], "log.cap: given with log.changes=null; allowed: with log.changes={"),
        ([LOG, "log.unchanged=1"], "log.unchanged: given with log.changes=null; allowed:"),
        ([LOG, "log.reward_low=1"], "log.reward_low: given with log.interval=normal; allowed:"),
        ([LOG, "log.weight_high=9"], "log.weight_high: given with log.interval=normal; allowed:"),
        ([LOG, "log.level=1"], "log.level: 1.0 given; allowed: in (0, 1)"),
        ([LOG, "log.changes={left: -1}"], "log.changes: {'left': -1} given; allowed: null, or by"),
        (
            [LOG, "log.changes.left=1"],
            "log.changes.left: not there yet; allowed: +log.changes.left=..., log.changes={left:",
        ),
        (
            [LOG, "log.interval=empirical_bernstein"],
            "log.reward_low: None given; allowed: a finite number (with log.interval=empirical_",
        ),
        (["+experiment=off_policy"], "log.path: None given; allowed: a .csv"),
        (["+experiment=off_policy", "log.path=none.csv"], "none.csv: no such file"),
        (["+experiment=horizon_sweep", "policies=[linucb]"], "allowed: with ellipsoidal"),
    ],
)
def test_bad_values_are_refused_with_one_line(bandit, overrides, said):
    code, _, _, err = bandit(*overrides)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
