"""Fits recover what measurements were made of; published fits describe published times."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lpo.errors import InputError
from lpo.serve import Tabular, TwoRegime, TwoRegimeKV, fit, read_published_fit

FILES = sorted((Path(__file__).parents[2] / "conf" / "hardware").glob("*.yaml"))
TOKENS = np.array([1, 4, 16, 32, 64, 100, 256, 384, 512, 1024, 2048, 4096], float)


def measured(*, k_kv=0.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    tokens = np.repeat(TOKENS, 5)
    kv = rng.uniform(0, 50000, len(tokens))
    time = np.maximum(0.022, 0.0174 + 6.2e-5 * tokens) + k_kv * kv
    time *= 1 + noise * rng.normal(size=len(tokens))
    return pd.DataFrame({"tokens": tokens, "time_s": time, "kv_tokens": kv})


def test_two_regimes_are_recovered():
    found = fit(measured())
    assert isinstance(found.model, TwoRegime)
    np.testing.assert_allclose(found.model, [0.0174, 6.2e-5, 0.022], rtol=1e-9)
    assert found.b0 == pytest.approx((0.022 - 0.0174) / 6.2e-5)
    assert found.r2 == pytest.approx(1.0)
    assert found.max_error < 1e-9
    assert found.rows == 55  # those of 100 tokens lie between the regimes
    assert found.notes == ()


def test_the_time_of_the_cache_is_recovered():
    found = fit(measured(k_kv=3.7e-7), "two_regime_kv")
    assert isinstance(found.model, TwoRegimeKV)
    np.testing.assert_allclose(found.model, [0.0174, 6.2e-5, 0.022, 3.7e-7], rtol=1e-7)
    plain = fit(measured(k_kv=3.7e-7))
    assert plain.max_error > 0.15
    assert "above 15%" in plain.notes[0] and "kind=tabular" in plain.notes[0]


@pytest.mark.parametrize("kind", ["two_regime", "two_regime_kv"])
def test_noise_is_averaged_out(kind):
    found = fit(measured(noise=0.02), kind)
    np.testing.assert_allclose(found.model[:3], [0.0174, 6.2e-5, 0.022], rtol=0.1)
    assert 0.99 < found.r2 < 1.0
    assert 0.005 < found.mean_error < 0.03 < found.max_error < 0.15


def test_a_table_is_the_median_at_each_size():
    table = pd.DataFrame({"tokens": [8, 1, 8, 8], "time_s": [0.03, 0.01, 0.02, 0.9]})
    found = fit(table, "tabular")
    assert isinstance(found.model, Tabular)
    np.testing.assert_array_equal(found.model.tokens, [1, 8])
    np.testing.assert_array_equal(found.model.time_s, [0.01, 0.03])
    assert found.b0 is None and len(found.notes) == 1
    exact = fit(measured(), "tabular")
    assert exact.max_error == 0.0 and exact.r2 == 1.0


@pytest.mark.parametrize(
    ("measurements", "options", "message"),
    [
        (measured().drop(columns="time_s"), {}, "a column `time_s` for two_regime"),
        (measured().drop(columns="kv_tokens"), {"kind": "two_regime_kv"}, "`kv_tokens`"),
        (measured().assign(kv_tokens=7.0), {"kind": "two_regime_kv"}, "must vary apart"),
        (measured().assign(time_s=-1.0), {}, "`time_s` must be finite and positive, got -1 in row"),
        (measured()[:20], {}, "at different numbers of tokens"),
        (measured()[:5], {"kind": "tabular"}, "two numbers of tokens"),
        (measured(), {"kind": "cubic"}, "`kind` must be one of two_regime, two_regime_kv, tabular"),
        (measured(), {"solo_to": 300.0}, "positive and ascending"),
    ],
)
def test_what_cannot_be_fitted_is_refused(measurements, options, message):
    with pytest.raises(InputError, match=message):
        fit(measurements, **options)


def test_there_are_the_published_fits():
    assert len(FILES) == 9
    assert {read_published_fit(path).name for path in FILES} == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_published_fits_describe_their_tables(path):
    published = read_published_fit(path)
    hardware = published.hardware
    bend = (hardware.tau_solo - hardware.alpha) / hardware.beta
    assert bend == pytest.approx(published.b0, abs=1.0)
    assert published.iteration_time.b0 == bend
    if published.table is None:
        assert "2602.02987" in published.source
        return
    tokens, time_s = published.table
    on_the_line = (tokens >= 256) & (tokens <= 2048)
    line = hardware.alpha + hardware.beta * tokens
    errors = np.abs(line / time_s - 1.0)[on_the_line]
    assert published.max_error is not None
    assert errors.max() <= published.max_error + 0.001  # as printed
    assert time_s[tokens <= 64].min() <= hardware.tau_solo <= time_s[tokens <= 64].max()
    # a fit of the four printed sizes is near the published one of all of them
    ours = fit({"tokens": tokens, "time_s": time_s}, mixed_to=2048.0)
    assert isinstance(ours.model, TwoRegime)
    assert ours.model.beta == pytest.approx(hardware.beta, rel=0.1)
    assert ours.r2 > 0.98
