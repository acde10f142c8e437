"""A policy outside the simulator: it is asked for arms and told rewards. docs/bandit_agent.md."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.agent_checks import (
    check_seed,
    check_sizes,
    checked_allowed,
    checked_contexts,
    checked_rewards,
)
from lpo.bandit.agent_files import Options, read_agent, restored, write_agent
from lpo.bandit.assumptions import Assumptions
from lpo.bandit.certificate import Certificate, claims_something, no_certificate
from lpo.bandit.decide import Decision
from lpo.bandit.learned import refreshed
from lpo.bandit.learner import learner_of
from lpo.bandit.offline import Offline, check_log, no_offline, offline_sums
from lpo.bandit.policy import Policy, Pooling, Rule, Settings, check_policy
from lpo.errors import InputError

REBUILD = 500
"""Rewards after which inverses are made anew from sums, as in `simulate`."""


class Selection(NamedTuple):
    """action: the arm. propensity: probability with which it was chosen; NaN for Thompson sampling.
    diagnostics: what it was chosen by, leaves of NumPy."""

    action: int
    propensity: float
    diagnostics: Decision


class Agent:
    """One policy, its state, and how many decisions and rewards there were.

    state: a pytree, whose shapes do not change, so that programs are compiled once. The same calls
    in the same order give the same numbers, also with `save` and `load` between them.
    """

    def __init__(
        self,
        policy: Policy,
        settings: Settings,
        assumptions: Assumptions,
        arms: int,
        dimension: int,
        blocks: int,
        *,
        seed: int = 0,
    ) -> None:
        """Begin without a log.

        **Arguments:**

        - `policy`, `settings`: such as `policy_named("ellipsoidal_blocks")` returns.
        - `assumptions`: of widths (`make_assumptions`).
        - `arms`: K. `dimension`: c, features of an arm. `blocks`: 1 for features that all arms
          share, K for features of their own.
        - `seed`: of the agent's own stream of random numbers.

        **Raises:** InputError as `check_policy`, and on sizes and seeds out of range.
        """
        check_policy(policy, settings)
        check_sizes(arms, dimension, blocks)
        check_seed(seed)
        self.policy, self.settings, self.assumptions = policy, settings, assumptions
        self.arms, self.dimension, self.blocks, self.seed = arms, dimension, blocks, seed
        self.decisions = self.rewards = 0
        nothing = no_certificate(self._cap, blocks, dimension)
        self._begin(no_offline(blocks, dimension), nothing, policy)

    def fit_offline(
        self,
        features: Any,
        rewards: Any,
        arms: Any | None,
        certificate: Certificate,
        *,
        audit: bool | None = None,
    ) -> None:
        """Begin with a log under a certificate of its bias.

        **Arguments:**

        - `features` [S, c], `rewards` [S] and, where arms have features of their own, `arms` [S].
        - `certificate`: of `lpo.bandit.certificate`.
        - `audit`: whether rewards that contradict it close the pooled bound (`Policy.audit`). None:
          yes, where the policy has two bounds and uses the certificate, and this says more than
          bounds on norms (`claims_something`).

        **Raises:** InputError with row and column on what `check_log` refuses, on a certificate of
        other blocks, after the first decision or reward, and on an audit of a policy that has none.
        """
        if self.decisions or self.rewards:
            raise InputError("`fit_offline` must come before the first decision and reward.")
        if (arms is None) != (self.blocks == 1):
            must = "be None" if self.blocks == 1 else "say of each row whose it is"
            raise InputError(f"`arms` must {must}, as the agent has {self.blocks} blocks.")
        check_log(features, rewards, arms, self.blocks, self.dimension)
        policy = self.policy
        if audit is None:
            can = policy.rule.two and not policy.learned and policy.pooling is not Pooling.NAIVE
            audit = policy.audit or (can and claims_something(certificate, self._cap))
        policy = policy._replace(audit=audit)
        check_policy(policy, self.settings)
        log = np.asarray(features, np.float64), np.asarray(rewards, np.float64)
        self._begin(offline_sums(*log, arms, self.blocks), certificate, policy)

    def select(
        self, contexts: Any, key: jax.Array | int | None = None, allowed: Any | None = None
    ) -> Selection:
        """Choose an arm.

        **Arguments:**

        - `contexts`: features of the arms [K, c], or [c] of all of them.
        - `key`: of this decision's random numbers, or a seed; None: the agent's own stream.
        - `allowed`: which arms exist, [K] bool; None: all.

        **Raises:** InputError on another shape, with row and column on numbers that are not finite,
        and where no arm is allowed.
        """
        features = checked_contexts(contexts, self.arms, self.dimension)
        exist = checked_allowed(allowed, self.arms)
        if self.policy.learned and self._learns():
            self.state = _refreshed(self.policy, self.state)
        if isinstance(key, jax.Array):
            decision = _select(self.policy, self.state, features, exist, key)
        else:
            stream = (self.seed, self.decisions) if key is None else (key, None)
            check_seed(stream[0])
            decision = _select_own(self.policy, self.state, features, exist, *stream)
        decision = jax.device_get(decision)
        self.decisions += 1
        return Selection(int(decision.arm), float(decision.propensity), decision)

    def update(self, features: Any, arm: Any, reward: Any, stage: Any | None = None) -> None:
        """Learn from a reward, or from n of them, in this order.

        **Arguments:**

        - `features`: of the arm that was played, [c] or [n, c]. `arm`, `reward`: [] or [n].
        - `stage`: `Selection.diagnostics.stage` of each, for rule staged alone.

        **Raises:** InputError on another shape, with row and column on numbers that are not finite,
        on an arm that there is not, and where rule staged has no stages.
        """
        if (stage is not None) != (self.policy.rule is Rule.STAGED):
            raise InputError("`stage` must be given for rule staged, and for no other.")
        stage = np.zeros(np.shape(reward), int) if stage is None else stage
        sizes = self.arms, self.dimension, max(self.policy.stages, 1)
        given = checked_rewards(features, arm, reward, stage, *sizes)
        count = len(given[0])
        if not count:
            return
        more = (1 << (count - 1).bit_length()) - count  # few lengths, each compiled once
        padded = (np.pad(part, [(0, more)] + [(0, 0)] * (part.ndim - 1)) for part in given)
        self.state = _updated(self.policy, self.state, count, *padded)
        before, self.rewards = self.rewards, self.rewards + count
        if self.rewards // REBUILD > before // REBUILD:
            self.state = _rebuilt(self.policy, self.state)

    def save(self, path: str | Path) -> Path:
        """Write the agent to a file, atomically: NumPy arrays and JSON, no pickle."""
        options = Options(
            self.policy,
            self.settings,
            self.assumptions,
            self.arms,
            self.dimension,
            self.blocks,
            self.seed,
            self.parts,
            self.decisions,
            self.rewards,
        )
        return write_agent(Path(path), options, self.state)

    @classmethod
    def load(cls, path: str | Path) -> "Agent":
        """Read an agent that `save` wrote; it goes on as the one that was saved would have.

        Raises InputError, one line, on a file that is missing, damaged, or no agent of this
        version and precision.
        """
        path = Path(path)
        saved = read_agent(path)
        options = saved.options
        try:
            agent = cls(*options[:6], seed=options.seed)
            agent.decisions, agent.rewards, agent.parts = options[8], options[9], options.parts
            like = jax.eval_shape(agent._state_of_parts)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        agent.state = restored(path, saved, like)
        return agent

    @property
    def _cap(self) -> float:
        """How great the bias of a block can be whatever the certificate says."""
        given = self.assumptions
        return given.cap if self.blocks == 1 else given.block_bound + given.block_bound_off

    def _begin(self, offline: Offline, certificate: Certificate, policy: Policy) -> None:
        self.state = self._state(offline, certificate, policy)
        self.policy, self.parts = policy, len(certificate.budgets)

    def _state(self, offline: Offline, certificate: Certificate, policy: Policy) -> Any:
        return _begun(policy, self.arms, self.settings, self.assumptions, offline, certificate)

    def _state_of_parts(self) -> Any:
        """A state of the right shapes."""
        shape = self.parts, self.blocks, self.dimension, self.dimension
        nothing = no_offline(self.blocks, self.dimension)
        return self._state(nothing, Certificate(jnp.zeros(shape)), self.policy)

    def _learns(self) -> bool:
        """Whether a certificate is learned before this decision: at 4 d 2^k, as in `simulate`."""
        first = 4 * self.blocks * self.dimension
        ratio, rest = divmod(self.decisions, first)
        return rest == 0 and ratio > 0 and ratio & (ratio - 1) == 0


@partial(jax.jit, static_argnums=(0, 1))
def _begun(policy: Policy, arms: int, *given: Any) -> Any:
    return learner_of(policy).init(policy, *given, arms)


@partial(jax.jit, static_argnums=0)
def _select(
    policy: Policy, state: Any, features: jax.Array, allowed: jax.Array, key: jax.Array
) -> Decision:
    dtype = state.assumptions.noise.dtype
    return learner_of(policy).select(policy, state, features.astype(dtype), allowed, key)


@partial(jax.jit, static_argnums=0)
def _select_own(
    policy: Policy, state: Any, features: jax.Array, allowed: jax.Array, seed: Any, count: Any
) -> Decision:
    """With a stream of its own; count: of decisions, None: the seed is of this one alone."""
    key = jax.random.key(seed)
    key = key if count is None else jax.random.fold_in(key, count)
    return _select(policy, state, features, allowed, key)


@partial(jax.jit, static_argnums=0)
def _updated(
    policy: Policy,
    state: Any,
    count: Any,
    features: jax.Array,
    arm: jax.Array,
    reward: jax.Array,
    stage: jax.Array,
) -> Any:
    """The first `count` of the rewards in their order."""
    learner, dtype = learner_of(policy), state.assumptions.noise.dtype

    def one(state: Any, given: tuple[jax.Array, ...]) -> tuple[Any, None]:
        x, arm, reward, stage, weight = given
        return learner.update(policy, state, x, arm, reward, weight, stage), None

    weight = (jnp.arange(len(arm)) < count).astype(dtype)
    given = features.astype(dtype), arm, reward.astype(dtype), stage, weight
    if len(arm) == 1:
        return one(state, jax.tree.map(lambda leaf: leaf[0], given))[0]
    return jax.lax.scan(one, state, given)[0]


@partial(jax.jit, static_argnums=0)
def _rebuilt(policy: Policy, state: Any) -> Any:
    return learner_of(policy).rebuilt(state)


@partial(jax.jit, static_argnums=0)
def _refreshed(policy: Policy, state: Any) -> Any:
    return refreshed(policy, state)
