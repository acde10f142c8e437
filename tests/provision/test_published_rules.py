"""Rules on the Azure traces against published figures, each pair of inputs and target once."""

import numpy as np
import pytest

from lpo.forecast import fit_rules
from lpo.provision import CODE, newsvendor, score, utility


def read_bins(path):
    return np.loadtxt(path, skiprows=1)


def read_requests(path):
    """Context tokens a 5 s bin, empty bins zero, bins aligned to multiples of 5 s."""
    times = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0, dtype="datetime64[us]")
    tokens = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    bins = (times - times[0].astype("datetime64[D]")).astype(float) // 5e6
    return np.bincount((bins - bins[0]).astype(int), weights=tokens)


def pairs(tokens, context, lead):
    """Every origin with a full context and a target: [n, 1, context] and [n, 1]."""
    rows = np.lib.stride_tricks.sliding_window_view(tokens, context + lead)[:, None]
    return rows[..., :context], rows[..., -1]


def minutes(tokens):
    return tokens[: len(tokens) // 12 * 12].reshape(-1, 12).sum(-1)


@pytest.fixture(scope="module")
def azure(azure_root):
    conv = read_bins(azure_root / "azure_llm_2024_conv_5s.csv")
    return {
        "conv_train": conv[: int(0.6 * len(conv))],
        "conv": conv[int(0.8 * len(conv)) :],
        "code": read_bins(azure_root / "azure_llm_2024_code_5s.csv"),
        "conv_2023": read_requests(azure_root / "azure_llm_2023_conv.csv"),
        "code_2023": read_requests(azure_root / "azure_llm_2023_code.csv"),
    }


@pytest.mark.parametrize(
    ("series", "mean7", "last"),
    [
        ("conv", "0.0045", "0.0054"),
        ("code", "0.0191", "0.0228"),
        ("conv_2023", "0.0293", "0.0493"),
        ("code_2023", "0.489", "0.360"),
    ],
)
def test_regret_five_seconds_ahead_is_the_published_one(azure, series, mean7, last):
    history, target = pairs(azure[series], context=7, lead=1)
    for forecast, published in ((history.mean(-1), mean7), (history[..., -1], last)):
        digits = len(published) - 2
        found = score(utility(CODE), forecast, target).nr_pooled
        assert found is not None
        assert f"{found:.{digits}f}" == published


def test_cost_ten_minutes_ahead_is_the_published_one_at_the_published_factors(azure):
    for series, by_max, by_mean in (("conv", "0.149", "0.155"), ("code", "0.352", "0.413")):
        history, target = pairs(minutes(azure[series]), context=7, lead=10)
        for forecast, published in (
            (1.03 * history.max(-1), by_max),
            (1.11 * history.mean(-1), by_mean),
        ):
            found = score(newsvendor(), forecast, target).cost_per_token
            assert f"{found:.3f}" == published


def test_tuned_factors_round_to_the_published_ones_and_are_better_on_the_training_part(azure):
    # Published with factors of two decimals; tuned exactly and at a context of 30, the costs on
    # the test series differ from the published ones by up to 1.2 % (0.408 for 0.413).
    task = newsvendor()
    history, target = pairs(minutes(azure["conv_train"]), context=30, lead=10)
    rules = fit_rules(history, target, cost=task.cost, decide=task.decide)
    predict = {rule.name: rule.predict for rule in rules}

    for tuned, plain, factor, own, shifted in (
        ("max7_tuned", "max7", 1.03, 0.149, 0.352),
        ("mean7_tuned", "mean7", 1.11, 0.155, 0.413),
    ):
        forecast, base = predict[tuned](history, target), predict[plain](history, target)
        np.testing.assert_allclose(forecast / base, factor, atol=0.005)
        exact, rounded = (score(task, f, target).cost for f in (forecast, factor * base))
        assert exact <= rounded
        for series, published in (("conv", own), ("code", shifted)):
            test_history, test_target = pairs(minutes(azure[series]), context=30, lead=10)
            result = score(task, predict[tuned](test_history, test_target), test_target)
            assert result.cost_per_token == pytest.approx(published, rel=0.015)
