"""`environment.family=product`: what it writes, against numbers from other paths."""

import json
from functools import cache
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from lpo.bandit import simulate
from lpo.bandit.contenders import policy_named
from lpo.bandit.ope import evaluate
from lpo.bandit.ope.readers import read_log
from lpo.bandit.policy import Settings
from lpo.bandit.product import CONTEXT, Behaviour, environment_of, make_product, synthetic_contexts
from lpo.bandit.product.behaviour import probabilities
from lpo.bandit.product.changes import Terms, drawn
from lpo.bandit.product.costs import bill_of
from lpo.bandit.product.linear import mean_rewards

SEEDS = (3, 4, 5)
NAMES = ("ellipsoidal_blocks", "linucb_blocks")
SMALL = (
    "environment.family=product",
    "product.requests=made_up",
    "product.change=price_change",
    "product.rows=700",
    "seed=3",
    "seeds=3",
    "horizon=60",
    "rounds=[20]",
    f"policies=[{','.join(NAMES)}]",
    "width_scales=[]",
)


@cache
def product() -> Any:
    return make_product(synthetic_contexts(), change="price_change", rows=700)


def tables_of(folder, name: str) -> Any:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


@pytest.fixture
def run(bandit):
    code, folder, out, err = bandit(*SMALL)
    assert code == 0, err
    return bandit, folder, out


