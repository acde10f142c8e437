"""The policies that a cluster can be run by. docs/serve_policies.md describes each."""

from enum import StrEnum
from typing import NamedTuple

from lpo.errors import InputError
from lpo.serve.plans.program import Pricing

SAMPLED = 4
"""GPUs that a balancer without a plan looks at before a prefill."""


class Gate(StrEnum):
    """Which class is prefilled next.

    fcfs: the request that came first. index: the class furthest below its planned prefills
    (arXiv 2602.02987, gate and route). strict: the same, and never above them. priority: the
    largest decode / prompt (there, prioritize and route). credit: *ours*, by flows in place of
    occupancies (`Targets.rate`).
    """

    FCFS = "fcfs"
    INDEX = "index"
    STRICT = "strict"
    PRIORITY = "priority"
    CREDIT = "credit"


class Pools(StrEnum):
    """Which GPUs may prefill.

    none: all, one request at a time. mixed: the first M, which keep the slot and decode at most
    B - 1 streams. split: the first M, which never decode.
    """

    NONE = "none"
    MIXED = "mixed"
    SPLIT = "split"


class Router(StrEnum):
    """Where a request decodes once its prefill is complete.

    solo_first: on a random GPU without prefills that has room, else on a random one with, else it
    waits in one queue for all. shares: the kind of GPU is drawn with the planned shares, each has
    its own queue, and a freed slot takes a class with its planned share (arXiv 2602.02987, the
    SLI-aware policy). same_gpu: where it was prefilled, in the slot that it has held since.
    least_loaded: on the GPU with the fewest streams. least_kv: on the one with the fewest tokens in
    its cache.

    Without pools solo_first asks whether a GPU prefills at the moment, and a free slot goes to a
    prefill before a decode that waits.
    """

    SOLO_FIRST = "solo_first"
    SHARES = "shares"
    SAME_GPU = "same_gpu"
    LEAST_LOADED = "least_loaded"
    LEAST_KV = "least_kv"


class Rounding(StrEnum):
    """How many GPUs M prefill when the plan says m: the next whole number, the nearest, one of the
    two at random anew in every epoch so that the mean is m, or ceil(m + sqrt(m))."""

    CEIL = "ceil"
    ROUND = "round"
    RANDOM = "random"
    SQUARE_ROOT = "square_root"


class Policy(NamedTuple):
    """Everything about a policy that is no number; hashable, so that programs are compiled for it.

    bypass: credit gate only, classes that the plan serves in full need no credit while the plan
    leaves prefill slots empty. refuse_unplanned: classes that the plan does not prefill at all are
    never admitted. prefill_pauses: a prompt is read in one iteration, in which nobody decodes.
    pricing: of the plan.
    """

    name: str
    gate: Gate
    pools: Pools
    router: Router
    rounding: Rounding = Rounding.CEIL
    pricing: Pricing = Pricing.BUNDLED
    bypass: bool = False
    refuse_unplanned: bool = False
    prefill_pauses: bool = False

    @property
    def planned(self) -> bool:
        """Whether it follows a plan."""
        return self.pools != Pools.NONE or self.gate not in (Gate.FCFS, Gate.PRIORITY)


_G, _P, _R = Gate, Pools, Router
_SHIPPED = (
    Policy("credit_gate", _G.CREDIT, _P.MIXED, _R.SOLO_FIRST, Rounding.SQUARE_ROOT),
    Policy("gate_and_route", _G.INDEX, _P.MIXED, _R.SOLO_FIRST),
    Policy("gate_and_route_strict", _G.STRICT, _P.MIXED, _R.SOLO_FIRST),
    Policy("prioritize_and_route", _G.PRIORITY, _P.MIXED, _R.SOLO_FIRST, pricing=Pricing.SEPARATE),
    Policy("sli_aware", _G.INDEX, _P.MIXED, _R.SHARES),
    Policy("fcfs", _G.FCFS, _P.NONE, _R.SAME_GPU),
    Policy("index_gate", _G.INDEX, _P.NONE, _R.SAME_GPU),
    Policy("prefill_first", _G.INDEX, _P.NONE, _R.SOLO_FIRST),
    Policy("fcfs_partition", _G.FCFS, _P.MIXED, _R.SOLO_FIRST),
    Policy("disaggregated_fcfs", _G.FCFS, _P.SPLIT, _R.SOLO_FIRST, Rounding.ROUND),
    Policy("disaggregated_gate", _G.INDEX, _P.SPLIT, _R.SOLO_FIRST, Rounding.ROUND),
    Policy("vllm_prefill_first", _G.FCFS, _P.NONE, _R.SAME_GPU, prefill_pauses=True),
    Policy("join_shortest_queue", _G.FCFS, _P.NONE, _R.LEAST_LOADED),
    Policy("least_kv", _G.FCFS, _P.NONE, _R.LEAST_KV),
    Policy(
        "credit_gate_bypass", _G.CREDIT, _P.MIXED, _R.SOLO_FIRST, Rounding.SQUARE_ROOT, bypass=True
    ),
    Policy("gate_and_route_unpartitioned", _G.INDEX, _P.NONE, _R.LEAST_LOADED),
    Policy("credit_gate_unpartitioned", _G.CREDIT, _P.NONE, _R.LEAST_LOADED),
)

POLICIES: dict[str, Policy] = {policy.name: policy for policy in _SHIPPED}
"""Every policy that comes with lpo, by name; the first is the default."""


def policy_named(name: str) -> Policy:
    """Return a shipped policy; raises InputError with the names that there are."""
    if name not in POLICIES:
        raise InputError(f"`policy` must be one of {', '.join(POLICIES)}, got {name!r}.")
    return POLICIES[name]
