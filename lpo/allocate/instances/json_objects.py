"""JSON objects in files, with every problem named by file and key."""

import json
from pathlib import Path
from typing import Any

from lpo.atomic import write_text
from lpo.errors import InputError


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises InputError, which names the file, when it does not, on a key that appears twice and on
    NaN and Infinity, which are not JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"{path}: key `{twice[0]}` appears more than once.")
        return dict(pairs)

    def not_finite(token: str) -> float:
        raise InputError(f"{path}: {token} is no number of JSON; an infinite limit is null.")

    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=once, parse_constant=not_finite)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno} is no JSON: {error.msg}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold one JSON object.")
    return content


def write_object(path: str | Path, content: dict[str, Any]) -> Path:
    """Write an object atomically, one line a key; floats read back bit for bit."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    return write_text(Path(path), "{\n" + ",\n".join(lines) + "\n}\n")


def refuse_unknown(given: dict[str, Any], known: set[str], path: str | Path) -> None:
    """Raise InputError on the first key that is not known: a misspelt one would go unnoticed."""
    unknown = [key for key in given if key not in known]
    if unknown:
        raise InputError(
            f"{path}: unknown key `{unknown[0]}`; there are {', '.join(sorted(known))}."
        )


def has_booleans(value: Any) -> bool:
    """Whether a value of JSON, or one in its lists, is true or false."""
    return isinstance(value, bool) or (isinstance(value, list) and any(map(has_booleans, value)))


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)
