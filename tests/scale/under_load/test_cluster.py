"""What a cluster is given and what a pass takes of it, by hand."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.passes import make_pairs
from lpo.scale.under_load import (
    Cluster,
    instance_under_load,
    make_cluster,
    mean_lengths,
    token_prices,
    unloaded_s,
)
from lpo.scale.under_load.cluster import loads
from lpo.serve import TwoRegimeKV, load, make_hardware, make_instance

HARDWARE = make_hardware(batch=16, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022)
TAU = 0.0174 + 6.2e-5 * 256


def cluster_of(**changes: Any) -> Cluster:
    given: dict[str, Any] = {"queries_per_s": 2.0, "gpus": 10, "gpu_hour_usd": 1.8}
    return make_cluster(**(given | {"policy": "fcfs", "hardware": HARDWARE} | changes))


@pytest.mark.parametrize(("prompt", "output"), [(300.0, 1000.0), (4000.0, 20.0)])
def test_load_is_that_of_lpo_serve(prompt, output):
    cluster = cluster_of()
    expected = [
        load(
            make_instance(
                arrival=[2.0 * k / 10],
                prompt=prompt,
                decode=output,
                patience=0.0,
                hardware=HARDWARE,
                price_prompt=1.0,
                price_decode=1.0,
            )
        )
        for k in (1, 3, 16)
    ]
    np.testing.assert_allclose(loads(cluster, prompt, output, [1, 3, 16]), expected, rtol=1e-9)
    decodes = 0.2 * (output * 0.022 / 16 + prompt / 256 * (TAU - 0.022 * 15 / 16))
    assert expected[0] == pytest.approx(max(decodes, 0.2 * prompt * TAU / 256))
    # a pass pays for the share of the cluster that it fills
    per_prompt, per_output = token_prices(cluster, prompt, output)
    paid = per_prompt * prompt + per_output * output
    assert paid * 2.0 == pytest.approx(expected[0] * 10 * 1.8 / 3600.0, rel=1e-9)


def test_a_cache_slows_a_full_gpu_down():
    k_kv = 1e-7
    cluster = cluster_of(times=TwoRegimeKV(0.0174, 6.2e-5, 0.022, k_kv))
    hardware = instance_under_load(cluster, 400.0, 600.0, 1.0).hardware
    full = 16 * (400 + 300)
    assert hardware.tau_solo == pytest.approx(0.022 + k_kv * full)
    assert hardware.alpha + hardware.beta * 256 == pytest.approx(TAU + k_kv * full)


def test_a_pass_alone_iteration_by_iteration():
    """Chunks of 256, 256 and 88 tokens, then a token each; the last chunk is not shorter than
    tau_solo."""
    chunks = [TAU, TAU, max(0.022, 0.0174 + 6.2e-5 * 88)]
    assert unloaded_s(cluster_of(), 600, 5) == pytest.approx(sum(chunks) + 5 * 0.022)
    k_kv = 1e-6
    cached = unloaded_s(cluster_of(times=TwoRegimeKV(0.0174, 6.2e-5, 0.022, k_kv)), 600, 3)
    tokens = 0 + 256 + 512 + 600 + 601 + 602
    assert cached == pytest.approx(sum(chunks) + 3 * 0.022 + k_kv * tokens)


def test_mean_lengths(models):
    prompt, output = mean_lengths(models)
    np.testing.assert_allclose(prompt, 300.0)
    np.testing.assert_allclose(output, [40.0, 40.0, 50.0], rtol=1e-9)
    pairs = make_pairs([10.0, 30.0], [0.0, 4.0], [1.0, 3.0])
    prompt, output = mean_lengths(models, pairs)
    np.testing.assert_allclose([prompt, output], [[25.0] * 3, [3.0] * 3])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"queries_per_s": 0.0}, "`queries_per_s`"),
        ({"gpu_hour_usd": np.inf}, "`gpu_hour_usd`"),
        ({"gpus": 2.5}, "`gpus`"),
        ({"policy": "none"}, "`policy`"),
    ],
)
def test_refused(changes, words):
    with pytest.raises(InputError, match=words):
        cluster_of(**changes)
