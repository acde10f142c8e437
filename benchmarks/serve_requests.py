"""Simulated requests per second of the request-level simulator, against a NumPy loop.

    LPO_DATA=<folder> python benchmarks/serve_requests.py [--requests 19366]

The Azure conversation trace of 2023, compressed in time to a load of 1 on 8 and 64 GPUs (Llama-3-8B
on A100, nobody gives up), under `fcfs` and the credit gate. The peer is the loop that one would
write first: a heap of GPUs, NumPy arrays of streams, every iteration by itself, `fcfs`; it runs the
first part of the same trace in the same process, and its mean wait is checked against ours. The
last line of each setting is of 32 runs side by side, each over the first quarter of the trace, as a
search for the least fleet or a comparison over seeds has them.
"""

import argparse
import heapq
import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from measuring import report

from lpo.serve import Instance, TwoRegime, load, read_published_fit
from lpo.serve.policies import POLICIES, Policy, Targets, plan_for, targets_of
from lpo.serve.replay import (
    Trace,
    class_table,
    compressed,
    instance_of,
    threshold_classes,
    trace_of,
)
from lpo.serve.requests import (
    Requests,
    latencies_of,
    serve,
    stack_requests,
    trace_requests,
)
from lpo.workload.azure import AZURE_FILES
from lpo.workload.requests import stream_requests

RUNS = 32
HARDWARE = Path(__file__).parents[1] / "conf" / "hardware" / "a100_llama_3_8b_tp1.yaml"


def at_full_load(trace: Trace, gpus: int) -> tuple[Instance, Requests]:
    """The trace as fast as `gpus` GPUs can just serve it, four classes."""
    classes = threshold_classes()
    kinds = classes.kinds(trace)
    numbers = {
        "gpus": gpus,
        "patience": 0.0,
        "hardware": read_published_fit(HARDWARE).hardware,
        "price_prompt": 0.1,
        "price_decode": 0.2,
    }
    slow = instance_of(class_table(trace, kinds, classes.names), **numbers)
    fast = compressed(trace, 1.0 / load(slow))
    instance = instance_of(class_table(fast, kinds, classes.names), **numbers)
    requests = trace_requests(
        instance, arrival_s=fast.time_s, kind=kinds, prompt=fast.prompt, decode=fast.decode
    )
    return instance, requests


def first(requests: Requests, count: int) -> Requests:
    return Requests(*(column[:count] for column in requests))


def numpy_loop(instance: Instance, requests: Requests, gpus: int) -> np.ndarray:
    """First tokens, s [R], with `fcfs`: any GPU with a free slot and no prefill; decodes stay."""
    hardware = instance.hardware
    times = TwoRegime(hardware.alpha, hardware.beta, hardware.tau_solo)
    left = np.zeros((gpus, hardware.batch), int)  # tokens that each stream still makes
    reading = np.zeros(gpus, int)  # prompt tokens left of the prefill
    reader = np.full(gpus, -1)
    first_token = np.full(len(requests.arrival_s), np.nan)
    clocks: list[tuple[float, int, int]] = []  # end of an iteration, GPU, chunk that it reads
    running = np.zeros(gpus, bool)
    waiting: list[int] = []
    arrived = 0

    def admit(now: float) -> None:
        while waiting:
            free = np.flatnonzero((reader < 0) & ((left > 0).sum(1) < hardware.batch))
            if not len(free):
                return
            gpu, request = int(free[0]), waiting.pop(0)
            reader[gpu], reading[gpu] = request, requests.prompt[request]
            if not running[gpu]:
                begin(gpu, now)

    def begin(gpu: int, now: float) -> None:
        streams = int((left[gpu] > 0).sum())
        chunk = min(int(reading[gpu]), hardware.chunk) if reader[gpu] >= 0 else 0
        running[gpu] = bool(streams or chunk)
        if running[gpu]:
            took = times.mixed(chunk, streams) if chunk else times.solo(streams)
            heapq.heappush(clocks, (now + float(took), gpu, chunk))

    while clocks or arrived < len(requests.arrival_s):
        comes = requests.arrival_s[arrived] if arrived < len(requests.arrival_s) else np.inf
        if not clocks or comes <= clocks[0][0]:
            waiting.append(arrived)
            arrived += 1
            admit(float(comes))
            continue
        now, gpu, chunk = heapq.heappop(clocks)
        left[gpu] = np.maximum(left[gpu] - 1, 0)
        if chunk:
            reading[gpu] -= chunk
            if reading[gpu] == 0:
                request = int(reader[gpu])
                first_token[request] = now
                left[gpu, np.argmin(left[gpu])] = requests.decode[request]
                reader[gpu] = -1
        running[gpu] = False
        admit(now)
        if not running[gpu]:
            begin(gpu, now)
    return first_token


def requests_per_second(
    policy: Policy, instance: Instance, requests: Requests, targets: Targets
) -> float:
    """Of all runs together, the best of three, warm."""
    serve(policy, instance, requests, targets)
    seconds = []
    for _ in range(3):
        start = perf_counter()
        serve(policy, instance, requests, targets)
        seconds.append(perf_counter() - start)
    return requests.arrival_s.size / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=19_366)
    options = parser.parse_args()
    root = os.environ.get("LPO_DATA")
    if root is None:
        sys.exit("LPO_DATA must name the folder of the Azure traces")
    trace = trace_of(stream_requests(Path(root) / AZURE_FILES["conv_2023"].file))
    for gpus in (8, 64):
        instance, whole = at_full_load(trace, gpus)
        requests, part = first(whole, options.requests), first(whole, 1500)
        start = perf_counter()
        theirs = numpy_loop(instance, part, gpus)
        peer = len(theirs) / (perf_counter() - start)
        for name in ("fcfs", "credit_gate"):
            policy = POLICIES[name]
            targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
            if name == "fcfs":
                ours = latencies_of(part, serve(policy, instance, part, targets)).ttft_s
                wait = np.mean(theirs - part.arrival_s)
                assert abs(np.mean(ours) - wait) < 0.1 * wait, (np.mean(ours), wait)
            quarter = first(requests, len(requests.arrival_s) // 4)
            for runs, given in ((1, requests), (RUNS, stack_requests([quarter] * RUNS))):
                rate = requests_per_second(policy, instance, given, targets)
                setting = (
                    f"Azure conv 2023 at load 1, n {gpus}, {runs} runs of "
                    f"{given.arrival_s.shape[-1]} requests, cpu"
                )
                peer_name = "a NumPy loop over iterations, fcfs, 1500 requests"
                report(f"serve_requests/{name}", "requests/s", (rate, peer), peer_name, setting)


if __name__ == "__main__":
    main()
