"""Published fits and a user's measurements: errors, and where they are too large."""

import numpy as np
import pandas as pd
import pytest

from lpo.serve.command.analyses.calibration import find

ALPHA, BETA, TAU_SOLO = 0.01, 5e-5, 0.015
TOKENS = np.array([4.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0])


def measured(path, change=1.0, **columns):
    """A file of times that are exactly on a line, but the one at 512 tokens times `change`."""
    time = np.where(TOKENS <= 64, TAU_SOLO, ALPHA + BETA * TOKENS)
    time = np.where(TOKENS == 512, change * time, time)
    pd.DataFrame({"tokens": TOKENS, "time_s": time, **columns}).to_csv(path, index=False)
    return f"measurements.path={path}"


def test_published_fits_miss_some_times_by_more_than_15_percent(serve_asked):
    found = find(*serve_asked("+experiment=serve_calibration"))
    fits = found.tables["fits"].data.set_index("fit")
    assert found.metrics["fits"] == len(fits) == 9
    assert fits.loc["a100_qwen_8b", ["alpha_ms", "beta_us", "tau_solo_ms"]].tolist() == [
        pytest.approx(each) for each in (17.4, 62.0, 22.0)
    ]
    assert fits.loc["a100_qwen_8b", "points"] == 0
    assert fits.loc["h100_llama_2_70b_tp8", "error_of_points"] > 0.15
    (note,) = found.notes
    for name in ("h100_llama_2_7b_tp1", "h100_llama_2_70b_tp4", "h100_llama_2_70b_tp8"):
        assert name in note
    assert "a100_llama_2_7b_tp1" not in note and "qwen" not in note
    points = found.tables["points"].data
    np.testing.assert_allclose(points["error"], points["fit_ms"] / points["time_ms"] - 1.0)


def test_own_measurements_are_fitted_and_judged(serve_asked, tmp_path):
    exact = measured(tmp_path / "exact.csv")
    found = find(*serve_asked("+experiment=serve_calibration", exact))
    expected = {"alpha_ms": 10.0, "beta_us": 50.0, "tau_solo_ms": 15.0, "b0_tokens": 100.0}
    for name, value in expected.items():
        assert found.metrics[f"own_{name}"] == pytest.approx(value, rel=1e-6)
    assert found.metrics["own_max_error"] == pytest.approx(0.0, abs=1e-9)
    assert "measurements" not in " ".join(found.notes)

    bent = measured(tmp_path / "bent.csv", change=1.6)
    found = find(*serve_asked("+experiment=serve_calibration", bent))
    assert any(note.startswith("measurements: The largest error") for note in found.notes)


def test_a_table_has_no_line_and_no_error(serve_asked, tmp_path):
    bent = measured(tmp_path / "bent.csv", change=1.6)
    found = find(*serve_asked("+experiment=serve_calibration", bent, "measurements.kind=tabular"))
    own = found.tables["fits"].data.iloc[-1]
    assert pd.isna(own["alpha_ms"]) and found.metrics["own_b0_tokens"] is None
    assert own["error_of_points"] == pytest.approx(0.0, abs=1e-12)


def test_the_share_of_the_cache_is_taken_off_the_times(serve_asked, tmp_path):
    cache = np.array([0.0, 9e3, 3e3, 1e3, 7e3, 2e3, 5e3])
    path = tmp_path / "cache.csv"
    measured(path, kv_tokens=cache)
    times = pd.read_csv(path)
    times["time_s"] += 2e-7 * cache
    times.to_csv(path, index=False)
    options = (f"measurements.path={path}", "measurements.kind=two_regime_kv")
    found = find(*serve_asked("+experiment=serve_calibration", *options))
    own = found.tables["points"].data.tail(len(TOKENS))
    assert found.metrics["own_beta_us"] == pytest.approx(50.0, rel=1e-6)
    np.testing.assert_allclose(own["time_ms"], own["fit_ms"], rtol=1e-6)
