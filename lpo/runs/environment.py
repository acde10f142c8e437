"""What a run ran on: versions, device, platform and the commit of the code."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import lpo

PACKAGES = ("lpo", "jax", "jaxlib", "flax", "optax", "diffrax", "numpy", "pandas", "cvxpy")


def environment() -> dict[str, Any]:
    """Versions, device, platform and git commit, for `summary.json`."""
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": devices[0].device_kind,
        "devices": len(devices),
        "backend": jax.default_backend(),
        "git_commit": git_commit(Path(lpo.__path__[0]).parent),
        "versions": {package: version(package) for package in PACKAGES},
    }


def git_commit(checkout: Path) -> str | None:
    """Commit of `checkout`, with `-dirty` after it if tracked files differ from it.

    None when `checkout` is not the top of a git work tree (an installed package), has no commit, or
    git is not installed.
    """
    if not (checkout / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
