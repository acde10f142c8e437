"""A user's YAML file of keys and values, with every problem of form named by file."""

from pathlib import Path
from typing import Any

import yaml

from lpo.errors import InputError


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read the keys and values of a YAML file.

    Raises InputError for a file that is missing or unreadable, that is no YAML, or that holds
    something else.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: is no YAML: {problem}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold keys and values.")
    return content
