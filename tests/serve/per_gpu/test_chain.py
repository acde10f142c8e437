"""The chain against conservation, exact laws of small fleets, Erlang's queues and the other chain.

All runs are of 2 classes, 16 seeds and up to 50 GPUs, so that a policy is compiled once; where one
class is enough the second never arrives.
"""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import (
    aggregated,
    make_hardware,
    make_instance,
    paper_two_class,
    paper_two_class_x2,
    service_rates,
    solve_plan,
)
from lpo.serve.measures import batch_means, measure, rewards
from lpo.serve.per_gpu import advance, empty, simulate
from lpo.serve.policies import POLICIES, plan_for, targets_of

SEEDS, MOST = 16, 50


def keys_of(seed, seeds=SEEDS):
    return jax.random.split(jax.random.key(seed), seeds)


def targets_for(name, instance, gpus, **numbers):
    targets = targets_of(POLICIES[name], instance, plan_for(POLICIES[name], instance), gpus)
    return targets._replace(**{name: np.asarray(value) for name, value in numbers.items()})


def run(name, instance, targets, *, keys=None, gpus_max=MOST, **windows):
    keys = keys_of(0) if keys is None else keys
    return simulate(POLICIES[name], instance, targets, keys, gpus_max=gpus_max, **windows)


def within(estimate, truth, errors=4.5):  # of some two hundred comparisons
    assert np.all(np.abs(estimate.mean - truth) <= errors * estimate.error + 1e-9)


def agree(one, other):
    gap = np.abs(one.mean - other.mean)
    assert np.all(gap <= 4.5 * np.hypot(one.error, other.error) + 1e-9)


def rate(totals, values):
    return batch_means(totals, lambda t: (values(t), t.seconds[..., None]))


AVERAGED = "sli_aware"
NAMES = ["fcfs", "prefill_first", "vllm_prefill_first", "least_kv", "credit_gate", AVERAGED]
WINDOWS = {"windows": 4, "window_s": 40.0, "warm_up_s": 100.0}


@pytest.fixture(scope="module", params=NAMES)
def ran(request):
    """Policies of every kind on 50 GPUs at load 2, in four windows; one with average speeds."""
    name, instance = request.param, paper_two_class_x2()
    targets = targets_for(name, instance, 50)
    return (
        name,
        instance,
        targets,
        run(name, instance, targets, averaged=name == AVERAGED, **WINDOWS),
    )


def test_nobody_gets_lost(ran):
    *_, t = ran
    left = t.left_prefill + t.left_decode + t.completed
    np.testing.assert_array_equal(sum(t.begin) + t.arrivals, left + sum(t.end))
    for begin, end in zip(t.begin, t.end, strict=True):
        np.testing.assert_array_equal(begin[:, 1:], end[:, :-1])
    first = t.begin.waiting_prefill + t.begin.prefilling + t.arrivals - t.left_prefill
    np.testing.assert_array_equal(first - t.prefilled, t.end.waiting_prefill + t.end.prefilling)
    np.testing.assert_allclose(t.seconds, 40.0, rtol=1e-6)


def test_slots_are_never_exceeded(ran):
    name, instance, targets, t = ran
    batch, pool = instance.hardware.batch, float(targets.mixed)
    for at in (t.begin, t.end):
        prefilling = at.prefilling.sum(-1)
        mixed = pool if name == AVERAGED else prefilling
        assert all(np.all(part >= 0.0) for part in at)
        assert np.all(prefilling <= pool)
        assert np.all(at.mixed.sum(-1) <= (batch - 1) * mixed)
        assert np.all(at.solo.sum(-1) <= batch * (50 - mixed))


def test_littles_law_at_every_service(ran):
    name, instance, _, t = ran
    rates = service_rates(instance)
    mu_p = rates.mu_p
    if name == "vllm_prefill_first":
        mu_p = 1.0 / (instance.hardware.alpha + instance.hardware.beta * instance.prompt)
    elif name != AVERAGED:
        completing = rates.mu_m * t.time.mixed + rates.mu_s * t.time.solo
        np.testing.assert_allclose(t.completing, completing, rtol=1e-5)
    within(rate(t, lambda t: t.prefilled - mu_p * t.time.prefilling), 0.0)
    within(rate(t, lambda t: t.completed - t.completing), 0.0)


