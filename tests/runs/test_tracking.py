"""W&B: offline in the run folder, silent, and one clear line when it cannot start."""

import sys

import pytest

from lpo.errors import InputError
from lpo.runs import TrackingConfig, TrackingMode, tracking


def test_disabled_does_not_import_wandb(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would raise
    with tracking(TrackingConfig(TrackingMode.disabled), tmp_path, {}, "toy") as log:
        log({"loss": 1.0}, 0)
    assert list(tmp_path.iterdir()) == []


def test_offline_run_is_in_the_folder_and_prints_nothing(tmp_path, capfd):
    with tracking(TrackingConfig(), tmp_path, {"seed": 1}, "toy") as log:
        log({"loss": 0.5}, 0)
        log({"loss": 0.25}, 1)
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    assert list(run.glob("*.wandb"))
    assert capfd.readouterr() == ("", "")


def test_online_without_an_account_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    online = TrackingConfig(TrackingMode.online)
    with (
        pytest.raises(InputError, match=r"^tracking.mode: online given, .*allowed: offline, .*$"),
        tracking(online, tmp_path, {}, "toy"),
    ):
        pass
