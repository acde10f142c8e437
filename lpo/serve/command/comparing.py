"""Policies side by side: one row a policy, one row a policy and class, series over time."""

import numpy as np
import pandas as pd

from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import Simulated, finite
from lpo.serve.measures import Estimate, batch_means, rewards


def policy_row(problem: Problem, run: Simulated, gpus: int) -> dict[str, object]:
    """What a policy earned against R*, with standard errors, and how it treated requests."""
    best, m = problem.optimum.value, run.measures
    return {
        "policy": run.planned.policy.name,
        "simulator": run.simulator,
        "n": gpus,
        "reward_per_gpu": finite(m.reward.mean),
        "reward_se": finite(m.reward.error),
        "lp_reward_per_gpu": best,
        "reward_ratio": finite(m.reward.mean / best) if best else None,
        "reward_counted_per_gpu": finite(m.reward_counted.mean),
        "reward_controlled_per_gpu": finite(m.reward_controlled.mean),
        "reward_controlled_se": finite(m.reward_controlled.error),
        "reward_bundled_per_gpu": finite(m.reward_bundled.mean),
        "reward_separate_per_gpu": finite(m.reward_separate.mean),
        "throughput_tokens_per_gpu_s": finite(m.throughput.mean),
        "prompt_tokens_per_gpu_s": finite(m.prompt_tokens.mean),
        "decode_tokens_per_gpu_s": finite(m.decode_tokens.mean),
        "completed_per_gpu_s": finite(m.completed.mean),
        "abandonment": finite(m.abandonment.mean),
        "abandonment_se": finite(m.abandonment.error),
        "prefill_use": finite(m.prefill_use.mean),
        "decode_use": finite(m.decode_use.mean),
        "waiting_prefill_per_gpu": finite(m.waiting_prefill.mean),
        "waiting_decode_per_gpu": finite(m.waiting_decode.mean),
        "least_served_class": finite(m.least_served.mean),
        "jain_index": finite(m.jain.mean),
        "mixed_gpus": float(run.planned.targets.mixed),
    }


def class_rows(problem: Problem, run: Simulated, gpus: int) -> pd.DataFrame:
    """One row a class: means over time against the plan of the policy, per GPU."""
    totals, plan = run.totals, run.planned.plan
    per = gpus * totals.seconds[..., None]

    def mean(values: np.ndarray) -> Estimate:
        return batch_means(totals, lambda _: (values, per))

    parts = {
        "arrived_per_s": mean(totals.arrivals),
        "completed_per_s": mean(totals.completed),
        "left_per_s": mean(totals.left_prefill + totals.left_decode),
        "waiting_prefill": mean(totals.time.waiting_prefill),
        "prefilling": mean(totals.time.prefilling),
        "waiting_decode": mean(totals.time.waiting_decode),
        "decoding_mixed": mean(totals.time.mixed),
        "decoding_solo": mean(totals.time.solo),
    }
    table = pd.DataFrame({"class": np.arange(len(problem.instance.arrival))})
    table.insert(0, "policy", run.planned.policy.name)
    table.insert(1, "n", gpus)
    for name, each in parts.items():
        table[name], table[f"{name}_se"] = each.mean, each.error
    for name, planned in (
        ("completed_per_s", plan.completed),
        ("waiting_prefill", plan.q_p),
        ("prefilling", plan.x),
        ("waiting_decode", plan.q_d),
        ("decoding", plan.y_m + plan.y_s),
    ):
        table[f"planned_{name}"] = planned
    return table


def series(problem: Problem, run: Simulated, gpus: int) -> pd.DataFrame:
    """One row a window, mean over seeds: revenue, queues and prefills per GPU."""
    totals = run.totals
    seconds = totals.seconds
    values = {
        "reward_per_gpu": rewards(totals, problem.instance, problem.pricing),
        "waiting_prefill_per_gpu": totals.time.waiting_prefill.sum(-1),
        "waiting_decode_per_gpu": totals.time.waiting_decode.sum(-1),
        "prefilling_per_gpu": totals.time.prefilling.sum(-1),
        "decoding_per_gpu": (totals.time.mixed + totals.time.solo).sum(-1),
    }
    ends = np.cumsum(seconds.mean(0))
    table = pd.DataFrame({"policy": run.planned.policy.name, "end_s": ends})
    for name, value in values.items():
        table[name] = value.sum(0) / seconds.sum(0) / gpus
    return table
