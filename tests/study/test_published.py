"""The printed table against its own last two rows, and copies of tables for the docs."""

import numpy as np
import pandas as pd
import pytest

from lpo.runs import ResultTable
from lpo.study.publish import publish
from lpo.study.published import METHODS, TABLE_I, beside_published

# the rows `average` and `maximum` of Table I of arXiv 2602.02943
AVERAGES = (0.1635, 0.2612, 0.3345, 0.2765, 0.2923, 0.3625)
MAXIMA = (0.3140, 0.5071, 0.6894, 0.5215, 0.5643, 0.6828)


@pytest.fixture
def ours() -> pd.DataFrame:
    rows = [
        {"architecture": "lstm", "method": method, "test_set": name, "nr_code": score}
        for method, score in (("dfl", 0.5), ("kl_dro", 0.25))
        for name in TABLE_I
    ]
    return pd.DataFrame(rows[:-1])


def scores(table: pd.DataFrame, column: str) -> dict[tuple[str, str], float]:
    return dict(
        zip(zip(table["method"], table["test_set"], strict=True), table[column], strict=True)
    )


def test_printed_averages_and_maxima_follow_from_the_printed_scores(ours):
    printed = scores(beside_published(ours), "published")
    both = (*AVERAGES[:1], *AVERAGES), (*MAXIMA[:1], *MAXIMA)  # two gradients of 3D
    for method, average, largest in zip(METHODS, *both, strict=True):
        assert printed[method, "average"] == pytest.approx(average, abs=1e-4)
        assert printed[method, "maximum"] == largest


def test_ours_stand_beside_the_same_method_and_set(ours):
    found = scores(beside_published(ours), "lstm")
    assert found["dfl", "24V"] == found["dfl", "average"] == 0.5
    assert found["kl_dro", "24V"] == 0.25
    # a set is missing: no average
    assert np.isnan(found["kl_dro", "average"]) and np.isnan(found["wasserstein_dro", "24V"])


def test_copies_are_rounded_and_say_where_they_come_from(tmp_path):
    table = pd.DataFrame({"method": ["dfl"], "mean": [0.123456789]})
    row = {"architecture": "mlp", "method": "dfl", "test_set": "a", "mean": 0.123456789}
    row |= {"seed_low": 0.1, "seed_high": 0.2, "window_low": 0.0, "window_high": 1.0}
    by_set = pd.DataFrame([row | {"floor": 0.1, "gap": 0.2}])
    summary = {
        "environment": {"git_commit": "abc", "device": "cpu", "versions": {"jax": "0.10"}},
    }
    arguments = ["seeds=3", "cells=/somewhere", "hydra.run.dir=here", "~parts.fleet", "publish=x"]
    tables = {"part_summary": ResultTable("Part", "What it shows.", table)}
    publish(tmp_path, tables, ["1 cell is missing"], {"part_set": by_set}, summary, arguments)
    assert (tmp_path / "part_summary.csv").read_text() == "method,mean\ndfl,0.12346\n"
    assert (tmp_path / "part_set.csv").read_text().splitlines() == [
        "architecture,method,test_set,mean,mean_half,floor,gap",
        "mlp,dfl,a,0.1235,0.05,0.1,0.2",
    ]
    text = (tmp_path / "README.md").read_text()
    assert "    python -m lpo.study seeds=3 '~parts.fleet'\n" in text
    assert "1 cell is missing." in text and "* `part_summary.csv`: What it shows.\n" in text
    assert "Commit `abc`" in text and "somewhere" not in text