def test_flows_balance(ran):
    """Those who leave a queue are patience times those who wait."""
    _, instance, _, t = ran
    theta = instance.patience
    within(rate(t, lambda t: t.left_prefill - theta * t.time.waiting_prefill), 0.0)
    within(rate(t, lambda t: t.left_decode - theta * t.time.waiting_decode), 0.0)
    within(rate(t, lambda t: t.arrivals), 50.0 * instance.arrival)


def test_no_policy_beats_the_linear_program(ran):
    name, instance, _, t = ran
    if name == "vllm_prefill_first":
        return  # reads a prompt faster than chunk by chunk
    money = rewards(t, instance, "bundled")
    earned = batch_means(t, lambda t: (money, 50.0 * t.seconds))
    assert earned.mean <= solve_plan(instance).value + 3.0 * earned.error


PUBLISHED = {  # percent of R* at n 10, 50: what a prototype found
    "fcfs": (67.4, 67.7),
    "prefill_first": (61.6, 61.8),
    "vllm_prefill_first": (65.5, 65.4),
    "credit_gate": (95.0, 97.7),
}


def test_shares_of_the_optimum_are_those_of_the_prototype(ran):
    name, instance, _, fifty = ran
    if name not in PUBLISHED:
        return
    ten = run(
        name, instance, targets_for(name, instance, 10), windows=1, window_s=400.0, warm_up_s=100.0
    )
    optimum = solve_plan(instance).value
    for gpus, totals, share in zip((10, 50), (ten, fifty), PUBLISHED[name], strict=True):
        found = measure(totals, instance, gpus).reward
        allowed = max(4.0 * 100.0 * float(found.error) / optimum, 1.0)
        assert abs(100.0 * found.mean / optimum - share) <= allowed, (gpus, found)


@pytest.mark.parametrize(
    ("which", "gpus", "share"),
    [("x1", 10, 96.0), ("x1", 50, 97.6), ("x1", 200, 97.7), ("x2", 200, 67.7)],
)
def test_first_come_first_served_is_as_in_the_prototype(which, gpus, share):
    instance = {"x1": paper_two_class, "x2": paper_two_class_x2}[which]()
    targets = targets_for("fcfs", instance, gpus)
    most = max(gpus, MOST)
    totals = run(
        "fcfs", instance, targets, gpus_max=most, windows=1, window_s=150.0, warm_up_s=100.0
    )
    found, optimum = measure(totals, instance, gpus).reward, solve_plan(instance).value
    allowed = max(4.0 * 100.0 * float(found.error) / optimum, 1.0)
    assert abs(100.0 * found.mean / optimum - share) <= allowed, found


def test_with_average_speeds_it_is_the_aggregated_chain(ran):
    name, instance, targets, one = ran
    if name != AVERAGED:
        return
    other = aggregated.simulate(POLICIES[name], instance, targets, keys_of(1), **WINDOWS)
    for stage in range(5):
        agree(*[rate(t, lambda t, stage=stage: t.time[stage]) for t in (one, other)])
    for flow in ("left_prefill", "prefilled", "left_decode", "completed", "completing"):
        agree(*[rate(t, lambda t, flow=flow: getattr(t, flow)) for t in (one, other)])


def one_class(arrival, patience, *, prompt=1e-3, decode=100.0, batch=8, beta=0.0):
    """A second class has no arrivals. beta 0: tau = tau_solo."""
    hardware = make_hardware(batch=batch, chunk=64, alpha=0.02, beta=beta, tau_solo=0.02)
    return make_instance(
        arrival=[arrival, 0.0],
        prompt=prompt,
        decode=decode,
        patience=patience,
        hardware=hardware,
        price_prompt=0.1,
        price_decode=0.2,
    )


