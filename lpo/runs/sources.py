"""Files that a run has read, for `data` of `summary.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lpo.checksum import sha256_of


def source_of(path: str | Path, **parts: Any) -> dict[str, Any]:
    """Return path and SHA-256 of a file, and what else is to be said of it."""
    return {"path": str(path), "sha256": sha256_of(path), **parts}


def has_changed(source: Mapping[str, Any]) -> bool:
    """Return whether a file is there and is another than the one that was read."""
    path, known = source.get("path"), source.get("sha256")
    if not path or not known or not Path(path).is_file():
        return False
    return sha256_of(path) != known
