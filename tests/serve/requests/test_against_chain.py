"""Single requests in the mean: with many short iterations a request it is the chain."""

import jax
import numpy as np
import pytest

from lpo.serve import aggregated, paper_two_class_x2
from lpo.serve.measures import Estimate, batch_means, measure
from lpo.serve.policies import POLICIES, plan_for, targets_of
from lpo.serve.requests import poisson_requests, serve, stack_requests
from lpo.serve.requests.windows import window_totals

GPUS, WARM_UP_S, END_S, FINE = 10, 100.0, 500.0, 16


def finely(instance):
    """The same rates from iterations a sixteenth as long: whole chunks and tokens lose weight."""
    hardware = instance.hardware
    return instance._replace(
        decode=instance.decode * FINE,
        price_decode=instance.price_decode / FINE,
        hardware=hardware._replace(
            chunk=hardware.chunk // FINE,
            alpha=hardware.alpha / FINE,
            tau_solo=hardware.tau_solo / FINE,
        ),
    )


def agree(one: Estimate, other: Estimate, scale: float):
    """Within four standard errors, or 2 % of `scale`: a half chunk and a half token remain."""
    gap = np.abs(one.mean - other.mean)
    assert np.all(gap <= np.maximum(4.0 * np.hypot(one.error, other.error), 0.02 * scale)), (
        one,
        other,
    )


@pytest.mark.parametrize("name", ["credit_gate", "gate_and_route"])
def test_in_the_mean_it_is_the_aggregated_chain(name):
    policy, instance = POLICIES[name], finely(paper_two_class_x2())
    targets = targets_of(policy, instance, plan_for(policy, instance), GPUS)
    runs = [poisson_requests(instance, GPUS, END_S, seed=seed) for seed in range(4)]
    requests = stack_requests(runs)
    served = serve(policy, instance, requests, targets, until_s=END_S)
    ours = window_totals(instance, requests, served, np.linspace(WARM_UP_S, END_S, 3))
    keys = jax.random.split(jax.random.key(0), 32)
    chain = aggregated.simulate(
        policy, instance, targets, keys, windows=1, window_s=200.0, warm_up_s=WARM_UP_S
    )
    one, other = (measure(totals, instance, GPUS) for totals in (ours, chain))
    agree(one.reward, other.reward, float(other.reward.mean))
    agree(one.reward_counted, other.reward_counted, float(other.reward.mean))
    agree(one.abandonment, other.abandonment, 1.0)
    for stage, scale in (("prefilling", 1.0), ("waiting_prefill", 8.0), ("waiting_decode", 8.0)):

        def mean(totals, stage=stage):
            return batch_means(
                totals, lambda t: (getattr(t.time, stage), GPUS * t.seconds[..., None])
            )

        agree(mean(ours), mean(chain), scale)


def test_waits_are_littles_law():
    """Requests that wait are arrivals times the mean wait, those who give up included."""
    policy, instance = POLICIES["credit_gate"], finely(paper_two_class_x2())
    targets = targets_of(policy, instance, plan_for(policy, instance), GPUS)
    requests = stack_requests([poisson_requests(instance, GPUS, END_S, seed=s) for s in range(4)])
    served = serve(policy, instance, requests, targets)  # until the last has gone
    totals = window_totals(instance, requests, served, [0.0, float(served.now_s.min())])
    waited = np.fmin(served.prefill_start_s, served.left_s) - requests.arrival_s
    for kind in range(2):
        mine = (requests.kind == kind) & np.isfinite(requests.arrival_s)
        total = np.where(mine, waited, 0.0).sum(1)
        # both sides of Q = rate x wait times the time; a start waits for the next iteration
        found = totals.time.waiting_prefill[:, 0, kind]
        np.testing.assert_allclose(found, total, rtol=0.01, atol=0.01 * total.max())