def stationary(size, moves):
    """The stationary law [size] of a chain with moves (from, to, rate)."""
    generator = np.zeros((size, size))
    for before, after, its_rate in moves:
        generator[before, after] += its_rate
        generator[before, before] -= its_rate
    generator[:, 0] = 1.0
    return np.linalg.solve(generator.T, np.eye(size)[0])


def first_come_on_two_gpus(arrival, patience, mu_p, mu_m, mu_s, most=40):
    """Exact means for two GPUs with two slots each that decode where they prefilled: waiting,
    prefilling, decoding beside a prefill and alone."""
    kinds = [(busy, streams) for busy in (0, 1) for streams in range(3 - busy)]
    states = [(a, b, q) for a in kinds for b in kinds for q in range(most + 1)]
    index = {state: i for i, state in enumerate(states)}

    def admitted(gpus, waiting):
        may = [g for g in (0, 1) if gpus[g] in ((0, 0), (0, 1))]
        if may and waiting:
            g = min(may, key=lambda g: gpus[g][1])
            gpus[g], waiting = (1, gpus[g][1]), waiting - 1
        return index[(*gpus, waiting)]

    moves = []
    for a, b, q in states:
        here = index[a, b, q]
        if q < most:
            moves.append((here, admitted([a, b], q + 1), arrival))
        if q:
            moves.append((here, index[a, b, q - 1], patience * q))
        for g in (0, 1):
            busy, streams = (a, b)[g]
            for happens, kind in (
                (busy * mu_p, (0, streams + 1)),
                (streams * (mu_m if busy else mu_s), (busy, streams - 1)),
            ):
                if happens:
                    gpus = [a, b]
                    gpus[g] = kind
                    moves.append((here, admitted(gpus, q), happens))
    law = stationary(len(states), moves)
    assert law[[index[a, b, most] for a in kinds for b in kinds]].sum() < 1e-9
    values = np.array(
        [
            (
                q,
                a[0] + b[0],
                a[0] * a[1] + b[0] * b[1],
                (1 - a[0]) * a[1] + (1 - b[0]) * b[1],
            )
            for a, b, q in states
        ]
    )
    return law @ values


@pytest.mark.parametrize("name", ["fcfs", "vllm_prefill_first"])
def test_two_gpus_have_their_exact_stationary_law(name):
    """Prefills slow down decodes on their own GPU by 1.8, or stop them."""
    instance = one_class(0.6, 0.3, prompt=1280.0, decode=50.0, batch=2, beta=2.5e-4)
    rates = service_rates(instance)
    mu_p, mu_m, mu_s = rates.mu_p[0], rates.mu_m[0], rates.mu_s[0]
    assert mu_s / mu_m == pytest.approx(1.8)
    if name == "vllm_prefill_first":
        mu_p, mu_m = 1.0 / (0.02 + 2.5e-4 * 1280.0), 0.0
    exact = first_come_on_two_gpus(1.2, 0.3, mu_p, mu_m, mu_s)
    t = run(
        name,
        instance,
        targets_for(name, instance, 2),
        windows=1,
        window_s=4000.0,
        warm_up_s=50.0,
    )
    stages = (t.time.waiting_prefill, t.time.prefilling, t.time.mixed, t.time.solo)
    for time, mean in zip(stages, exact, strict=True):
        found = batch_means(t, lambda t, time=time: (time[..., 0], t.seconds))
        within(found, mean)
        assert found.error < 0.02


def erlang(load, servers, ratio, most=3000):
    """M/M/N+M with arrivals per service time `load` and patience over service rate `ratio`:
    mean number waiting and probability to abandon (birth and death, normalised)."""
    numbers = np.arange(1, most)
    leaving = np.minimum(numbers, servers) + ratio * np.maximum(numbers - servers, 0)
    log = np.concatenate([[0.0], np.cumsum(np.log(load / leaving))])
    shares = np.exp(log - log.max())
    waiting = float(shares @ np.maximum(np.arange(most) - servers, 0)) / shares.sum()
    return waiting, ratio * waiting / load