def test_tables_and_log(run, tmp_path):
    bandit, folder, out = run
    given = product()
    regret_is_recomputed(given, folder)
    arms = tables_of(folder, "arms").set_index("arm")
    arms_by_hand(given, arms)
    manifest_by_hand(given, tables_of(folder, "manifest"), arms)
    shares_sum_to_one(folder, arms)
    log_is_valued(given, folder)
    log_is_read_by_the_command(bandit, folder)
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    assert metrics["certificate_holds"] == 1.0
    lost = []  # by the log's own policy, for these seeds
    for seed in SEEDS:
        means = mean_rewards(given, after_of(seed))
        rounds = given.periods.rounds.values
        estimated = bill_of(given.costs, given.economics, rounds, rounds[:, 1])
        chances = probabilities(Behaviour(), estimated, np.ones(means.shape, bool))
        lost.append((means.max(1) - (chances * means).sum(1)).mean())
    assert metrics["regret/log_policy"] == pytest.approx(60 * np.mean(lost), rel=1e-5)
    assert "made-up requests" in out and "price change of H100" in out
    for name in ("regret", "shares", "arms"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


@cache
def after_of(seed: int) -> Any:
    """Terms of the rounds of a seed."""
    given = product()
    key = jax.random.split(jax.random.split(jax.random.key(seed), 3)[0], 4)[0]
    after = drawn(given.change, given.deployments, given.spread, key)[1]
    return Terms(*(np.asarray(part, float) for part in after))


def regret_is_recomputed(given: Any, folder) -> None:
    """From the arms played, and from rewards of the requests drawn, in NumPy."""
    policies = {name: policy_named(name, settings=Settings(horizon=60.0)) for name in NAMES}
    played = simulate(environment_of(given), policies, 60, SEEDS)
    regret = tables_of(folder, "regret")
    last = regret.loc[regret["round"] == 60].set_index(["policy", "seed"])["regret"]
    for i, seed in enumerate(SEEDS):
        of_rounds = jax.random.split(jax.random.key(seed), 3)[1]
        keys = jax.vmap(jax.random.fold_in, (None, 0))(of_rounds, np.arange(60))
        n = len(given.periods.rounds.time_s)
        request = [int(jax.random.randint(jax.random.split(key)[0], (), 0, n)) for key in keys]
        means = mean_rewards(given, after_of(seed))[request]
        for name in NAMES:
            arm = np.asarray(played[name].arm[i])
            lost = means.max(1) - means[np.arange(60), arm]
            assert last.loc[(name, seed)] == pytest.approx(lost.sum(), abs=1e-3)


def arms_by_hand(given: Any, arms: Any) -> None:
    one = given.deployments[0]  # an 8B on one RTX 4090: .35 $ an hour
    rounds, hardware = given.periods.rounds.values, one.hardware
    tau = hardware.alpha + hardware.beta * hardware.chunk
    displaced = (hardware.batch / hardware.tau_solo * tau - (hardware.batch - 1)) / hardware.chunk
    tokens = rounds[:, 1] + displaced * rounds[:, 0]
    usd = one.usd_per_hour / 3600 * hardware.tau_solo / hardware.batch * tokens * rounds[:, 5]
    row = arms.loc[one.name]
    assert row["usd_per_1000"] == pytest.approx(1e3 * usd.mean(), rel=1e-6)
    assert (row["model"], row["gpu"], row["route"]) == ("Llama-3.1-8B", "1 x RTX_4090", "fast")
    assert (row["conversation"], row["code"]) == pytest.approx(one.quality)
    rho = np.minimum(0.2 * rounds[:, 4], 0.95)
    prefill = tau / hardware.chunk
    wait = rho / (1 - rho) * given.periods.log.values[:, 0].mean() * prefill
    token = (1 - rho) * hardware.tau_solo + rho * tau
    seconds = wait + rounds[:, 0] * prefill + rounds[:, 1] * token
    assert row["seconds"] == pytest.approx(seconds.mean(), rel=1e-6)
    assert (arms["explained"] > 0.999).all()


def manifest_by_hand(given: Any, manifest: Any, arms: Any) -> None:
    assert set(manifest["arm"]) == {name for name in arms.index if "H100" in name}
    assert set(manifest["feature"]) == {"buy_read", "buy_write"}
    # half of the rent may go: half of the money that a mean request costs
    rounds = given.periods.rounds.values
    money = bill_of(given.costs, given.economics, rounds, rounds[:, 1]).money.mean(0)
    for arm, effect in manifest.groupby("arm")["effect"].sum().items():
        assert effect == pytest.approx(0.5 * money[given.arms.index(arm)], rel=1e-5)


def shares_sum_to_one(folder, arms: Any) -> None:
    shares = tables_of(folder, "shares")
    sums = shares.groupby(["policy", "round"])["share"].sum()
    assert len(sums) == 2 * 17
    np.testing.assert_allclose(sums, 1.0, rtol=1e-6)
    np.testing.assert_allclose(arms[["log", "best", *NAMES]].sum(), 1.0, rtol=1e-6)
    first = shares.loc[shares["round"] == 0].set_index(["policy", "arm"])["share"]
    np.testing.assert_allclose(first.loc["linucb_blocks"].loc[arms.index], arms["log"])


def log_is_valued(given: Any, folder) -> None:
    """1 / p is K in the mean, and the log's own policy is worth the mean reward."""
    table: Any = pd.read_csv(folder / "log.csv")
    assert list(table) == [*CONTEXT, "action", "reward", "propensity"] and len(table) == 700
    inverse = 1.0 / table["propensity"]
    assert abs(inverse.mean() - 8.0) < 4 * inverse.std() / np.sqrt(700)
    log = read_log(folder / "log.csv", actions=given.arms)
    values = table[list(CONTEXT)].to_numpy()
    estimated = bill_of(given.costs, given.economics, values, values[:, 1])
    own = probabilities(given.behaviour, estimated, np.ones((700, 8), bool))
    np.testing.assert_allclose(own.sum(1), 1.0)
    np.testing.assert_allclose(own[np.arange(700), log.actions], log.propensities, rtol=1e-4)
    found: Any = pd.DataFrame(evaluate(log, {"own": own}, ["ips", "dr"]).rows)
    value = found.set_index("estimator")["value"]
    assert value["ips"] == pytest.approx(table["reward"].mean(), rel=1e-3)
    assert value["dr"] == pytest.approx(table["reward"].mean(), abs=0.02)


def log_is_read_by_the_command(bandit, folder) -> None:
    code, other, out, _ = bandit(
        "+experiment=off_policy", f"log.path={folder / 'log.csv'}", folder="valued"
    )
    assert code == 0 and "700 decisions" in out
    data = json.loads((other / "summary.json").read_text())["data"]
    assert data[0]["path"] == str(folder / "log.csv")


PRODUCT = "environment.family=product"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["environment.family=routes"], "allowed: disjoint, spherical, product"),
        (
            ["product.size=0.3"],
            "product.size: given with environment.family=disjoint; allowed: with environment",
        ),
        (
            [PRODUCT, "environment.case=aligned"],
            "environment.case: given with environment.family=product; allowed: with",
        ),
        (
            ["+experiment=aligned", PRODUCT],
            "environment.case: given by experiment aligned with environment.family=product",
        ),
        (
            ["+experiment=product_price", "environment.family=disjoint"],
            "product.change: given by experiment product_price with environment.family=disjoint",
        ),
        ([PRODUCT, "product.what=H100"], "product.what: given with product.change=none; allowed:"),
        ([PRODUCT, "product.change=upgrade"], "allowed: none, model_upgrade, price_change"),
        (
            [PRODUCT, "product.change=price_change", "product.what=H900"],
            "product: `what` of price_change must be one of A100_40GB, H100, RTX_4090, got H900.",
        ),
        (
            [PRODUCT, "product.change=price_change", "product.size=1.5"],
            "product.size: 1.5 given; allowed: null or from 0 to 1",
        ),
        (
            [PRODUCT, "product.requests=made_up", "product.rows=50000"],
            "product.rows: 50000 given; allowed: up to",
        ),
        ([PRODUCT, "product.spread=-1"], "product.spread: -1.0 given; allowed: >= 0 and finite"),
        (
            [PRODUCT, "product.requests=files"],
            "product.conversation: None given; allowed: a trace (with product.requests=files)",
        ),
        (
            [PRODUCT, "product.requests=files", "product.conversation=a.csv", "product.code=b.csv"],
            "product.conversation: a.csv is not there",
        ),
        (
            [PRODUCT, "product.code=b.csv"],
            "product.code: given with product.requests=available; allowed: with",
        ),
        (["log.path=a.csv"], "log.path: given with analysis.name=null; allowed: with +experiment"),
        (
            ["+experiment=off_policy", "log.path=a.csv", "horizon=100"],
            "horizon: given with analysis.name=off_policy; allowed: with any experiment but",
        ),
        (
            ["+experiment=horizon_sweep", "environment.rows=100"],
            "environment.rows: given with analysis.name=horizons; allowed: with other experiments",
        ),
        (
            ["+experiment=narrow_widths", PRODUCT],
            "environment.family: product given; allowed: disjoint, spherical (widths)",
        ),
    ],
)
def test_bad_values_are_refused_with_one_line(bandit, overrides, said):
    code, _, _, err = bandit(*overrides)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_traces_that_are_missing(bandit, monkeypatch, tmp_path):
    monkeypatch.setenv("LPO_DATA", str(tmp_path))
    code, _, _, err = bandit(PRODUCT, "product.requests=azure")
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert "product.requests: azure given; allowed: with both traces of 2023" in err
