"""Rewards from the numbers of lpo.hardware, lpo.allocate and lpo.serve, by hand."""

from typing import Any

import jax
import numpy as np
import pytest

from lpo import hardware
from lpo.allocate import generate
from lpo.bandit.offline import no_offline
from lpo.bandit.product import (
    FAST,
    PACKED,
    Choice,
    deployments_of,
    economics_of,
    environment_of,
    features_of,
    linear_fit,
    make_product,
    measured,
)
from lpo.bandit.product.changes import Terms
from lpo.bandit.product.contexts import CONTEXT
from lpo.bandit.product.environment import Instance
from lpo.bandit.product.linear import mean_rewards, nominal
from lpo.errors import InputError
from lpo.serve import read_published_fit
from tests import quick
from tests.bandit.product.routing import periods, product


def by_hand(arm: str, request: Any) -> float:
    """The expected reward of a request on two arms of the default ones."""
    model, gpu, degree, route, peak, gb_per_s, dollars, bits = {
        "70B": (hardware.LLAMA_70B, "H100_FP16", 4, PACKED, 989.4e12, 3350e9, 2.69, 2.0),
        "8B": (hardware.LLAMA_8B, "RTX_4090_INT8", 1, FAST, 660.6e12, 1008e9, 0.34, 1.0),
    }[arm]
    read = 2 * model.parameters / (0.5 * peak) / degree  # s a prompt token
    write = model.parameters * bits / (0.6 * gb_per_s) / degree  # s an output token
    tau = max(write, read * (route.chunk + route.batch - 1))
    catalog = generate("catalog", 0)
    kind = "Code_Gen" if request["code"] else "Summarization"
    i, j = catalog.query_types.index(kind), catalog.models.index(model.name)
    k, data = catalog.tiers.index(gpu), catalog.data
    quality = 1 - 0.5 * data.error_rate[i, j, k] / data.error_limit[i]
    rho = route.busy * request["load"]
    mean_prompt = periods().log.values[:, 0].mean()
    wait = rho / (1 - rho) * mean_prompt * tau / route.chunk
    seconds = (
        wait
        + request["prompt_tokens"] * tau / route.chunk
        + request["output_tokens"] * ((1 - rho) * write + rho * tau)
    )
    # what a prompt displaces: batch decodes at 1 / write for tau, but batch - 1 go on beside it
    displaced = (route.batch / write * tau - (route.batch - 1)) / route.chunk
    share = (request["output_tokens"] + displaced * request["prompt_tokens"]) * write / route.batch
    money = request["price"] * degree * dollars / 3600 * share
    urgency = 10.0 if request["interactive"] else 1.0
    waiting = urgency * 1e3 * data.delay_usd_per_ms[i] * seconds
    return quality - (money + waiting) / data.unmet_usd[i]


def test_rewards_by_hand():
    names = product().arms
    places = {
        "70B": names.index("Llama-3.1-70B/H100_FP16x4/packed"),
        "8B": names.index("Llama-3.1-8B/RTX_4090_INT8x1/fast"),
    }
    means = mean_rewards(product(), nominal(product()))
    values = periods().rounds.values
    rows = [
        np.flatnonzero((values[:, 2] == code) & (values[:, 3] == live))[:2]
        for code in (0, 1)
        for live in (0, 1)
    ]
    for row in np.concatenate(rows):
        request = dict(zip(CONTEXT, values[row], strict=True))
        for arm, place in places.items():
            assert means[row, place] == pytest.approx(by_hand(arm, request), rel=1e-9)


def test_rounds_have_the_rewards_of_requests():
    given = product(most_delay=30)
    environment = environment_of(given)
    terms = nominal(given)
    instance = Instance(terms, terms, no_offline(8, 8))
    rounds = quick.jit(jax.vmap(environment.play, (None, 0)))(
        jax.tree.map(np.float32, instance), jax.random.split(jax.random.key(0), 3000)
    )
    means, values = mean_rewards(given, terms), given.periods.rounds.values
    # a round is a request: find it by the features, which do not tell two apart that are alike
    x = features_of(given.economics, given.scales, values)
    drawn = np.asarray(rounds.features[:, 0])
    row = np.argmin(((x[None] - drawn[:200, None]) ** 2).sum(-1), axis=1)
    np.testing.assert_allclose(rounds.means[:200], means[row], atol=2e-5)
    more = np.asarray(rounds.rewards - rounds.means)
    error = more.std(0) / np.sqrt(len(more))
    assert (np.abs(more.mean(0)) < 4 * error).all()
    assert more.std(0).max() == pytest.approx(given.assumptions.noise, rel=0.15)
    delay = np.asarray(rounds.delay)
    assert delay.shape == (3000, 8) and delay.min() >= 0 and delay.max() == 30
    assert delay[:, 2].mean() < delay[:, 1].mean()  # an H100 is faster than an A100


