"""What a GPU may take, and which GPUs are looked at."""

from collections import Counter
from functools import partial
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import paper_two_class_x2
from lpo.serve.per_gpu.chain import _draws, _setting
from lpo.serve.per_gpu.fleet import changed, counts, idle, regrown
from lpo.serve.per_gpu.step import different, prefills_first, speeds
from lpo.serve.per_gpu.tree import row
from lpo.serve.policies import MIXED, POLICIES, SOLO, plan_for, targets_of


def setting_of(name, gpus=4, **numbers):
    instance, policy = paper_two_class_x2(), POLICIES[name]
    targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
    targets = targets._replace(**{name: np.float32(value) for name, value in numbers.items()})
    return _setting(policy, 4, False, instance, targets)


def given(setting, gpu, prefill, decodes):
    """One GPU of the fleet with prefills and decodes [I]: the counts."""
    return _given(setting.policy, *setting[3:], *(np.int32(n) for n in (gpu, prefill, decodes)))


@partial(jax.jit, static_argnums=0)
def _given(policy, instance, targets, mixed_gpus, *args):
    setting = _setting(policy, 4, False, instance, targets)._replace(mixed_gpus=mixed_gpus)
    return changed(setting, idle(setting), *args)


@pytest.mark.parametrize(
    ("name", "gpu", "prefill", "decodes", "startable", "room"),
    [  # startable, room of [solo, mixed]: of 4 GPUs, the others idle; M = 2, B = 16
        ("fcfs", 0, (0, 0), (10, 5), 4, (4, 0)),
        ("fcfs", 0, (0, 0), (10, 6), 3, (3, 0)),
        ("fcfs", 0, (1, 0), (7, 7), 3, (3, 1)),
        ("fcfs", 0, (1, 0), (8, 7), 3, (3, 0)),
        ("credit_gate", 0, (0, 0), (10, 4), 2, (2, 2)),
        ("credit_gate", 0, (0, 0), (10, 5), 2, (2, 1)),
        ("credit_gate", 1, (0, 1), (1, 1), 1, (2, 2)),
        ("credit_gate", 2, (0, 0), (10, 5), 2, (2, 2)),
        ("credit_gate", 2, (0, 0), (10, 6), 2, (1, 2)),
        ("disaggregated_gate", 0, (0, 1), (0, 0), 1, (2, 0)),
        ("disaggregated_gate", 3, (0, 0), (8, 7), 2, (2, 0)),
    ],
)
def test_what_a_gpu_may_take(name, gpu, prefill, decodes, startable, room):
    setting = setting_of(name, mixed=4.0 if name == "fcfs" else 2.0)
    gpus = given(setting, gpu, prefill, decodes)
    found = counts(gpus)
    assert int(found.startable) == startable
    assert (int(found.room[SOLO]), int(found.room[MIXED])) == room
    np.testing.assert_array_equal(found.prefilling, prefill)
    beside = np.array(decodes) * any(prefill)
    np.testing.assert_array_equal(found.mixed, beside)
    np.testing.assert_array_equal(found.solo, decodes - beside)


def test_gpus_that_are_closed_finish_and_take_no_more():
    before = setting_of("credit_gate", mixed=3.0)
    gpus = given(before, 2, (1, 0), (2, 3))
    fewer = before._replace(mixed_gpus=jnp.float32(2.0))
    drained = regrown(fewer, gpus)
    found = counts(drained)
    assert int(found.startable) == 2
    np.testing.assert_array_equal(found.room, [2, 2])  # the last two decode only, from now on
    np.testing.assert_array_equal(found.mixed, (2, 3))  # still beside its prefill
    closed = fewer._replace(targets=fewer.targets._replace(gpus=np.float32(2.0)))
    found = counts(regrown(closed, gpus))
    np.testing.assert_array_equal(found.room, [0, 2])
    np.testing.assert_array_equal(found.prefilling, (1, 0))
    again = regrown(before, drained)
    jax.tree.map(np.testing.assert_array_equal, again, gpus)


def test_a_cache_counts_tokens_and_a_full_gpu_does_not():
    setting = setting_of("least_kv")
    first = setting.shape.first
    gpus = given(setting, 1, (0, 1), (2, 3))
    assert float(gpus.minima[first + 1]) == 3000.0 + 2 * 1300.0 + 3 * 3400.0
    full = given(setting, 1, (0, 1), (12, 3))
    assert float(full.minima[first + 1]) == np.inf
    loaded = given(setting_of("join_shortest_queue"), 1, (0, 1), (2, 3))
    assert float(loaded.minima[first + 1]) == 5.0
    np.testing.assert_array_equal(
        row(setting.shape, gpus.sums, jnp.int32(1)), [0, 1, 2, 3, 0, 0, 0, 0, 1]
    )


def test_a_few_different_numbers():
    """Every set of 2 of 4 equally often; all numbers where there are not enough."""
    uniforms = jax.random.uniform(jax.random.key(0), (6000, 2))
    pairs = np.asarray(jax.jit(jax.vmap(different, (None, 0)))(jnp.int32(4), uniforms))
    often = Counter(tuple(sorted(pair)) for pair in pairs.tolist())
    assert set(often) == set(combinations(range(4), 2))
    np.testing.assert_allclose(np.array(list(often.values())) / 6000, 1 / 6, atol=0.02)
    for total in range(4):
        some = jax.jit(different)(jnp.int32(total), jnp.full(4, 0.99))
        assert sorted(some) == [-1] * (4 - total) + list(range(total))


def test_a_prompt_that_is_read_at_once_takes_one_iteration():
    setting = setting_of("vllm_prefill_first")
    rates = speeds(setting)
    np.testing.assert_allclose(1.0 / rates.mu_p, 0.0174 + 6.2e-5 * np.array([300.0, 3000.0]))
    np.testing.assert_array_equal(rates.mu_m, 0.0)


def test_only_one_policy_lets_prefills_go_before_waiting_decodes():
    assert [n for n, policy in POLICIES.items() if prefills_first(policy)] == ["prefill_first"]


def test_policies_see_the_same_random_numbers():
    one, two = (_draws(POLICIES[name], jax.random.key(0)) for name in ("fcfs", "credit_gate"))
    jax.tree.map(np.testing.assert_array_equal, one[:-1], two[:-1])
    assert one.starts.shape[1:] == (1, 4) and two.starts.shape[1:] == (2, 1)
