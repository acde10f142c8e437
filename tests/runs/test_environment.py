"""What a summary says about the machine and the code."""

import subprocess
import sys

import jax

from lpo.runs import environment
from lpo.runs.environment import git_commit


def test_versions_and_device():
    found = environment()
    assert found["versions"]["jax"] == jax.__version__
    assert found["device"] == jax.devices()[0].device_kind
    assert found["devices"] == jax.device_count()


def test_a_command_without_jax_has_no_device(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax")
    found = environment()
    assert (found["device"], found["devices"], found["backend"]) == (None, 0, None)
    assert "jax" not in sys.modules


def test_commit_of_a_checkout_and_whether_it_was_changed(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    assert git_commit(tmp_path) is None
    git("init")
    assert git_commit(tmp_path) is None, "no commit yet"
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert git_commit(tmp_path) == f"{commit}-dirty"
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert git_commit(inside) is None, "an installed package inside somebody's repository"
