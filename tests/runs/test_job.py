"""The common end of jobs."""

import threading

import pandas as pd
import pytest

from lpo.runs import CommandConfig, Findings, ResultTable, RunFolder, TrackingMode, carry_out
from lpo.runs.job import conclude


@pytest.fixture
def config():
    cfg = CommandConfig(command="toy")
    cfg.tracking.mode = TrackingMode.disabled
    return cfg


@pytest.fixture
def folder(tmp_path, config):
    found = RunFolder(tmp_path)
    found.write_config(config)
    found.record(command="toy", timings_s={"reading": 1.0})
    return found


def find() -> Findings:
    assert threading.current_thread() is not threading.main_thread(), "signals are heard"
    table = ResultTable("Areas", "", pd.DataFrame({"area": [4.0]}))
    return Findings("found", {"area": 4.0, "none": None}, {"areas": table}, {}, [], ["a note"])


def test_what_was_found_is_written_tracked_and_returned(config, folder, capsys):
    logged = []
    parts = conclude(
        config,
        folder,
        "squares",
        find,
        lambda metrics, step: logged.append((dict(metrics), step)),
        timing="measuring",
        step=7,
    )
    assert parts == {"result": "found", "metrics": {"area": 4.0, "none": None}}
    assert logged == [({"area": 4.0}, 7)]
    summary = folder.summary()
    assert list(summary["timings_s"]) == ["reading", "measuring", "writing"]
    assert summary["environment"]["versions"]
    assert (folder.path / "tables" / "areas.csv").read_text() == "area\n4\n"
    page = (folder.path / "report.html").read_text()
    assert "<h1>lpo toy: squares</h1>" in page and "measuring" in page
    assert "note: a note" in capsys.readouterr().out
    assert carry_out(config, folder, "squares", find, timing="measuring") == parts


def test_nothing_is_written_where_nothing_is_found(config, folder):
    def fail() -> Findings:
        raise FloatingPointError("a number is not finite")

    with pytest.raises(FloatingPointError):
        carry_out(config, folder, "squares", fail, timing="measuring")
    assert list(folder.summary()["timings_s"]) == ["reading"]
    assert not (folder.path / "report.html").exists()
