"""The same system walked through iteration by iteration, in plain Python."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lpo.serve import TwoRegimeKV, make_hardware, make_instance
from lpo.serve.policies import Gate, Pools, Router, plan_for, targets_of
from lpo.serve.requests import Requests, poisson_requests, stack_requests

_AT_ONCE = 1e-9


def _hash(bits):
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return bits ^ (bits >> 16)


class _Gpu:
    prefill: list[Any]  # [request, tokens to read, in the iterations]
    slots: list[Any]  # [request, tokens to make, in the iterations, tokens that it brings]

    def __init__(self, batch):
        self.start = 0.0  # of the iteration that comes next or is under way
        self.slots = [None] * batch
        self.prefill = []
        self.kv = self.reserved = 0

    @property
    def streams(self):
        return sum(slot is not None for slot in self.slots)

    @property
    def idle(self):
        return not self.prefill and not self.streams


class _Reference:
    """One run of a policy; `run` fills the four times and the two GPUs of every request."""

    def __init__(self, policy, instance, requests, targets, times, kv_tokens, buffer, seed):
        self.policy, self.requests, self.targets, self.times = policy, requests, targets, times
        self.B, self.C = instance.hardware.batch, instance.hardware.chunk
        self.I, self.R = len(instance.arrival), len(requests.arrival_s)
        self.n, self.M = int(targets.gpus), int(targets.mixed)
        self.kv_tokens, self.places = kv_tokens, buffer
        self.bits = [
            int(b) for b in np.random.default_rng(seed).integers(2**32, size=self.R + 1, dtype="u4")
        ]
        self.gpus = [_Gpu(self.B) for _ in range(self.n)]
        self.now, self.earned_at, self.placed = 0.0, 0.0, 0
        self.queue = [[] for _ in range(self.I)]
        self.rings = [[] for _ in range(2 * self.I if policy.router == Router.SHARES else 1)]
        self.prefilling, self.credit = np.zeros(self.I), np.zeros(self.I)
        self.out = SimpleNamespace(
            **{name: np.full(self.R, np.nan) for name in ("started", "read", "placed", "finished")},
            prefill_gpu=np.full(self.R, -1),
            decode_gpu=np.full(self.R, -1),
            dropped=[],
        )

    def run(self):
        requests, arrived = self.requests, 0
        while True:
            ends = [self.end(gpu) for gpu in self.gpus]
            g = int(np.argmin(ends))
            arrival = requests.arrival_s[arrived] if arrived < self.R else np.inf
            dues = [(self.due(r), r) for queue in self.queue for r in queue]
            later = [(entry[2], entry[0]) for ring in self.rings for entry in ring if entry]
            due, decode_due = (min(each, default=(np.inf, -1)) for each in (dues, later))
            self.now, kind = min(
                (ends[g], 0), (arrival, 1), (due[0], 2), (decode_due[0], 3), (self.wake(), 4)
            )
            if self.now == np.inf:
                return self.out
            if kind == 0:
                self.iterate(self.gpus[g], g)
            elif kind == 1:
                self.queue[requests.seen[arrived]].append(arrived)
                arrived += 1
                self.act()
            elif kind == 2:
                self.queue[requests.seen[due[1]]].remove(due[1])
                self.act()
            elif kind == 3:
                for ring in self.rings:
                    for place, entry in enumerate(ring):
                        if entry and entry[0] == decode_due[1]:
                            ring[place] = None
                            self.gpus[entry[1]].reserved -= self.kept(entry[0])
                self.close_up()
                self.act()
            else:
                self.act()

    def due(self, r):
        return self.requests.arrival_s[r] + self.requests.patience_prefill_s[r]

    def tokens(self, r):
        return int(self.requests.prompt[r] + self.requests.decode[r])

    def kept(self, r):
        split = self.policy.pools == Pools.SPLIT
        return int(self.requests.prompt[r]) if split else self.tokens(r)

    def end(self, gpu):
        if gpu.idle:
            return np.inf
        batch = sum(slot is not None and slot[2] for slot in gpu.slots)
        if not gpu.prefill or not gpu.prefill[2]:
            return gpu.start + self.times.solo(batch, gpu.kv)
        if self.policy.prefill_pauses:
            return gpu.start + self.times.mixed(gpu.prefill[1], 0, 0)
        return gpu.start + self.times.mixed(min(self.C, gpu.prefill[1]), batch, gpu.kv)

    def iterate(self, gpu, g):
        reads = gpu.prefill and gpu.prefill[2]
        if not (reads and self.policy.prefill_pauses):
            for slot in gpu.slots:
                if slot is not None and slot[2]:
                    slot[1] -= 1
                    gpu.kv += 1
        if reads:
            chunk = gpu.prefill[1] if self.policy.prefill_pauses else min(self.C, gpu.prefill[1])
            gpu.prefill[1] -= chunk
            gpu.kv += chunk
        gpu.start = self.now
        for slot in gpu.slots:  # whoever was given a slot in the meantime is in from now on
            if slot is not None and not slot[2]:
                slot[2] = True
                gpu.kv += slot[3]
        if gpu.prefill:
            gpu.prefill[2] = True
        for j, slot in enumerate(gpu.slots):
            if slot is not None and slot[1] == 0:
                gpu.slots[j] = None
                gpu.kv -= self.tokens(slot[0])
                gpu.reserved -= self.tokens(slot[0])
                self.out.finished[slot[0]] = self.now
                self.act()
        if gpu.prefill and gpu.prefill[1] == 0:
            r, gpu.prefill = gpu.prefill[0], []
            self.out.read[r] = self.now
            self.prefilling[self.requests.seen[r]] -= 1
            self.prefilled(r, gpu, g)
            self.act()

    def prefilled(self, r, gpu, g):
        if self.policy.router == Router.SAME_GPU:
            self.stream(r, g, 0)
            return
        gpu.kv -= int(self.requests.prompt[r])
        ring = 0
        if self.policy.router == Router.SHARES:
            k = self.requests.seen[r]
            solo = _hash(self.bits[r] ^ 0x7B1DCDAF) / 2**32 < self.targets.solo_share[k]
            ring = k if solo else self.I + k
        if len(self.rings[ring]) == self.places:
            self.out.dropped.append(r)
            gpu.reserved -= self.kept(r)
        else:
            self.rings[ring].append((r, g, self.now + self.requests.patience_decode_s[r]))

    def stream(self, r, g, kv):
        gpu = self.gpus[g]
        at_once = gpu.idle or gpu.start >= self.now - _AT_ONCE
        begins = max(gpu.start, self.now) if gpu.idle else gpu.start if at_once else self.end(gpu)
        if gpu.idle:
            gpu.start = begins
        gpu.kv += kv if at_once else 0
        gpu.slots[gpu.slots.index(None)] = [r, int(self.requests.decode[r]), at_once, kv]
        self.out.placed[r], self.out.decode_gpu[r] = begins, g
        self.placed += 1

    def close_up(self):
        """Places in the middle of a ring stay taken until its head comes by."""
        for ring in self.rings:
            while ring and ring[0] is None:
                ring.pop(0)

    def act(self):
        first = self.policy.pools == Pools.NONE and self.policy.router == Router.SOLO_FIRST
        tries = [self.let_in, self.place] if first else [self.place, self.let_in]
        while sum(each() for each in tries):
            pass

    def in_pool(self, g):
        if self.policy.pools == Pools.NONE:
            return bool(self.gpus[g].prefill)
        return g < self.M

    def has_slot(self, g):
        gpu = self.gpus[g]
        if self.policy.pools != Pools.NONE and g < self.M:
            return gpu.streams < self.targets.mixed_slots
        return gpu.streams + bool(gpu.prefill) < self.B

    def order(self, r, purpose):
        own = _hash(self.bits[r] ^ purpose)
        return [_hash((own + g * 0x9E3779B9) & 0xFFFFFFFF) | 1 for g in range(self.n)]

    def place(self):
        ring, slots = 0, [g for g in range(self.n) if self.has_slot(g)]
        if self.policy.router == Router.SHARES:
            counts = [sum(entry is not None for entry in ring) for ring in self.rings]
            solo = sum(counts[: self.I]) > 0 and any(not self.in_pool(g) for g in slots)
            slots = [g for g in slots if self.in_pool(g) != solo]
            counts = np.array(counts[: self.I] if solo else counts[self.I :], float)
            planned = self.targets.solo_weight if solo else self.targets.mixed_weight
            weights = np.where(counts > 0, planned, 0.0)
            above = np.cumsum(weights if weights.sum() > 0 else counts)
            draw = _hash(self.bits[self.placed] ^ 0x2C1B3C6D) / 2**32 * above[-1]
            kind = min(int((above <= draw).sum()), self.I - 1)
            ring = kind if solo else self.I + kind
        if not self.rings[ring]:
            return False
        r, holder, _ = self.rings[ring][0]
        moved = [self.kept(r) * (g == holder) for g in range(self.n)]
        free = [self.kv_tokens - self.gpus[g].reserved + moved[g] for g in range(self.n)]
        slots = [g for g in slots if free[g] >= self.tokens(r)]
        if not slots:
            return False
        if self.policy.router == Router.LEAST_LOADED:
            g = min(slots, key=lambda g: self.gpus[g].streams)
        elif self.policy.router == Router.LEAST_KV:
            g = min(slots, key=self.tokens_next)
        else:
            order = self.order(r, 0x14057B7E)
            solo = [g for g in slots if not self.in_pool(g)]
            g = max(solo or slots, key=lambda g: order[g])
        self.rings[ring].pop(0)
        self.close_up()
        self.gpus[holder].reserved -= self.kept(r)
        self.gpus[g].reserved += self.tokens(r)
        self.stream(r, g, int(self.requests.prompt[r]))
        return True

    def tokens_next(self, g):
        """In the cache when the next iteration begins."""
        gpu = self.gpus[g]
        if gpu.idle or gpu.start >= self.now - _AT_ONCE:
            return gpu.kv
        kv = gpu.kv + sum(1 if slot[2] else slot[3] for slot in gpu.slots if slot is not None)
        reads = gpu.prefill and gpu.prefill[2]
        return kv + (min(self.C, gpu.prefill[1]) if reads else 0)

    def let_in(self):
        heads = [queue[0] if queue else self.R for queue in self.queue]
        k = self.chosen(heads)
        if k is None:
            return False
        r, none = heads[k], self.policy.pools == Pools.NONE
        most = self.B - 1 if none else self.targets.mixed_slots
        may = [
            g
            for g in range(self.n if none else self.M)
            if not self.gpus[g].prefill
            and self.gpus[g].streams <= most
            and self.gpus[g].reserved + self.kept(r) <= self.kv_tokens
        ]
        if not may:
            return False
        order = self.order(r, 0x5851F42D)
        may.sort(key=lambda g: -order[g])
        g = min(may[:4], key=lambda g: self.gpus[g].streams) if none else may[0]
        gpu = self.gpus[g]
        at_once = gpu.idle or gpu.start >= self.now - _AT_ONCE
        begins = max(gpu.start, self.now) if gpu.idle else gpu.start if at_once else self.end(gpu)
        if gpu.idle:
            gpu.start = begins
        gpu.prefill = [r, int(self.requests.prompt[r]), at_once]
        gpu.reserved += self.kept(r)
        self.queue[k].pop(0)
        self.prefilling[k] += 1
        if self.policy.gate == Gate.CREDIT:
            self.credit[k] = max(self.credit[k] - 1.0, 0.0)
        self.out.started[r], self.out.prefill_gpu[r] = begins, g
        return True

    def earn(self):
        grown = self.credit + self.targets.rate.astype(float) * (self.now - self.earned_at)
        self.credit, self.earned_at = np.minimum(grown, self.targets.cap), self.now

    def chosen(self, heads):
        waiting = [k for k in range(self.I) if self.queue[k]]
        gate, targets = self.policy.gate, self.targets
        if gate == Gate.CREDIT:
            self.earn()
            if not targets.open:
                waiting = [k for k in waiting if self.credit[k] >= 1 - 1e-9 or targets.exempt[k]]
        if gate == Gate.STRICT:
            waiting = [k for k in waiting if self.prefilling[k] < targets.x[k]]
        if not waiting:
            return None
        if gate == Gate.FCFS or (gate == Gate.CREDIT and targets.open):
            return min(waiting, key=lambda k: heads[k])
        if gate == Gate.PRIORITY:
            return max(waiting, key=lambda k: targets.order[k])
        if gate == Gate.CREDIT:
            return max(waiting, key=lambda k: (self.credit[k] + 1e-9) / targets.rate[k])
        below = {
            k: (targets.x[k] - self.prefilling[k]) / targets.x[k] if targets.x[k] > 0 else -np.inf
            for k in waiting
        }
        return max(waiting, key=lambda k: (below[k], len(self.queue[k]) - targets.waiting[k]))

    def wake(self):
        if self.policy.gate != Gate.CREDIT or self.targets.open:
            return np.inf
        self_now, rate = self.earned_at, self.targets.rate
        due = [
            self_now + (1.0 - self.credit[k]) / float(rate[k])
            for k in range(self.I)
            if self.queue[k] and self.credit[k] < 1.0 - 1e-9 and rate[k] > 0.0
        ]
        return min(due, default=np.inf)


def _per_iteration(
    policy, instance, requests, targets, times, *, kv_tokens=10**9, buffer=64, seed=0
):
    return _Reference(policy, instance, requests, targets, times, kv_tokens, buffer, seed).run()


def _small_instance(**changes):
    """Two classes on GPUs of four slots, chunks of 16 tokens."""
    given = {
        "arrival": [1.1, 0.7],
        "prompt": [30.0, 70.0],
        "decode": [14.0, 6.0],
        "patience": 0.5,
        "price_prompt": 0.1,
        "price_decode": 0.2,
        "hardware": make_hardware(batch=4, chunk=16, alpha=0.021, beta=0.0007, tau_solo=0.0183),
    }
    return make_instance(**(given | changes))


def _padded(requests, size=80):
    """With nobody behind, so that programs are compiled for one number of requests."""
    return Requests(*(column[0] for column in stack_requests([requests], size)))


def _busy_case(policy, seed, gpus):
    """A case of load 3.5, where queues, caches and the buffer are full."""
    instance = _small_instance(
        arrival=[4.0, 3.0], decode=[40.0, 25.0], prompt=[60.0, 110.0], patience=0.6
    )
    targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
    if policy.pools != "none":
        targets = targets._replace(mixed=np.float32(2))
    requests = poisson_requests(instance, gpus, 4.0, seed=seed)
    fits = requests.prompt + requests.decode <= 280
    requests = Requests(*(column[fits][:80] for column in requests))
    rng = np.random.default_rng(seed)
    alpha, beta, tau_solo, k_kv = np.array([0.021, 7e-4, 0.0183, 3e-5]) * rng.uniform(1, 2, 4)
    return instance, targets, requests, TwoRegimeKV(alpha, beta, tau_solo, k_kv)


@pytest.fixture(scope="session")
def busy_case():
    return _busy_case


@pytest.fixture(scope="session")
def per_iteration():
    return _per_iteration


@pytest.fixture(scope="session")
def small_instance():
    return _small_instance


@pytest.fixture(scope="session")
def padded():
    return _padded
