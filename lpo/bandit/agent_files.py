"""Agents in files: NumPy arrays beside JSON, without pickle. docs/bandit_agent.md, "Files"."""

import hashlib
import json
import zipfile
import zlib
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.atomic import replacing
from lpo.bandit.assumptions import Assumptions
from lpo.bandit.policy import Claim, OfflineNoise, Policy, Pooling, Rule, Settings, Widths
from lpo.errors import InputError

FORMAT = "lpo.bandit.agent/2"
_OPTIONS = "options"
_DIGEST = 64  # hexadecimal digits of a SHA-256
_ENUMS: dict[str, type[StrEnum]] = {
    "rule": Rule,
    "pooling": Pooling,
    "widths": Widths,
    "claim": Claim,
    "offline_noise": OfflineNoise,
}


_UNREADABLE = (
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,  # NotImplementedError is one: of a ZIP that needs more than Python's can do
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy, zipfile and json raise on what is no agent."""


class Options(NamedTuple):
    """All of an agent but its state. parts: of the certificate. decisions, rewards: so far."""

    policy: Policy
    settings: Settings
    assumptions: Assumptions
    arms: int
    dimension: int
    blocks: int
    seed: int
    parts: int
    decisions: int
    rewards: int


class Saved(NamedTuple):
    """options, and the leaves of a state by their names."""

    options: Options
    leaves: dict[str, np.ndarray]


def write_agent(path: Path, options: Options, state: Any) -> Path:
    """Write an agent atomically: a ZIP of NumPy arrays (`.npz`), one a leaf of the state, and one
    text, JSON, `sealed`."""
    records = {name: value._asdict() for name, value in options._asdict().items() if _record(value)}
    given = {"format": FORMAT, **options._asdict(), **records}
    text = json.dumps(given, default=lambda number: number.item())  # NumPy's
    leaves = {name: np.asarray(leaf) for name, leaf in _named(state)}
    archive = BytesIO()
    np.savez(archive, allow_pickle=False, **{_OPTIONS: np.array(text)}, **leaves)
    with replacing(path) as temporary:
        temporary.write_bytes(sealed(archive.getvalue()))
    return path


def sealed(archive: bytes) -> bytes:
    """Return a ZIP whose comment, the last bytes of the file, is the SHA-256 of all before it."""
    file = BytesIO(archive)
    with zipfile.ZipFile(file, "a") as opened:
        opened.comment = b"0" * _DIGEST
    whole = file.getvalue()[:-_DIGEST]
    return whole + _digest(whole)


def read_agent(path: Path) -> Saved:
    """Read what `write_agent` wrote.

    Raises InputError, one line, on a file that is missing, damaged or of another kind or version,
    and on options that no agent has.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    if whole[-_DIGEST:] != _digest(whole[:-_DIGEST]):
        raise InputError(
            f"{path}: is damaged, or no agent of the format {FORMAT}: it does not end with the "
            "SHA-256 of what is in it."
        )
    try:
        with np.load(BytesIO(whole), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        options = json.loads(str(arrays.pop(_OPTIONS)))
    except KeyError:
        raise InputError(f"{path}: is no agent: it has no `{_OPTIONS}`.") from None
    except _UNREADABLE:
        raise InputError(f"{path}: is no agent: not a ZIP of arrays and JSON.") from None
    found = options.pop("format", None) if isinstance(options, dict) else None
    if found != FORMAT:
        raise InputError(f"{path}: must have the format {FORMAT}, got {found}.")
    return Saved(_options(path, options), arrays)


def _digest(whole: bytes) -> bytes:
    return hashlib.sha256(whole).hexdigest().encode()


def restored(path: Path, saved: Saved, like: Any) -> Any:
    """Return the state of a file. like: shapes of such an agent's state.

    Raises InputError on leaves that are missing, or of other shapes or precision, and on numbers
    that are not finite.
    """
    named = _named(like)
    if set(saved.leaves) != {name for name, _ in named}:
        strange = sorted(set(saved.leaves) ^ {name for name, _ in named})[0]
        raise InputError(f"{path}: `{strange}` is missing, or there too much.")
    for name, leaf in named:
        array = saved.leaves[name]
        if array.dtype != leaf.dtype or array.shape != leaf.shape:
            raise InputError(
                f"{path}: `{name}` must be {leaf.dtype} {list(leaf.shape)}, got {array.dtype} "
                f"{list(array.shape)} (precision is that of JAX_ENABLE_X64)."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{path}: `{name}` has numbers that are not finite.")
    leaves = [jnp.asarray(saved.leaves[name]) for name, _ in named]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named(state: Any) -> list[tuple[str, Any]]:
    """Leaves and their names, such as online.inverse."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def _options(path: Path, given: dict[str, Any]) -> Options:
    records = {"policy": Policy, "settings": Settings, "assumptions": Assumptions}
    made: dict[str, Any] = {}
    try:
        for name in Options._fields:
            value = given.pop(name)
            made[name] = _made(records[name], value) if name in records else _number(value, int)
        if given:
            raise ValueError(f"{sorted(given)[0]} is not known")
        return Options(**made)
    except KeyError as error:
        raise InputError(f"{path}: the options have no {error}.") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: options: {error}.") from None


def _made(record: Any, given: dict[str, Any]) -> Any:
    """A record of JSON values; each has the kind of its default."""
    if set(given) != set(record._fields):
        strange = sorted(set(given) ^ set(record._fields))[0]
        raise ValueError(f"{strange} is missing or not known")
    kinds = {name: type(value) for name, value in record._field_defaults.items()}
    return record(
        **{
            name: _ENUMS[name](value) if name in _ENUMS else _number(value, kinds[name])
            for name, value in given.items()
        }
    )


def _number(value: Any, kind: type) -> Any:
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return kind(value)


def _record(value: Any) -> bool:
    return hasattr(value, "_asdict")
