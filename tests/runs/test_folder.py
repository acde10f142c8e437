"""The run folder: schema of its files, equal bytes for equal numbers, whole files or none."""

import json
import stat
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from lpo.atomic import replacing
from lpo.runs import RunFolder, TrackingConfig


class Source(NamedTuple):
    path: str
    rows: int


def test_summary_is_json_without_nan_whatever_scalars_come(tmp_path):
    folder = RunFolder(tmp_path)
    folder.record(
        metrics={"a": jnp.float32(0.5), "b": np.int64(3), "c": np.nan, "d": float("inf")},
        data=[Source("trace.csv", 7)],
        status=Enum("Status", ["finished"]).finished,
    )
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "metrics": {"a": 0.5, "b": 3, "c": None, "d": None},
        "data": [{"path": "trace.csv", "rows": 7}],
        "status": "finished",
    }


def test_record_updates_mappings_and_replaces_the_rest(tmp_path):
    folder = RunFolder(tmp_path)
    folder.record(timings_s={"compile": 1.0, "train": 2.0}, data=[1], result="begun")
    folder.record(timings_s={"train": 3.0}, data=[2], result="done")
    assert folder.summary() == {
        "timings_s": {"compile": 1.0, "train": 3.0},
        "data": [2],
        "result": "done",
    }


def test_record_refuses_arrays(tmp_path):
    with pytest.raises(TypeError, match=r"scalars, got an array of shape \(2,\)"):
        RunFolder(tmp_path).record(metrics={"a": np.zeros(2)})


def test_equal_numbers_give_equal_bytes(tmp_path):
    third = 1 / 3
    table = pd.DataFrame({"method": ["mse", "dfl"], "cost": [third, np.nan], "n_windows": [3, 4]})
    noisy = table.assign(cost=[third * (1 + 1e-14), np.nan])
    first = RunFolder(tmp_path / "a").write_table("regret", table)
    second = RunFolder(tmp_path / "b").write_table("regret", noisy)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() == b"method,cost,n_windows\nmse,0.3333333333,3\ndfl,,4\n"


def test_metrics_come_back_as_written(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_metrics().empty
    rows = {"step": [0, 1], "stage": ["dfl", "dfl"], "name": ["loss", "loss"], "value": [0.1, 0.2]}
    folder.write_metrics(pd.DataFrame(rows))
    found = folder.read_metrics()
    assert list(found.columns) == ["step", "stage", "name", "value"]
    assert (found["step"].dtype, found["value"].dtype) == (np.int64, np.float64)
    assert found["value"].tolist() == [0.1, 0.2]
    extended = pd.concat([found, found.assign(step=[2, 3])], ignore_index=True)
    assert RunFolder(tmp_path).write_metrics(extended).is_file()
    assert len(folder.read_metrics()) == 4


def test_metrics_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must have the columns"):
        RunFolder(tmp_path).write_metrics(pd.DataFrame({"step": [0], "loss": [1.0]}))


def test_config_figure_and_text(tmp_path):
    folder = RunFolder(tmp_path / "new" / "run")
    folder.write_config({"tracking": TrackingConfig(), "seed": 1})
    config = OmegaConf.load(folder.config)
    assert config == {
        "tracking": {"mode": "offline", "project": "lpo", "name": None, "tags": []},
        "seed": 1,
    }
    picture = folder.write_figure("curves", Figure())
    assert picture == tmp_path / "new/run/figures/curves.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert folder.write_text("report.html", "<p>é").read_text(encoding="utf-8") == "<p>é"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def broken_write(target: Path) -> None:
        with replacing(target) as temporary:
            temporary.write_text("half of the new")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        broken_write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_have_the_usual_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    written = RunFolder(tmp_path).write_text("written", "")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
