"""A policy outside the simulator: the same decisions, files, refusals."""

import json
import re
import zipfile
from functools import cache
from io import BytesIO
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Environment, Policy, Round, Rule, Settings, Widths, simulate
from lpo.bandit import agent as module
from lpo.bandit.agent import REBUILD, Agent
from lpo.bandit.agent_files import sealed
from lpo.bandit.assumptions import make_assumptions
from lpo.bandit.certificate import Certificate, blocks, no_certificate
from lpo.bandit.offline import offline_sums
from lpo.bandit.policy import Pooling, stages_of
from lpo.errors import InputError
from tests import quick

_STATIC = {"_begun": (0, 1)} | dict.fromkeys(
    ("_select", "_select_own", "_updated", "_rebuilt", "_refreshed"), (0,)
)
_QUICK = {name: quick.program(getattr(module, name), *at) for name, at in _STATIC.items()}


@pytest.fixture(scope="module", autouse=True)
def agents_compiled_quickly():
    with pytest.MonkeyPatch.context() as patch:
        for name, program in _QUICK.items():
            patch.setattr(module, name, program)
        yield


K, C, ROWS, NOISE = 3, 2, 40, 0.2
ASSUMPTIONS = make_assumptions(noise=NOISE, bound=1.5, block_bound=1.0)
BUDGETS = [0.05, 0.0, 0.3]
PLAIN = Policy(widths=Widths.PER_BLOCK)
POLICIES = {
    "ellipsoidal": (PLAIN, Settings()),
    "audit, epsilon": (PLAIN._replace(audit=True, mixes=True), Settings(epsilon=0.2)),
    "thompson": (Policy(Rule.THOMPSON), Settings()),
    "learned": (Policy(learned=True), Settings()),
    "staged": (
        Policy(Rule.STAGED, stages=stages_of(700.0), union_split=False),
        Settings(horizon=700.0),
    ),
}


def log() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z, arm = rng.uniform(-1.0, 1.0, (ROWS, C)), rng.integers(0, K, ROWS)
    theta = rng.normal(size=(K, C)) * 0.6
    y = (z * theta[arm]).sum(-1) + NOISE * rng.normal(size=ROWS)
    return z.astype(np.float32), arm, y.astype(np.float32), theta.astype(np.float32)


@cache
def environment() -> Environment:
    z, arm, y, theta = log()

    def play(instance: jax.Array, key: jax.Array) -> Round:
        of_context, of_noise, of_arms = jax.random.split(key, 3)
        context = jax.random.uniform(of_context, (C,), minval=-1.0)
        means = instance @ context
        allowed = jax.random.bernoulli(of_arms, 0.7, (K,)).at[0].set(True)
        rewards = means + NOISE * jax.random.normal(of_noise)
        zero = jnp.zeros((), jnp.int32)
        return Round(jnp.broadcast_to(context, (K, C)), allowed, means, rewards, zero)

    return Environment(
        lambda key: jnp.asarray(theta),
        lambda instance: offline_sums(z, y, arm, K),
        lambda instance: blocks(BUDGETS, C),
        play,
        ASSUMPTIONS,
        K,
        K,
        C,
    )


def make(policy: Policy, settings: Settings, **options: int) -> Agent:
    z, arm, y, _ = log()
    agent = Agent(policy, settings, ASSUMPTIONS, K, C, K, **options)
    agent.fit_offline(z, y, arm, blocks(BUDGETS, C))
    return agent


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "ellipsoidal"])
def test_decides_as_simulated(name):
    rounds, seed = 510, 5
    assert rounds > REBUILD
    policy, settings = POLICIES[name]
    given = environment()
    played = jax.device_get(simulate(given, {name: (policy, settings)}, rounds, [seed])[name])
    keys = jax.random.split(jax.random.key(seed), 3)
    numbers = jnp.arange(rounds)
    fold = quick.jit(jax.vmap(jax.random.fold_in, (None, 0)))
    instance = given.draw(keys[0])
    every = quick.jit(jax.vmap(given.play, (None, 0)))(instance, fold(keys[1], numbers))
    every = jax.tree.map(np.asarray, every)
    own = list(fold(keys[2], numbers))
    agent = make(policy, settings)
    staged = policy.rule is Rule.STAGED
    for t in range(rounds):
        features = every.features[t]
        chosen = agent.select(features, own[t], every.allowed[t])
        assert chosen.action == int(played.arm[0, t]), t
        np.testing.assert_allclose(chosen.propensity, played.propensity[0, t], rtol=1e-6)
        assert bool(chosen.diagnostics.used_offline) == bool(played.used_offline[0, t])
        stage = int(chosen.diagnostics.stage) if staged else None
        reward = float(every.rewards[t, chosen.action])
        agent.update(features[chosen.action], chosen.action, reward, stage)


