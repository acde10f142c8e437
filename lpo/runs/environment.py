"""What a run ran on: versions, device, platform and the commit of the code."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lpo

PACKAGES = (
    *("lpo", "jax", "jaxlib", "flax", "optax", "diffrax", "numpy", "pandas", "cvxpy"),
    *("highspy", "gurobipy"),
)


def environment() -> dict[str, Any]:
    """Versions, device, platform and git commit, for `summary.json`.

    The device is JAX's; null in a command that has not imported JAX, which would take a second,
    and a GPU for itself.
    """
    jax = sys.modules.get("jax")
    devices = [] if jax is None else jax.devices()
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": devices[0].device_kind if devices else None,
        "devices": len(devices),
        "backend": None if jax is None else jax.default_backend(),
        "git_commit": git_commit(Path(lpo.__path__[0]).parent),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # a solver that somebody does without
        return None


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
