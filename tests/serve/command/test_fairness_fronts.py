"""Fronts of service levels as an experiment: what they keep, what a limit is worth, refusals."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.command.analyses.fairness_fronts import find

EXPERIMENT = "+experiment=serve_fairness_fronts"


def test_prefill_fairness_costs_more_than_decode_fairness(serve_asked):
    cfg, problem = serve_asked(
        EXPERIMENT,
        "analysis.values.prefill_fairness=[0,.1,.2]",
        "analysis.values.decode_fairness=[0,2,6]",
        "~analysis.values.tpot_s",
        "~analysis.values.kv_tokens",
    )
    found = find(cfg, problem)
    kept = [found.metrics[f"kept_at_strictest_{n}_fairness"] for n in ("prefill", "decode")]
    assert kept[0] is not None and kept[1] is not None and kept[0] < kept[1] < 1.0
    table = found.tables["fronts"].data
    assert table["level"].tolist() == ["prefill_fairness"] * 3 + ["decode_fairness"] * 3
    for _, rows in table.groupby("level"):
        value, price = rows["value"].to_numpy(), rows["price"].to_numpy()
        assert np.all(np.diff(value) >= 0) and np.all(np.diff(price) <= 1e-9)
        secants = np.diff(value) / np.diff(rows["limit"].to_numpy())
        assert np.all(secants <= price[:-1] + 1e-6) and np.all(secants >= price[1:] - 1e-6)
        assert value[-1] == pytest.approx(problem.optimum.value)
    shares = table[["served_share_0", "served_share_1"]].to_numpy()
    assert np.all((shares >= 0) & (shares <= 1 + 1e-9))


def test_any_level_has_a_front_and_lost_limits_are_named(serve_asked):
    cfg, problem = serve_asked("instance=paper_two_class_x2", "analysis.name=fairness_fronts")
    cfg.analysis.values = {"service_share": [0.4, 0.3, 0.9]}
    found = find(cfg, problem)
    assert found.notes == ["service_share: no plan keeps 0.9."]
    table = found.tables["fronts"].data
    assert table["limit"].tolist() == [0.3, 0.4, 0.9]
    assert table["value"].isna().tolist() == [False, False, True]
    assert np.all(table["price"].dropna().to_numpy() < 0)
    kept = found.metrics["kept_at_strictest_service_share"]
    assert kept == pytest.approx(table["value"][1] / problem.optimum.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "nothing given"),
        ({"fairness": [1.0]}, "fairness given; allowed: prefill_fairness"),
        ({"tpot_s": []}, "at least one number"),
        ({"tpot_s": [float("nan")]}, "finite"),
        ({"service_share": [1.5]}, r"analysis.values.service_share: .*in \[0, 1\]"),
    ],
)
def test_refused(serve_asked, values, message):
    cfg, problem = serve_asked("analysis.name=fairness_fronts")
    cfg.analysis.values = values
    with pytest.raises(InputError, match=message):
        find(cfg, problem)
