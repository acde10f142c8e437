"""The performance of models on tiers against the published table and its formulas."""

import pytest

from lpo.allocate.explain.performance_table import performance_table
from lpo.allocate.instances.generate import generate


@pytest.fixture(scope="module")
def rows():
    table = performance_table(generate("robust", 42, legacy_stream=True))
    return {(row["model"], row["tier"]): row for row in table.to_dict("records")}


def test_published_figures_that_the_formulas_allow(rows):
    """Three configurations of the published table; the third has an error that cannot be."""
    large = rows["Llama-3.1-70B", "H100_80GB_FP16"]
    assert large["delay_ms_per_token_least"] < 0.12 < large["delay_ms_per_token_largest"]
    assert large["error_least"] < 0.005 < large["error_largest"]
    middle = rows["Llama-3.1-8B", "A100_40GB_INT8"]
    assert middle["error_least"] < 0.012 < middle["error_largest"]
    small = rows["Llama-3.2-1B", "RTX_4090_INT4"]
    assert small["delay_ms_per_token_least"] < 0.08 < small["delay_ms_per_token_largest"]
    assert small["error_least"] > 0.035


def test_speed_of_tiers_and_what_fits(rows):
    slow, fast = (rows["Llama-3.1-8B", tier] for tier in ("A6000_FP16", "H100_80GB_INT8"))
    ratio = slow["delay_ms_per_token_least"] / fast["delay_ms_per_token_least"]
    assert ratio == pytest.approx(1483.5 / 40.7)
    assert rows["Llama-3.1-70B", "A6000_FP16"]["degrees"] == "4, 8"  # 140 GB on 48 GB each
    assert {row["degrees"] for (model, _), row in rows.items() if "31B" in model} == {"none"}
    assert all(row["error_worst"] >= row["error_largest"] for row in rows.values())
