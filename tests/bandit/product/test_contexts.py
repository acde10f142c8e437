"""Requests as contexts: made up, real, cut in time."""

from typing import Any

import numpy as np
import pytest

from lpo.bandit.product import azure_periods, contexts_of, linear_fit, make_product, read_periods
from lpo.bandit.product.contexts import CODE, LOAD, OUTPUT, PRICE, PROMPT
from lpo.errors import InputError
from lpo.serve.replay.trace import Trace
from tests.bandit.product.routing import periods


def trace(seed: int, count: int = 600, duration_s: float = 300.0) -> Trace:
    rng = np.random.default_rng(seed)
    time_s = np.sort(rng.uniform(0.0, duration_s, count))
    prompt, decode = (rng.integers(low, high, count) for low, high in ((100, 4000), (5, 500)))
    return Trace(time_s, prompt, decode, duration_s)


def test_log_is_before_rounds_and_knows_nothing_of_them():
    one = periods()
    assert one.log.time_s.max() < one.rounds.time_s.min()
    assert (np.diff(one.log.time_s) >= 0).all() and (np.diff(one.rounds.time_s) >= 0).all()
    traces = trace(1), trace(2)
    before = contexts_of(*traces)
    late = before.rounds.time_s[0]
    changed = [
        each._replace(
            prompt=np.where(each.time_s >= late, 1, each.prompt),
            decode=np.where(each.time_s >= late, 9999, each.decode),
        )
        for each in traces
    ]
    after = contexts_of(*changed)
    for one, two in zip(before.log, after.log, strict=True):
        np.testing.assert_array_equal(one, two)
    # predictions do not see what they predict
    assert after.rounds.values[:, OUTPUT].max() <= before.log.values[:, OUTPUT].max()


def test_columns_are_those_of_the_trace():
    conversation, code = trace(1), trace(2)
    found = contexts_of(conversation, code, window_s=30.0)
    every = np.concatenate([found.log.values, found.rounds.values])
    time_s = np.concatenate([found.log.time_s, found.rounds.time_s])
    both = np.sort(np.concatenate([conversation.time_s, code.time_s]))
    np.testing.assert_array_equal(time_s, both[both >= 30.0])
    for task, each in ((0, conversation), (1, code)):
        late = each.time_s >= 30.0
        own = every[:, CODE] == task
        np.testing.assert_array_equal(every[own, PROMPT], each.prompt[late])
        written = np.concatenate([p.expected * p.ratio for p in found[:2]])[own]
        np.testing.assert_allclose(written, each.decode[late])
    for i in (0, 17, 500):
        count = ((both >= time_s[i] - 30.0) & (both < time_s[i])).sum()
        assert every[i, LOAD] == pytest.approx(count / 30.0 / found.rate)
    assert found.log.values[:, LOAD].mean() == pytest.approx(1.0, abs=0.1)
    # the log's predictions are its means: of a task, and of a quarter of its prompts
    log = found.log
    for task in (0, 1):
        own = log.values[:, CODE] == task
        assert log.values[own, OUTPUT].mean() == pytest.approx(
            (log.expected * log.ratio)[own].mean()
        )
        assert len(np.unique(log.values[own, OUTPUT])) == 4
    for part in found[:2]:
        assert part.ratio.mean() == pytest.approx(1.0)
    assert every[:, PRICE].std() > 0.0


def test_the_same_seed_gives_the_same_requests():
    one, two, other = (contexts_of(trace(1), trace(2), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.log.values, two.log.values)
    assert (one.log.values != other.log.values).any()
    flat = contexts_of(trace(1), trace(2), price_spread=0.0)
    np.testing.assert_array_equal(flat.log.values[:, PRICE], 1.0)


def test_made_up_requests_are_like_the_azure_traces():
    values = periods().log.values
    conversation, code = values[values[:, CODE] == 0], values[values[:, CODE] == 1]
    assert conversation[:, PROMPT].mean() == pytest.approx(1155, rel=0.15)
    assert code[:, PROMPT].mean() == pytest.approx(2048, rel=0.15)
    assert conversation[:, OUTPUT].mean() == pytest.approx(211, rel=0.15)
    assert code[:, OUTPUT].mean() == pytest.approx(28, rel=0.2)


def test_refuses():
    wrong: Any = (
        ({"log_share": 1.0}, "`log_share` must be between 0 and 1, got 1.0"),
        ({"window_s": 0.0}, "`window_s` must be positive"),
        ({"price_spread": 2.0}, "`price_spread` must be from 0 to 1"),
        ({"window_s": 400.0}, "the log must have requests of both tasks"),
    )
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            contexts_of(trace(1), trace(2), **options)


def test_files(tmp_path):
    path = tmp_path / "conv.csv"
    lines = [f"{i},{100 + i % 7},{10 + i % 5}" for i in range(400)]
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    found = read_periods(path, path)
    assert len(found.log.time_s) + len(found.rounds.time_s) == 2 * 340
    empty = tmp_path / "zero.csv"
    empty.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,5,0\n1,5,1")
    with pytest.raises(InputError, match=r"zero\.csv: Request 0 reads 5 and generates 0"):
        read_periods(path, empty)
    with pytest.raises(InputError, match=r"azure_llm_2023_conv\.csv: no such file"):
        azure_periods(tmp_path)


def test_azure(azure_root):
    found = azure_periods(azure_root)
    assert len(found.log.time_s) + len(found.rounds.time_s) == 27931
    fit = linear_fit(make_product(found))
    assert fit.explained.min() > 0.999 and fit.residual < 0.02