def test_rewards_are_nearly_linear_and_about_one():
    fit = linear_fit(product())
    assert fit.explained.min() > 0.999 and fit.residual < 0.01
    means = mean_rewards(product(), nominal(product()))
    assert means.min() > -1.0 and means.max() < 1.0
    given = product().assumptions
    assert np.linalg.norm(fit.theta, axis=1).max() < given.block_bound
    assert np.linalg.norm(fit.theta) < given.bound
    best = means.argmax(1)
    assert len(set(best.tolist())) > 3  # no arm is best for all


def test_terms_enter_as_they_should():
    one = nominal(product())
    base = mean_rewards(product(), one)
    dearer = mean_rewards(product(), Terms(one.quality, one.rent * 2, one.slow))
    slower = mean_rewards(product(), Terms(one.quality, one.rent, one.slow * 2))
    better = mean_rewards(product(), Terms(one.quality + 0.1, one.rent, one.slow))
    np.testing.assert_allclose(better - base, 0.1)
    quality = np.array([d.quality for d in product().deployments]).T
    task = periods().rounds.values[:, 2].astype(int)
    np.testing.assert_allclose(dearer + slower - base, 2 * base - quality[task], atol=1e-12)


def test_a_measured_replica(tmp_path):
    fit = read_published_fit("conf/hardware/h100_llama_2_70b_tp4.yaml")
    deployment = product().deployments[-1]
    assert deployment.name == "Llama-3.1-70B/H100_FP16x4/packed"
    one = measured(deployment, fit).hardware
    # its table: 0.0225 s for 32 tokens; between 512 and 1024 tokens 73.6 us more for one more
    assert one.tau_solo == pytest.approx(0.02244)
    mixed = 0.04051 + (512 + 31 - 512) * (0.07821 - 0.04051) / 512
    assert one.alpha + one.beta * 512 == pytest.approx(mixed, rel=1e-6)
    with pytest.raises(InputError, match="must be of tensor parallelism 1 as"):
        measured(product().deployments[0], fit)


def test_deployments_of_an_instance():
    catalog = generate("catalog", 3)
    one = deployments_of(catalog, [Choice("Llama-3.2-1B", "A6000_FP16", 2, FAST)])[0]
    assert one.usd_per_hour == pytest.approx(2 * 0.49)
    # 1.24e9 weights: 2 bytes each, over 60 % of 768 GB/s, by two GPUs
    assert one.hardware.tau_solo == pytest.approx(1.24e9 * 2 / (0.6 * 768e9) / 2, rel=1e-9)
    assert one.hardware.beta == pytest.approx(2 * 1.24e9 / (0.5 * 154.8e12) / 2, rel=1e-9)
    for choice, message in (
        (Choice("Llama-9", "H100_FP16", 1, FAST), "model 'Llama-9': must be one of Llama-3.2-1B"),
        (Choice("Llama-3.2-1B", "H100", 1, FAST), "tier 'H100': must be one of"),
        (Choice("Llama-3.2-1B", "H100_FP16", 3, FAST), "must be one of 1, 2, 4, 8, got 3"),
        (Choice("Llama-3.1-70B", "H100_FP16", 1, FAST), "141.2 GB of weights, and 1 x H100_FP16"),
    ):
        with pytest.raises(InputError, match=message):
            deployments_of(catalog, [choice])
    with pytest.raises(InputError, match="query type 'Chat'"):
        economics_of(catalog, ("Chat", "Code_Gen"))
    with pytest.raises(InputError, match="must be different"):
        deployments_of(catalog, [Choice("Llama-3.2-1B", "H100_FP16", 1, FAST)] * 2)


def test_refuses():
    wrong: Any = (
        ({"change": "upgrade"}, "`change` must be one of none, model_upgrade"),
        (
            {"change": "model_upgrade", "what": "GPT"},
            "`what` of model_upgrade must be",
        ),
        ({"change": "price_change", "size": 1.5}, "`size` of change price_change must be from 0"),
        ({"change": "none", "size": 0.5}, "`size` of change none must be 0"),
        ({"noise": -1.0}, "`noise` must be finite and not negative"),
        ({"most_delay": -1}, "`most_delay` must be"),
        ({"rows": -1}, "`rows` must be"),
        ({"delta": 2.0}, "`delta` must be below 1"),
    )
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            make_product(periods(), **options)
    fast = [d for d in product().deployments if d.route == FAST]
    with pytest.raises(InputError, match="`capacity`: at least one route"):
        make_product(periods(), fast, capacity=True)