@pytest.mark.parametrize(
    ("name", "ratio", "load"),
    [
        ("fcfs", 0.5, 78.0),  # Erlang A
        ("fcfs", 0.0, 71.0),  # Erlang C
        ("credit_gate", 0.5, 76.0),
    ],
)
def test_one_class_with_instant_prefills_is_erlangs_queue(name, ratio, load):
    """M/M/N+M: N = 8 x 10, or 7 + 8 x 9 where one GPU keeps a slot for prefills."""
    mu = 1.0 / (100.0 * 0.02)
    instance = one_class(load * mu / 10.0, ratio * mu)
    targets = targets_for(name, instance, 10)
    if name == "credit_gate":
        targets = targets._replace(mixed=np.float32(1.0), open=np.asarray(True))
    t = run(name, instance, targets, windows=1, window_s=800.0, warm_up_s=50.0)
    waiting, gone = erlang(load, 80 if name == "fcfs" else 79, ratio)
    waited = t.time.waiting_prefill + t.time.waiting_decode
    within(batch_means(t, lambda t: (waited.sum(-1), t.seconds)), waiting)
    left = t.left_prefill + t.left_decode
    within(batch_means(t, lambda t: (left.sum(-1), t.arrivals.sum(-1))), gone)


def test_without_patience_it_is_erlangs_loss_formula():
    mu, load = 1.0 / (100.0 * 0.02), 78.0
    instance = one_class(load * mu / 10.0, 1e4 * mu)
    targets = targets_for("fcfs", instance, 10)
    t = run("fcfs", instance, targets, windows=1, window_s=200.0, warm_up_s=30.0)
    blocked = 1.0
    for n in range(1, 81):
        blocked = load * blocked / (n + load * blocked)
    found = batch_means(t, lambda t: (t.left_prefill.sum(-1), t.arrivals.sum(-1)))
    within(found, blocked)


def test_the_first_stage_alone_is_erlangs_queue_of_prefills():
    """M/M/M+M with M = 10 GPUs that prefill all the time: decodes take next to no time."""
    mu = 64 / (640.0 * 0.02)
    instance = one_class(9.0 * mu / 20.0, 0.5 * mu, prompt=640.0, decode=1.0, batch=64)
    targets = targets_for("credit_gate", instance, 20)
    targets = targets._replace(mixed=np.float32(10.0), open=np.asarray(True))
    t = run("credit_gate", instance, targets, windows=1, window_s=200.0, warm_up_s=20.0)
    waiting, gone = erlang(9.0, 10, 0.5)
    within(batch_means(t, lambda t: (t.time.waiting_prefill.sum(-1), t.seconds)), waiting)
    within(batch_means(t, lambda t: (t.left_prefill.sum(-1), t.arrivals.sum(-1))), gone)


def test_without_contention_routing_is_irrelevant():
    """beta = 0, tau = tau_solo: decodes end at one rate wherever they are, of few or many GPUs."""
    instance = one_class(3.0, 0.1, prompt=500.0, decode=200.0)
    found = []
    for mixed in (5.0, 8.0):  # 7.8 seconds of prefill a second arrive
        targets = targets_for("credit_gate", instance, 10)
        targets = targets._replace(mixed=np.float32(mixed), open=np.asarray(True))
        targets = targets._replace(mixed_slots=np.float32(8.0))
        t = run("credit_gate", instance, targets, windows=1, window_s=100.0, warm_up_s=20.0)
        decodes = t.time.mixed + t.time.solo
        np.testing.assert_allclose(t.completing[..., 0], decodes[..., 0] / 4.0, rtol=1e-5)
        found.append(batch_means(t, lambda t: (t.completed.sum(-1), t.seconds)))
    agree(*found)


