"""Sensitivity as an experiment: directions, elasticities, and chunks that are too short."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import bundled_optimum, load
from lpo.serve.command.analyses.sensitivity import find

VALUES = {
    "batch": [8.0, 16.0],
    "chunk": [32.0, 96.0, 256.0, 1024.0],
    "alpha": [0.010, 0.0174, 0.022],
    "beta": [1e-5, 6.2e-5, 3e-4],
    "tau_solo": [0.018, 0.022, 0.030],
}
FALLING = ("chunk", "alpha", "beta", "tau_solo")


@pytest.fixture(scope="module")
def found(serve_asked):
    cfg, problem = serve_asked("analysis.name=sensitivity", "instance=paper_two_class_x2")
    cfg.analysis.values = VALUES
    return problem, find(cfg, problem)


def sweep(found, name):
    table = found[1].tables["sweeps"].data
    return table.loc[table["varied"] == name].sort_values(name)


def test_every_point_is_the_optimum_of_its_gpu(found):
    instance = found[0].instance
    for row in found[1].tables["sweeps"].data.dropna(subset=["revenue"]).to_dict("records"):
        hardware = instance.hardware._replace(**{n: row[n] for n in instance.hardware._fields})
        there = instance._replace(hardware=hardware)
        assert row["revenue"] == pytest.approx(bundled_optimum(there).value, rel=1e-6)
        assert row["load"] == pytest.approx(load(there))


@pytest.mark.parametrize("name", VALUES)
def test_revenue_goes_one_way_and_load_the_other(found, name):
    sign = -1.0 if name in FALLING else 1.0
    rows = sweep(found, name).dropna(subset=["revenue"])
    assert (sign * np.diff(rows["revenue"]) >= 0).all()
    assert (sign * np.diff(rows["load"]) <= 0).all()
    assert (sign * rows["elasticity"] >= -1e-6).all()
    own = found[1].metrics[f"elasticity_{name}"]
    given = getattr(found[0].instance.hardware, name)
    assert rows.loc[np.isclose(rows[name], given), "elasticity"].item() == pytest.approx(own)


def test_chunks_below_b0_have_no_value(found):
    assert found[1].metrics["b0_tokens"] == pytest.approx(4.6 / 0.062)
    chunks, betas = sweep(found, "chunk"), sweep(found, "beta")
    assert chunks["status"].tolist() == ["below_b0", *["optimal"] * 3]
    assert chunks["revenue"].isna().tolist() == [True, False, False, False]
    assert betas["status"].tolist()[0] == "below_b0"  # alpha + beta C < tau_solo
    grid = found[1].tables["map"].data
    assert grid.groupby("beta")["status"].unique().map(list).tolist() == [
        ["below_b0"],
        ["optimal"],
        ["optimal"],
    ]
    assert any("C is below b0" in note for note in found[1].notes)
    assert any("prefers short chunks" in note for note in found[1].notes)


def test_measured_tables_know_the_overhead_of_short_chunks(found):
    chunks = found[1].tables["chunks"].data
    assert chunks["hardware"].nunique() == 7
    for _, rows in chunks.groupby("hardware"):
        load_at = rows.set_index("chunk")["load_by_table"]
        assert load_at[32.0] > load_at[96.0]


def test_the_map_falls_in_beta_and_rises_in_batch(found):
    grid = found[1].tables["map"].data.pivot(index="beta", columns="batch", values="revenue")
    grid = grid.dropna()
    assert (np.diff(grid, axis=0) <= 0).all() and (np.diff(grid, axis=1) >= 0).all()


def test_elasticities_of_prices_and_times(found):
    elasticity = found[1].tables["elasticities"].data.set_index("number")["elasticity"]
    assert elasticity[["price_prompt", "price_decode"]].sum() == pytest.approx(1.0, rel=1e-5)
    times = elasticity[["alpha", "beta", "tau_solo"]].sum()
    arrivals = elasticity[["arrival_0", "arrival_1"]].sum()
    assert times - arrivals == pytest.approx(-1.0, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gamma": [1.0]}, "gamma given; allowed: batch"),
        ({"batch": [2.5]}, r"analysis.values.batch: .*whole number"),
        ({"tau_solo": [0.0]}, r"analysis.values.tau_solo: .*positive"),
    ],
)
def test_refused(serve_asked, values, message):
    cfg, problem = serve_asked("analysis.name=sensitivity")
    cfg.analysis.values = values
    with pytest.raises(InputError, match=message):
        find(cfg, problem)
