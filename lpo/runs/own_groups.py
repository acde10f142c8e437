"""Config groups of one command: folders of conf/<command>, chosen by their own name.

`conf/serve/instance` is a group of `lpo.serve` alone, so that another command may have a key
`instance` that is none. Its primary config lists `serve/instance@instance` in its defaults; users
write `instance=...`.
"""

from collections.abc import Sequence
from pathlib import Path


def with_own_groups(conf: Path, command: str, overrides: Sequence[str]) -> list[str]:
    """Return the overrides with the command's own groups as Hydra calls them.

    `+scenario.mine={...}` becomes `+scenario={mine:{...}}`: into a typed mapping OmegaConf merges a
    whole record where it refuses to assign one (2.3).
    """
    return [_named(conf, command, each) for each in overrides]


def shown_group(group: str) -> str:
    """Return a group of Hydra's by the name that users write."""
    return group.rpartition("@")[2]


def folder_of(group: str) -> str:
    """Return the folder of a group of Hydra's, below conf."""
    return group.partition("@")[0]


def _named(conf: Path, command: str, override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return override
    if key.isidentifier() and (conf / command / key).is_dir():
        return f"{command}/{key}@{key}={value}"
    if not key.startswith("+") or not value.startswith("{"):
        return override
    group, _, entry = key.lstrip("+").partition(".")
    if not entry or "." in entry or not group.isidentifier():
        return override
    if not (conf / command / group).is_dir():
        return override
    return f"+{group}={{{entry}:{value}}}"
