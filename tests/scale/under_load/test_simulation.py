"""Passes on a simulated cluster, against what must be so."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.under_load import (
    instance_under_load,
    make_cluster,
    serve_passes,
    unloaded_s,
)
from lpo.scale.under_load.bursts import Lengths, bursts, query_times
from lpo.scale.under_load.cluster import loads
from lpo.scale.under_load.runs import Span, grows, measured, observed, serve_runs
from lpo.serve import make_hardware
from lpo.serve.policies import policy_named
from lpo.serve.requests import Served


@pytest.mark.parametrize(("policy", "k"), [("fcfs", [1, 2]), ("credit_gate", [1])])
def test_at_very_low_load_a_pass_takes_as_long_as_alone(cluster, models, policy, k):
    """300 tokens are two chunks, 256 and 44, then 50 tokens; nothing varies. Two at once begin on
    two GPUs, where all GPUs prefill."""
    quiet = cluster._replace(queries_per_s=0.02, policy=policy_named(policy))
    fixed = type(models)(*(leaf[2:] for leaf in models))
    found = serve_passes(quiet, fixed, k, [2], seconds=1000.0, warm_up_s=1.0, seeds=2, seed=1)
    expected = 0.0174 + 6.2e-5 * 256 + 0.022 + 50 * 0.022
    assert unloaded_s(quiet, 300, 50) == pytest.approx(expected)
    assert (found.load < 0.01).all()
    np.testing.assert_allclose(found.pass_s.mean, expected, rtol=1e-9)
    np.testing.assert_allclose(found.query_s.mean, expected, rtol=1e-9)
    np.testing.assert_allclose(found.pass_s.sd, 0.0, atol=1e-9)
    np.testing.assert_allclose(found.pass_s.sem, 0.0, atol=1e-9)
    assert found.steady.all() and (found.unfinished == 0.0).all()


@pytest.mark.parametrize(("k", "parallel"), [(4, 4), (32, 10)])
def test_what_comes_is_complete_or_still_there(cluster, k, parallel):
    lengths, span = Lengths(300.0, 0.0, 40.0, 6.0), Span(10.0, 50.0, 60.0)
    drawn = [bursts(lengths, 0.75, span.until_s, k, parallel, [3, run]) for run in (0, 1)]
    instance = instance_under_load(cluster, 300.0, 40.0, k)
    served = serve_runs(cluster, instance, drawn, span, 4096, 3)
    for run, one in enumerate(drawn):
        found = observed(one, Served(*(leaf[run] for leaf in served)), span)
        arrival = one.requests.arrival_s
        came = ((arrival >= 10.0) & (arrival < 50.0)).sum()
        assert came == found.completed + found.end - found.begin == len(found.passes.seconds)
        waves = {w for w, at in zip(one.wave.tolist(), arrival, strict=True) if 10 <= at < 50}
        assert len(found.full.seconds) + len(found.rest.seconds) == len(waves)
        assert (found.rest.seconds.size > 0) == (k == 32)  # 10, 10, 10 and 2
        finish = served.finish_s[run, : len(one.wave)]
        complete = found.passes.seconds[found.passes.known].sum()
        assert complete == pytest.approx(
            np.nansum(((finish - arrival)[arrival >= 10.0])[: int(came)])
        )


def test_shapes_and_models_of_equal_lengths(found):
    assert found.pass_s.mean.shape == found.steady.shape == (3, 2, 4)
    assert found.load.shape == (3, 4)
    for leaf in (*found.pass_s[:3], *found.query_s[:3], found.unfinished):
        np.testing.assert_array_equal(leaf[0], leaf[1])
    assert (found.pass_s.mean[2, :, :3] > found.pass_s.mean[0, :, :3]).all()
    for k in (0, 1):  # up to P passes nothing depends on P
        assert found.query_s.mean[0, 0, k] == found.query_s.mean[0, 1, k]


def test_a_pass_takes_longer_with_more_passes(found):
    assert (np.diff(found.pass_s.mean, axis=2) > 0.0).all()
    assert (np.diff(found.query_s.mean, axis=2) > 0.0).all()
    np.testing.assert_allclose(found.load[0] / found.load[0, 0], [1.0, 4.0, 8.0, 32.0])


def test_a_full_cluster_is_not_steady(found):
    below = np.broadcast_to(found.load[:, None] < 1.0, (3, 2, 4))
    np.testing.assert_array_equal(found.steady, below)
    assert below[..., :3].all() and not below[..., 3].any()
    assert (found.unfinished[..., :3] == 0.0).all()
    assert (found.unfinished[..., 3] > 0.1).all()
    # it completes about as many as it can, and otherwise those that come (45 in each run)
    most = np.broadcast_to(0.75 / found.load[:, None, 3], (3, 2))
    assert (found.completed_per_s[..., 3] < 1.05 * most).all()
    assert (found.completed_per_s[..., 3] > 0.85 * most).all()
    np.testing.assert_allclose(found.completed_per_s[..., :3], 0.75, atol=4 * np.sqrt(0.75 / 120))


def test_times_grow_with_the_run_where_it_is_not_steady(cluster, models, found):
    later = serve_passes(
        cluster, models, [4, 32], [32], seconds=60.0, warm_up_s=100.0, seeds=2, seed=3
    )
    assert (later.pass_s.mean[:, 0, 1] > 1.1 * found.pass_s.mean[:, 1, 3]).all()
    np.testing.assert_allclose(later.pass_s.mean[:, 0, 0], found.pass_s.mean[:, 1, 1], rtol=0.06)


def test_a_query_is_over_with_its_longest_pass(found, order_statistic):
    """At a load of 0.18 passes hardly meet: about the longest of four independent ones, whose
    lengths have a standard deviation of 6 tokens."""
    one, four = found.query_s.mean[0, 0, :2]
    assert four - one == pytest.approx(6 * 0.022 * order_statistic(4)[0], rel=0.35)
    assert found.query_s.mean[0, 0, 0] == found.pass_s.mean[0, 0, 0]
    # eight on four slots: two waves, each as long as one of four but for the load
    assert found.query_s.mean[0, 0, 2] == pytest.approx(2.0 * four, rel=0.1)
    assert found.query_s.mean[0, 1, 2] < 1.3 * four


def test_laws_of_passes_have_the_moments(found):
    for m in range(3):
        for p in range(2):
            for j in range(4):
                law = found.law[m][p][j]
                assert law.weight.sum() == pytest.approx(1.0)
                assert law.weight @ law.output == pytest.approx(found.pass_s.mean[m, p, j])


@pytest.mark.parametrize(("k", "load"), [(1, 0.3), (4, 0.7)])
def test_little_s_law(cluster, k, load):
    """The mean number of passes in the cluster is their rate times their mean time; in 300 s those
    that are there at the ends, for about a second, hardly count."""
    busy = cluster._replace(queries_per_s=load / loads(cluster, 300.0, 40.0, k)[()])
    lengths, span = Lengths(300.0, 0.0, 40.0, 6.0), Span(60.0, 360.0, 420.0)
    drawn = [bursts(lengths, busy.queries_per_s, span.until_s, k, k, [5, 0])]
    served = serve_runs(busy, instance_under_load(busy, 300.0, 40.0, k), drawn, span, 8192, 5)
    arrival = drawn[0].requests.arrival_s
    finish = served.finish_s[0, : len(arrival)]
    seen = np.linspace(span.begin_s, span.end_s, 30_001)
    there = (arrival[:, None] <= seen).sum(0) - (finish[:, None] <= seen).sum(0)
    counted = ((arrival >= span.begin_s) & (arrival < span.end_s)).sum()
    rate = counted / (span.end_s - span.begin_s)
    found = measured(drawn, served, span, k, k)
    assert found.pass_s.mean == pytest.approx(there.mean() / rate, rel=0.01)
    assert found.unfinished == 0.0 and not found.grows


def test_gates_do_not_keep_back_what_the_cluster_could_serve(models):
    """At a load of .92 the credit gate is closed. Were it to admit exactly what comes, times would
    grow with the run, to several times those of first come, first served; with a plan for a little
    more they are near."""
    one = type(models)(*(np.atleast_1d(leaf[0]) for leaf in models))
    hardware = make_hardware(batch=8, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022)
    one = one._replace(prompt=np.array([512.0]), output=np.array([100.0]))
    times = {}
    for policy in ("fcfs", "credit_gate"):
        given = {"gpus": 10, "gpu_hour_usd": 1.0, "policy": policy, "hardware": hardware}
        cluster = make_cluster(queries_per_s=1.0, **given)
        rate = 0.92 / loads(cluster, 512.0, 100.0, 4)[()]
        busy = cluster._replace(queries_per_s=rate)
        found = serve_passes(busy, one, [4], [4], seconds=300.0, warm_up_s=300.0, seeds=2)
        assert found.steady.all()
        times[policy] = found.pass_s.mean.item()
    assert times["fcfs"] <= times["credit_gate"] < 1.5 * times["fcfs"]


def test_passes_pile_up_where_more_stay_than_chance_explains():
    assert not grows(begin=100, end=100 + 3 * 14, came=1000, burst=1)
    assert grows(begin=100, end=150, came=1000, burst=1)
    assert not grows(begin=100, end=150, came=1000, burst=8)  # in bursts of 8 chance is wider
    assert not grows(begin=100, end=150, came=10_000, burst=1)  # half a per cent of a long run


def test_a_run_in_which_nobody_comes_counts_for_nothing(cluster, models):
    """At 2 queries in 100 s some runs of 30 s have none, here the first."""
    quiet = cluster._replace(queries_per_s=0.02)
    spans = {"seconds": 30.0, "warm_up_s": 0.0, "cool_down_s": 0.0, "seeds": 12}
    first, seed = True, 0
    while first:
        seed += 1
        first = len(query_times(0.02, 30.0, [seed, 0])) > 0
    found = serve_passes(quiet, models, [4], [4], seed=seed, **spans)
    # one wave, not four in a row
    assert (found.query_s.mean < 1.3 * found.pass_s.mean).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0]}, "`k`"),
        ({"parallel": [1.5]}, "`parallel`"),
        ({"seconds": 0.0}, "`seconds` must be positive"),
        ({"seeds": 0}, "`seeds`"),
        ({"warm_up_s": -1.0}, "`warm_up_s`"),
        ({"k": [10**6]}, "must be at most 1e.06 passes"),
        ({"seconds": 1e-9, "warm_up_s": 0.0, "cool_down_s": 0.0}, "`seconds` must be long enough"),
    ],
)
def test_refused(cluster, models, changes, words):
    given = {"k": [1], "parallel": [1], "seeds": 1} | changes
    with pytest.raises(InputError, match=words):
        serve_passes(cluster, models, given.pop("k"), given.pop("parallel"), **given)
