"""Figures and the report: they show every method, set and metric, and the page loads nothing."""

import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy import stats

from lpo.runs import Picture, Report, ResultTable, RunFolder, figures, interactive, write_report
from lpo.runs.statistics import curves, mean_interval, wide_range

SETS = ["conv_2024_test", "code_2024", "bursts"]
METHODS = ["dro_diffusion", "dfl", "mse", "max7", "last"]


@pytest.fixture
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(m, s, seed) for m in METHODS for s in SETS for seed in range(3)]
    table = pd.DataFrame(rows, columns=["method", "test_set", "seed"])
    return table.assign(cost_per_token=0.15 + rng.random(len(rows)) / 5)


@pytest.fixture
def metrics() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        (step, stage, name, rng.random() + 10 / (step + 1))
        for stage in ("score", "dfl")
        for name in ("loss", "validation_loss")
        for step in range(0, 100, 10)
        for _ in range(3)
    ]
    return pd.DataFrame(rows, columns=["step", "stage", "name", "value"])


@pytest.fixture
def demand() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.gamma(4, 2e4, (n, 40)).astype(np.float32) for n in (60, 50, 40)]


def test_interval_is_students(scores):
    rows = scores[(scores["method"] == "dfl") & (scores["test_set"] == "bursts")]["cost_per_token"]
    found = mean_interval(scores, ["method", "test_set"], "cost_per_token")
    row = found.set_index(["method", "test_set"]).loc[("dfl", "bursts")]
    low, high = stats.t.interval(0.95, 2, loc=rows.mean(), scale=stats.sem(rows))
    assert [row["mean"] - row["half"], row["mean"] + row["half"]] == pytest.approx([low, high])


def test_one_seed_has_no_interval(scores):
    found = mean_interval(scores[scores["seed"] == 0], ["method", "test_set"], "cost_per_token")
    assert found["half"].tolist() == [0] * len(found)


def test_curves_reduce_seeds(metrics):
    score, dfl = curves(metrics, "loss")
    assert (score.stage, dfl.stage) == ("score", "dfl")
    assert score.step.tolist() == list(range(0, 100, 10))
    at_zero = metrics.query("name == 'loss' and stage == 'score' and step == 0")["value"]
    assert (score.low[0], score.median[0], score.high[0]) == (
        at_zero.min(),
        at_zero.median(),
        at_zero.max(),
    )


def test_long_curves_take_neighbouring_steps_together():
    steps = np.arange(12_000)
    metrics = pd.DataFrame({"step": steps, "stage": "score", "name": "loss", "value": steps % 40})
    (curve,) = curves(metrics, "loss")
    assert curve.step.tolist() == list(range(0, 12_000, 40))
    assert {*curve.median, *curve.low, *curve.high} == {19.5, 0.0, 39.0}


@pytest.mark.parametrize(
    ("values", "wide"), [([1, 100], True), ([1, 2], False), ([0, 100], False), ([np.nan], False)]
)
def test_log_axis_only_where_it_serves(values, wide):
    assert wide_range(np.asarray(values, float)) is wide


def test_static_figures_show_everything(scores, metrics, demand, tmp_path):
    curves_figure = figures.training_curves(metrics)
    assert [panel.get_title() for panel in curves_figure.axes] == ["loss", "validation loss"]
    legend = [text.get_text() for text in curves_figure.legends[0].get_texts()]
    assert legend == ["score", "dfl"]
    windows_figure = figures.windows(*demand, bin_s=60)
    assert [panel.get_title() for panel in windows_figure.axes] == [
        "real (60 windows)",
        "sampled (50 windows)",
        "worst case (40 windows)",
    ]
    assert windows_figure.axes[0].get_ylabel() == "demand, tokens per 60 s"
    assert windows_figure.axes[0].get_xlabel().endswith("minutes")
    dots = figures.score_by_set(scores, "cost_per_token", "cost", baselines=["max7", "last"])
    assert [text.get_text() for text in dots.axes[0].get_yticklabels()] == SETS
    assert {text.get_text() for text in dots.legends[0].get_texts()} == set(METHODS)
    folder = RunFolder(tmp_path)
    for name, figure in {"c": curves_figure, "w": windows_figure, "d": dots}.items():
        assert folder.write_figure(name, figure).stat().st_size > 10_000


def make_report(scores, metrics, demand) -> Report:
    score = {"score": "cost_per_token", "label": "cost per demanded token"}
    return Report(
        "Worst-case <training>",
        "One seed on the built-in workload.",
        [ResultTable("Cost & regret", "By method.", scores.head(4))],
        [
            Picture(
                "Cost by test set",
                "Dots are means over seeds.",
                figures.score_by_set(scores, **score),
                partial(interactive.score_by_set, scores, **score),
            ),
            Picture(
                "Windows",
                "Demand.",
                figures.windows(*demand, bin_s=60),
                partial(interactive.windows, *demand, bin_s=60),
            ),
            Picture(
                "Training",
                "Losses.",
                figures.training_curves(metrics),
                partial(interactive.training_curves, metrics),
            ),
        ],
    )


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path)
    folder.write_config({"seed": 3, "note": "<script>"})
    folder.record(
        command="train",
        experiment="dro_diffusion",
        seed=3,
        timings_s={"compile": 12.5},
        environment={"device": "cpu", "versions": {"jax": "0.10.2"}},
        data=[{"path": "trace.csv", "sha256": "ab", "rows": 5}],
    )
    return folder


def loads(page: BeautifulSoup) -> list[str]:
    """Every address that a browser would fetch."""
    tags = page.find_all(True)
    found = [tag[name] for tag in tags for name in ("src", "data", "srcset") if name in tag.attrs]
    found += [tag["href"] for tag in page.find_all("link")]
    return [str(address) for address in found if not str(address).startswith("data:")]


def check_page(page: BeautifulSoup) -> None:
    assert loads(page) == []
    assert page.title is not None
    assert page.title.text == "Worst-case <training>"
    headings = [heading.text for heading in page.find_all("h2")]
    assert headings[:4] == ["Cost & regret", "Cost by test set", "Windows", "Training"]
    assert "note: <script>" in page.find("pre").text  # pyright: ignore
    text = page.get_text()
    for part in ("dro_diffusion", "12.5 s", "0.10.2", "trace.csv", "cost_per_token"):
        assert part in text


def test_report_is_one_interactive_page_that_loads_nothing(folder, scores, metrics, demand):
    path = write_report(folder, make_report(scores, metrics, demand))
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    check_page(page)
    assert len(page.find_all("script", string=lambda text: bool(text and len(text) > 1e6))) == 1
    assert len(page.find_all(class_="plotly-graph-div")) == 3


def test_without_plotly_the_report_has_static_pictures(
    folder, scores, metrics, demand, monkeypatch
):
    report = make_report(scores, metrics, demand)
    for name in ("plotly.io", "plotly.offline"):
        monkeypatch.setitem(sys.modules, name, None)
    page = BeautifulSoup(write_report(folder, report).read_text(encoding="utf-8"), "html.parser")
    check_page(page)
    assert len(page.find_all("img")) == 3
    assert not page.find_all("script")
    assert "pip install lpo[report]" in page.get_text()