def decisions(agent: Agent, count: int, start: int = 0) -> list[tuple[int, float]]:
    found = []
    for t in range(start, start + count):
        x = np.random.default_rng(t).uniform(-1.0, 1.0, C)
        chosen = agent.select(x)
        agent.update(x, chosen.action, float(np.cos(7.0 * t)))
        found.append((chosen.action, chosen.propensity))
    return found


@pytest.mark.parametrize("name", ["ellipsoidal", "audit, epsilon", "thompson"])
def test_goes_on_after_a_file(name, tmp_path):
    agent = make(*POLICIES[name], seed=7)
    again = decisions(make(*POLICIES[name], seed=7), 30)
    np.testing.assert_equal(decisions(agent, 30), again)  # Thompson's propensities are NaN
    other = Agent.load(agent.save(tmp_path / "new" / "agent.npz"))
    for one, two in zip(jax.tree.leaves(agent.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_equal(decisions(other, 30, 30), decisions(agent, 30, 30))
    assert list(tmp_path.rglob("*")) == [tmp_path / "new", tmp_path / "new" / "agent.npz"]


def test_keys_and_seeds():
    agent = make(PLAIN._replace(rule=Rule.UNIFORM), Settings())
    x = np.ones(C)
    picks = [agent.select(x, seed).action for seed in range(60)]
    assert picks == [agent.select(x, seed).action for seed in range(60)]
    assert {agent.select(x, seed).action for seed in range(60)} == {0, 1, 2}
    only = agent.select(x, 3, [False, True, False])
    assert (only.action, only.propensity) == (1, 1.0)
    assert agent.select(x, jax.random.key(3)).action == agent.select(x, 3).action


def test_a_batch_is_its_rows():
    x, arm, reward = np.eye(2)[[0, 1, 1, 0, 1]], [0, 2, 2, 1, 0], [0.1, 0.2, 0.3, 0.4, 0.5]
    one, every = make(PLAIN, Settings()), make(PLAIN, Settings())
    for row in range(5):
        one.update(x[row], arm[row], reward[row])
    every.update(x, arm, reward)
    every.update(x[:0], arm[:0], reward[:0])
    assert one.rewards == every.rewards == int(every.state.round) == 5
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(every.state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_shared_features_and_a_better_estimate():
    rng = np.random.default_rng(1)
    theta = np.array([0.6, -0.3])
    agent = Agent(Policy(), Settings(), make_assumptions(noise=0.1), 4, 2, 1)
    x = rng.uniform(-1.0, 1.0, (400, 2))
    agent.update(x, np.zeros(400, int), x @ theta + 0.1 * rng.normal(size=400))
    contexts = rng.uniform(-1.0, 1.0, (4, 2))
    chosen = agent.select(contexts)
    estimate = np.linalg.solve(np.eye(2) + x.T @ x, np.asarray(agent.state.online.moment[0]))
    np.testing.assert_allclose(chosen.diagnostics.bounds.online, contexts @ estimate, rtol=1e-4)
    assert chosen.action == int(np.argmax(contexts @ theta))


def test_refuses_bad_numbers():
    agent = make(PLAIN, Settings())
    good, bad = np.ones((K, C)), np.ones((K, C))
    bad[2, 1] = np.nan
    for act, message in (
        (lambda: agent.select(bad), "contexts, row 2, column 1: must be finite, got nan."),
        (lambda: agent.select(bad[2]), "contexts, column 1: must be finite"),
        (lambda: agent.select(np.ones(3)), "`contexts` must be [2] or [3, 2], got [3]."),
        (lambda: agent.select("a"), "`contexts` must be an array of numbers"),
        (lambda: agent.select(good, -1), "a seed must be a whole number"),
        (lambda: agent.select(good, None, [True, True]), "`allowed` must be [3] of true and false"),
        (lambda: agent.select(good, None, [False] * 3), "at least one arm must exist"),
        (lambda: agent.update(bad, [0, 1, 2], np.ones(3)), "features, row 2, column 1: must be"),
        (lambda: agent.update(good, [0, 1, 3], np.ones(3)), "arm, row 2: must be a whole number"),
        (lambda: agent.update(good, [0, 1], np.ones(3)), "`arm` must be [3] as features, got [2]."),
        (lambda: agent.update(good[0], 0, np.inf), "reward: must be finite, got inf."),
        (lambda: agent.update(good[0], 0, 1.0, 0), "`stage` must be given for rule staged"),
        (lambda: agent.update(np.ones(3), 0, 1.0), "`features` must be [2] or [n, 2], got [3]."),
        (
            lambda: agent.fit_offline(bad, np.ones(3), [0, 1, 2], blocks(BUDGETS, C)),
            "features, row 2, column 1: must be finite",
        ),
        (lambda: agent.fit_offline(good, np.ones(3), None, blocks(BUDGETS, C)), "`arms` must say"),
        (
            lambda: agent.fit_offline(good, np.ones(3), [0, 1, 2], blocks([1.0], C)),
            "a log and a certificate of 1 or 3 blocks",
        ),
        (lambda: Agent(PLAIN, Settings(), ASSUMPTIONS, 3, 2, 2), "`blocks` must be 1 or 3"),
        (lambda: Agent(PLAIN, Settings(), ASSUMPTIONS, 0, 2, 1), "`arms` must be a whole number"),
        (lambda: Agent(PLAIN, Settings(epsilon=0.1), ASSUMPTIONS, 3, 2, 3), "`mixes` must say"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            act()
    agent.select(good)
    with pytest.raises(InputError, match="must come before"):
        agent.fit_offline(good, np.ones(3), [0, 1, 2], blocks(BUDGETS, C))


def test_refuses_bad_files(tmp_path):
    path = make(PLAIN, Settings()).save(tmp_path / "agent.npz")
    whole = path.read_bytes()
    with np.load(path) as saved:
        arrays = dict(saved)
    options = json.loads(str(arrays["options"]))

    def written(change: dict[str, Any] | None = None, leaf: str = "", array: Any = None) -> None:
        text = np.array(json.dumps(options | (change or {})))
        given: Any = arrays | {"options": text} | ({leaf: array} if leaf else {})
        archive(**given)

    def archive(**given: Any) -> None:
        file = BytesIO()
        np.savez(file, **given)
        path.write_bytes(sealed(file.getvalue()))

    def message() -> str:
        with pytest.raises(InputError) as caught:
            Agent.load(path)
        line = str(caught.value)
        assert line.startswith(f"{path}: ") and "\n" not in line
        return line

    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert "damaged" in message()
    ends = [*range(120), *range(len(whole) - 120, len(whole))]  # headers, directory, digest
    for at in [*ends, *range(0, len(whole), 37)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        assert "damaged, or no agent of the format lpo.bandit.agent/2" in message()
    for other in (b"not an archive", whole + b"0"):
        path.write_bytes(other)
        assert "damaged" in message()
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as other:
        other.writestr("other.txt", "x")
    path.write_bytes(sealed(file.getvalue()))
    assert "no `options`" in message()
    written({"format": "lpo.bandit.agent/1"})
    assert "must have the format lpo.bandit.agent/2, got lpo.bandit.agent/1" in message()
    written({"policy": options["policy"] | {"rule": "best"}})
    assert "'best' is not a valid Rule" in message()
    written({"policy": options["policy"] | {"audit": 1}})
    assert "1 is no bool" in message()
    written({"arms": 4})
    assert "`blocks` must be 1 or 4" in message()
    written({"else": 4})
    assert "else is not known" in message()
    written(leaf="online.moment", array=np.full((K, C), np.nan, np.float32))
    assert "`online.moment` has numbers that are not finite" in message()
    written(leaf="online.moment", array=np.zeros((K, C + 1), np.float32))
    assert "`online.moment` must be float32 [3, 2], got float32 [3, 3]" in message()
    written(leaf="extra", array=np.zeros(1))
    assert "`extra` is missing, or there too much" in message()
    with pytest.raises(InputError, match="no such file"):
        Agent.load(tmp_path / "none.npz")
    archive(options=np.array([{"a": 1}], dtype=object))
    line = message()
    assert "is no agent: not a ZIP of arrays and JSON" in line and "pickle" not in line


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    agent = make(PLAIN, Settings())
    path = agent.save(tmp_path / "agent.npz")
    before = path.read_bytes()

    def fail(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        agent.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_certificates_of_several_parts(tmp_path):
    z, arm, y, _ = log()
    agent = Agent(PLAIN, Settings(), ASSUMPTIONS, K, C, K)
    both = jnp.concatenate([blocks(BUDGETS, C).budgets, blocks([0.1, 0.2, 0.0], C).budgets])
    agent.fit_offline(z, y, arm, Certificate(both))
    assert Agent.load(agent.save(tmp_path / "agent.npz")).state.evidence.pull.shape[0] == 2


def test_what_is_claimed_is_audited():
    z, arm, y, _ = log()
    cap = ASSUMPTIONS.block_bound + ASSUMPTIONS.block_bound_off
    claimed, nothing = blocks(BUDGETS, C), no_certificate(cap, K, C)

    def audits(policy: Policy, certificate: Certificate, audit: bool | None = None) -> bool:
        agent = Agent(policy, Settings(), ASSUMPTIONS, K, C, K)
        agent.fit_offline(z, y, arm, certificate, audit=audit)
        return agent.policy.audit

    assert audits(PLAIN, claimed) and not audits(PLAIN, claimed, False)
    assert not audits(PLAIN, nothing) and audits(PLAIN, nothing, True)
    audited = PLAIN._replace(audit=True)
    assert audits(audited, nothing) and not audits(audited, claimed, False)
    for name in ("thompson", "learned"):
        assert not audits(POLICIES[name][0], claimed)
    assert not audits(PLAIN._replace(pooling=Pooling.NAIVE), claimed)
    with pytest.raises(InputError, match="`audit` must go with"):
        audits(Policy(Rule.POOLED), claimed, True)


def test_a_false_claim_is_found_and_kept_in_files(tmp_path):
    """A log of the opposite, said to be right."""
    rng, theta, count = np.random.default_rng(2), np.full((K, C), 0.6), 2048
    x, played = rng.uniform(-1.0, 1.0, (2, count, C)), rng.integers(0, K, (2, count))
    y = (x * theta[played]).sum(-1) + NOISE * rng.normal(size=(2, count))
    agents = [Agent(PLAIN, Settings(), ASSUMPTIONS, K, C, K) for _ in range(2)]
    for agent, sign in zip(agents, (-1.0, 1.0), strict=True):
        agent.fit_offline(x[0], sign * y[0], played[0], blocks([1e-4] * K, C))
        agent.update(x[1], played[1], y[1])
    false, true = agents
    assert np.asarray(true.state.trusted).all() and not np.asarray(false.state.trusted).any()
    again = Agent.load(false.save(tmp_path / "agent.npz"))
    assert again.policy.audit and not np.asarray(again.state.trusted).any()
