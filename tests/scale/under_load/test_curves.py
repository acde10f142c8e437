"""Curves of passes on a cluster, for selections."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.curves import Limits
from lpo.scale.laws import make_laws
from lpo.scale.select import Options, allowed_grid, feasible_by_mean, points_of, select
from lpo.scale.under_load import curves_under_load, notes


def curves_of(cluster, models, found, *, cost="average", **laws):
    return curves_under_load(*make_laws(**laws), models, cluster, found, cost=cost)


def test_a_query_pays_its_share_of_all_gpus(cluster, models, found):
    curves = curves_of(cluster, models, found)
    usd_per_s = 4 * 3.6 / 3600.0
    np.testing.assert_allclose(curves.cost.mean[..., :3], usd_per_s / 0.75)
    np.testing.assert_allclose(curves.cost.mean[..., 3], usd_per_s / found.completed_per_s[..., 3])
    assert (curves.cost.mean[..., 3] > curves.cost.mean[..., 2]).all()


def test_or_what_its_passes_take_of_full_gpus(cluster, models, found):
    curves = curves_of(cluster, models, found, cost="marginal")
    usd_per_s = 4 * 3.6 / 3600.0
    expected = found.load[:, None] * usd_per_s / 0.75
    np.testing.assert_allclose(curves.cost.mean, np.broadcast_to(expected, (3, 2, 4)), rtol=1e-9)
    # an output token takes tau_solo / batch seconds of a GPU
    spread = 6 * 0.022 / 4 * 3.6 / 3600.0 * np.sqrt([1, 4, 8, 32])
    np.testing.assert_allclose(curves.cost.sd[0, 0], spread, rtol=1e-9)


def test_times_are_those_of_the_waves_where_the_cluster_is_steady(cluster, models, found):
    curves = curves_of(cluster, models, found)
    steady = found.steady
    np.testing.assert_array_equal(curves.time.mean[steady], found.query_s.mean[steady])
    assert np.isinf(curves.time.mean[~steady]).all() and np.isnan(curves.time.sd[~steady]).all()
    shared = curves_of(cluster, models, found, latency="mean")
    np.testing.assert_allclose(shared.time.mean[:, 0, 2], 2.0 * found.pass_s.mean[:, 0, 2])
    np.testing.assert_allclose(shared.time.sd[:, 0, 2], np.sqrt(8) / 4 * found.pass_s.sd[:, 0, 2])
    np.testing.assert_array_equal(shared.time.mean[:, :, :2], curves.time.mean[:, :, :2])


def test_accuracy_is_exact(cluster, models, found):
    laws, numbers = make_laws(rule="verifier")
    curves = curves_of(cluster, models, found, rule="verifier")
    mean, sd = accuracy_moments(laws, numbers, models, found.k)
    np.testing.assert_array_equal(curves.accuracy.mean, np.stack([mean, mean], 1))
    np.testing.assert_array_equal(curves.accuracy.sd[:, 1], sd)


def test_selections_leave_a_full_cluster_alone(cluster, models, found):
    curves = curves_of(cluster, models, found, cost="marginal")
    limits = Limits(np.array([1.0]), np.array([1e6]), np.array([0.5]))
    feasible = feasible_by_mean(curves, limits, allowed_grid(found.k, found.parallel))
    np.testing.assert_array_equal(feasible[0], found.steady)
    chosen = select(Options(), points_of(curves), feasible, limits, k=found.k)
    assert (chosen.accuracy_max.at == 2).all()
    for one in chosen:
        assert np.isin(one.at, [-1, 0, 1, 2]).all()


def test_notes_name_what_is_not_steady(found):
    said = notes(found)
    assert len(said) == 6
    assert said[0].startswith("Model 0, k = 32 on 4 slots: a load of 1.4")
    assert all("grow with the length of the run" in one for one in said)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"latency": "contended"}, "`latency` must be waves or mean"),
        ({"latency": "work_conserving"}, "`latency`"),
        ({"cost": "free"}, "`cost` must be one of average, marginal"),
    ],
)
def test_refused(cluster, models, found, given, words):
    with pytest.raises(InputError, match=words):
        curves_of(cluster, models, found, **given)
