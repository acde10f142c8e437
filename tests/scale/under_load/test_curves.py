"""Curves of passes on a cluster, for selections."""

import re

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.curves import Limits
from lpo.scale.laws import make_laws
from lpo.scale.select import Options, allowed_grid, feasible_by_mean, points_of, select
from lpo.scale.under_load import (
    curves_under_load,
    curves_without_load,
    notes,
    serve_passes,
)


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


def test_without_load_times_are_those_of_passes_that_are_alone(cluster, models, order_statistic):
    """Two chunks, 256 and 44 tokens, then a token each; 6 tokens are the spread of an output."""
    alone = curves_without_load(*make_laws(), models, cluster, [1, 4, 9], [4])
    read, token = 0.0174 + 6.2e-5 * 256 + 0.022, 0.022
    first = alone.time.mean[0, 0]
    np.testing.assert_allclose(alone.time.mean[:, 0, 0], read + token * np.array([40, 40, 50]))
    wave = first[0] + token * 6 * order_statistic(4)[0]
    np.testing.assert_allclose(first[1:], [wave, 2 * wave + first[0]], rtol=1e-9)
    np.testing.assert_allclose(alone.cost.mean, 4 * 3.6 / 3600.0 / 0.75)
    shared = curves_without_load(
        *make_laws(latency="mean"), models, cluster, [1, 4, 9], [4], cost="marginal"
    )
    np.testing.assert_allclose(shared.time.mean[0, 0], [first[0], wave, 9 / 4 * first[0]])
    quiet = cluster._replace(queries_per_s=0.01)
    found = serve_passes(quiet, models, [1, 4, 9], [4], seconds=4000.0, warm_up_s=1.0, seeds=2)
    # whole tokens, and now and then two passes on one GPU
    np.testing.assert_allclose(found.query_s.mean, alone.time.mean, rtol=0.02)
    under = curves_under_load(*make_laws(), models, quiet, found, cost="marginal")
    np.testing.assert_allclose(under.cost.mean, shared.cost.mean, rtol=1e-12)


def test_notes_name_what_is_not_steady(found):
    slow = "loads? of 1.4., above 1; times grow with the length of the run."
    assert len(found.steady) == 3 and not found.steady[..., 3].any()
    said = notes(found, ["a", "b", "c"])
    assert len(said) == 2  # c has longer outputs
    assert re.fullmatch(f"a, b, k = 32 on 4, 32 slots: {slow}", said[0])
    assert said[1].startswith("c, k = 32 on 4, 32 slots: load of 1.")
    assert notes(found)[0].startswith("Model 0, Model 1, k = 32")
    odd = found._replace(steady=found.steady & (found.parallel == 4)[:, None])
    assert "k = 1, 4, 8 on 32 slots: loads of 0.0" in notes(odd, "abc")[2]
    assert "and yet passes pile up" in notes(odd, "abc")[2]
    near = found._replace(load=found.load + 0.55)
    assert "k = 8 on 4, 32 slots: load of 0.9" in notes(near, "abc")[2]
    assert notes(near, "abc")[2].endswith("a longer run may show longer times.")


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