def test_a_batch_is_its_single_runs_and_the_same_again():
    instance, windows = paper_two_class_x2(), {"windows": 2, "window_s": 10.0}
    targets, keys = targets_for("fcfs", instance, 20), keys_of(5)
    many = run("fcfs", instance, targets, keys=keys, **windows)
    again = run("fcfs", instance, targets, keys=keys[::-1], **windows)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[::-1]), many, again)
    for seed in (0, 7):
        one = run("fcfs", instance, targets, keys=keys[seed : seed + 1], **windows)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True):
            np.testing.assert_allclose(a[0], b[seed], rtol=1e-6, atol=1e-5)


def test_fleets_go_on_where_they_were():
    instance, policy = paper_two_class_x2(), POLICIES["fcfs"]
    targets, keys = targets_for("fcfs", instance, 20), keys_of(5)
    fleets = empty(policy, instance, targets, SEEDS, gpus_max=MOST)
    after, first = advance(policy, instance, targets, fleets, keys, seconds=10.0, gpus_max=MOST)
    assert first.seconds.shape == (SEEDS,) and np.all(first.begin.solo == 0.0)
    more = run("fcfs", instance, targets, start=after, windows=1, window_s=10.0)
    np.testing.assert_array_equal(more.begin.solo[:, 0], first.end.solo)


@pytest.mark.parametrize("name", ["fcfs", "credit_gate"])
def test_names_of_classes_do_not_matter(name):
    instance = paper_two_class_x2()
    fields = ("arrival", "prompt", "decode", "patience")
    swapped = instance._replace(**{field: getattr(instance, field)[::-1] for field in fields})
    windows = {"windows": 1, "window_s": 200.0, "warm_up_s": 100.0}
    found = [
        rate(
            run(name, each, targets_for(name, each, 20), keys=keys_of(seed), **windows),
            lambda t, order=order: t.completed[..., ::order],
        )
        for seed, (each, order) in enumerate(((instance, 1), (swapped, -1)))
    ]
    agree(*found)


def test_fewer_gpus_are_left_by_draining():
    """50 GPUs of which 25 prefill, then 40 of which 10 do; fleets are told at every window."""
    instance = paper_two_class_x2()
    large = targets_for("credit_gate", instance, 50)
    small = targets_for("credit_gate", instance, 40)._replace(mixed=np.float32(10.0))
    t = run("credit_gate", instance, [large, large, small, small, small], windows=5, window_s=60.0)
    left = t.left_prefill + t.left_decode + t.completed
    np.testing.assert_array_equal(sum(t.begin) + t.arrivals, left + sum(t.end))
    np.testing.assert_allclose(t.arrivals.sum(-1).mean(0), [6e3] * 2 + [4800] * 3, rtol=0.02)
    np.testing.assert_array_equal(t.begin.prefilling[:, 2], t.end.prefilling[:, 1])
    assert t.end.prefilling[:, 1].sum(-1).mean() > 15.0
    assert np.all(t.end.prefilling[:, 2:].sum(-1) <= 10)
    assert np.all((t.end.mixed + t.end.solo)[:, 4].sum(-1) <= 15 * 10 + 16 * 30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"windows": 0}, "positive"),
        ({"window_s": float("inf")}, "positive"),
        ({"warm_up_s": -1.0}, "at least 0"),
        ({"gpus_max": 9}, "at least 10, got 9"),
        ({"averaged": True}, "fcfs has none"),
        ({"targets": 3}, "one a window: 2, got 3"),
    ],
)
def test_what_cannot_be_simulated_is_refused(change, says):
    instance = paper_two_class()
    targets = targets_for("fcfs", instance, 10)
    given = {"windows": 2, "window_s": 1.0, **change}
    given["targets"] = [targets] * change["targets"] if "targets" in change else targets
    with pytest.raises(InputError, match=says):
        run("fcfs", instance, **given)


def test_a_slot_held_to_the_end_needs_gpus_without_pools():
    instance, policy = paper_two_class(), POLICIES["fcfs"]
    pooled = policy._replace(pools=POLICIES["credit_gate"].pools)
    with pytest.raises(InputError, match="same_gpu"):
        empty(pooled, instance, targets_for("fcfs", instance, 10), 1, gpus_max=10)
