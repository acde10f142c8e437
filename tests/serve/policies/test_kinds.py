"""The shipped policies: which there are, and what each of them is made of."""

import pytest

from lpo.errors import InputError
from lpo.serve import Pricing
from lpo.serve.policies import POLICIES, Gate, Pools, Rounding, Router, policy_named

PUBLISHED = {  # abbreviation in the literature: name, gate, pools, router
    "GG-SP": ("gate_and_route", Gate.INDEX, Pools.MIXED, Router.SOLO_FIRST),
    "GG-strict": ("gate_and_route_strict", Gate.STRICT, Pools.MIXED, Router.SOLO_FIRST),
    "PR-SP": ("prioritize_and_route", Gate.PRIORITY, Pools.MIXED, Router.SOLO_FIRST),
    "SLI-aware": ("sli_aware", Gate.INDEX, Pools.MIXED, Router.SHARES),
    "credit gate": ("credit_gate", Gate.CREDIT, Pools.MIXED, Router.SOLO_FIRST),
    "credit, bypass": ("credit_gate_bypass", Gate.CREDIT, Pools.MIXED, Router.SOLO_FIRST),
    "FI-WSP": ("fcfs", Gate.FCFS, Pools.NONE, Router.SAME_GPU),
    "GI-WSP": ("index_gate", Gate.INDEX, Pools.NONE, Router.SAME_GPU),
    "GF-WSP": ("prefill_first", Gate.INDEX, Pools.NONE, Router.SOLO_FIRST),
    "FG-SP": ("fcfs_partition", Gate.FCFS, Pools.MIXED, Router.SOLO_FIRST),
    "DIS, FCFS": ("disaggregated_fcfs", Gate.FCFS, Pools.SPLIT, Router.SOLO_FIRST),
    "DIS, gate": ("disaggregated_gate", Gate.INDEX, Pools.SPLIT, Router.SOLO_FIRST),
    "VLLM-PF": ("vllm_prefill_first", Gate.FCFS, Pools.NONE, Router.SAME_GPU),
    "JSQ": ("join_shortest_queue", Gate.FCFS, Pools.NONE, Router.LEAST_LOADED),
    "least-KV": ("least_kv", Gate.FCFS, Pools.NONE, Router.LEAST_KV),
    "GG, no pools": ("gate_and_route_unpartitioned", Gate.INDEX, Pools.NONE, Router.LEAST_LOADED),
    "credit, no pools": (
        "credit_gate_unpartitioned",
        Gate.CREDIT,
        Pools.NONE,
        Router.LEAST_LOADED,
    ),
}


@pytest.mark.parametrize("published", list(PUBLISHED))
def test_every_published_policy_is_shipped(published):
    name, gate, pools, router = PUBLISHED[published]
    policy = policy_named(name)
    assert (policy.gate, policy.pools, policy.router) == (gate, pools, router)


def test_no_other_is_and_each_has_its_name():
    assert set(POLICIES) == {name for name, *_ in PUBLISHED.values()}
    assert all(policy.name == name for name, policy in POLICIES.items())
    assert len({policy._replace(name="") for policy in POLICIES.values()}) == len(POLICIES)


def test_the_default_is_the_credit_gate():
    assert next(iter(POLICIES)) == "credit_gate"


def test_what_sets_single_policies_apart():
    separate = [n for n, policy in POLICIES.items() if policy.pricing == Pricing.SEPARATE]
    assert separate == ["prioritize_and_route"]
    assert [n for n, policy in POLICIES.items() if policy.prefill_pauses] == ["vllm_prefill_first"]
    assert [n for n, policy in POLICIES.items() if policy.bypass] == ["credit_gate_bypass"]
    assert not any(policy.refuse_unplanned for policy in POLICIES.values())
    for policy in POLICIES.values():
        credit_in_pools = policy.gate == Gate.CREDIT and policy.pools == Pools.MIXED
        assert (policy.rounding == Rounding.SQUARE_ROOT) == credit_in_pools


def test_who_follows_a_plan():
    without = {name for name, policy in POLICIES.items() if not policy.planned}
    assert without == {"fcfs", "vllm_prefill_first", "join_shortest_queue", "least_kv"}


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"one of credit_gate, .*, got 'best'"):
        policy_named("best")
