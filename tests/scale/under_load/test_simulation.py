"""Passes on a simulated cluster, against what must be so."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.under_load import instance_under_load, serve_passes, unloaded_s
from lpo.scale.under_load.bursts import Lengths, bursts
from lpo.scale.under_load.runs import Span, observed, serve_runs
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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0]}, "`k`"),
        ({"parallel": [1.5]}, "`parallel`"),
        ({"seconds": 0.0}, "`seconds` must be positive"),
        ({"seeds": 0}, "`seeds`"),
        ({"warm_up_s": -1.0}, "`warm_up_s`"),
        ({"seconds": 1e-9, "warm_up_s": 0.0, "cool_down_s": 0.0}, "`seconds` must be long enough"),
    ],
)
def test_refused(cluster, models, changes, words):
    given = {"k": [1], "parallel": [1], "seeds": 1} | changes
    with pytest.raises(InputError, match=words):
        serve_passes(cluster, models, given.pop("k"), given.pop("parallel"), **given)
