"""One line for every error in the configuration: the key, what was given, what is allowed."""

import re
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

TYPES = {"Integer": "an integer", "Float": "a number", "bool": "true or false", "String": "text"}
WRONG_TYPE = r"Value '(.*)' (?:of type '\w+' could not be converted to|is not a valid) (\w+)"


def explain(
    error: Exception, config_name: str, overrides: Sequence[Override], loader: ConfigLoader
) -> str:
    """`error` of Hydra or OmegaConf as one line.

    **Arguments:**

    - `config_name`: the primary config.
    - `overrides`: what the user gave, parsed; empty if that failed.
    - `loader`: tells groups from keys.
    """
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: not readable; allowed: key=value, group=option "
            "(quote values with special characters: 'key=\"value\"')"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        for item in overrides:  # an option may be a path
            if error.missing_cfg_file == f"{item.key_or_group}/{item.value()}":
                group, option = item.key_or_group, str(item.value())
        group = group.removeprefix(f"{config_name}/")
        own = _own_entry(group, config_name, loader)
        more = f"; or one of your own: {own}" if own else ""
        return f"{group}: '{option}' given; allowed: {', '.join(error.options)}{more}"
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) else error
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)) and cause.full_key:
        key = str(cause.full_key)
        known = _siblings(key, config_name, overrides, loader)
        names = getattr(cause.object_type, "__dataclass_fields__", ())  # of a record being added
        parent, _, name = key.rpartition(".")
        if not known and not names and _is_there(parent, config_name, overrides, loader):
            return f"{key}: not there yet; allowed: +{key}=..., {parent}={{{name}:...}}"
        own = _own_entry(key.rpartition(".")[0], config_name, loader, key.rpartition(".")[2])
        return _unknown(key, known or list(names)) + (f" or {own}" if own else "")
    if isinstance(cause, OmegaConfBaseException):
        return explain_value(cause)
    return _composition(str(error), config_name, overrides, loader)


def explain_value(error: OmegaConfBaseException) -> str:
    """One line for a value of the wrong type, a missing value, or a reference to nothing."""
    key = error.full_key or error.key
    text = _first_line(str(error))
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: not given; it has no default"
    if found := re.match(WRONG_TYPE, text):
        return f"{key}: '{found[1]}' given; allowed: {TYPES.get(found[2], found[2])}"
    if found := re.fullmatch(r"Invalid value '(.*)', expected one of \[(.*)\]", text):
        return f"{key}: '{found[1]}' given; allowed: {found[2]}"
    if re.match(r"Invalid value assigned: \w+ is not a ListConfig", text):
        return f"{key}: one value given; allowed: a list, {key}=[...]"
    if re.match(r"Invalid type assigned: dict is not a subclass of", text):
        return f"{key}: not there to be set in parts; allowed: all of it, +...{key}={{...}}"
    if text.endswith("is not Optional"):
        return f"{key}: null given; allowed: a value"
    return f"{key}: {text}" if key else text


def unknown_key(config: DictConfig, parent: str = "") -> str | None:
    """One line for the first key that `+key=value` has added to a typed node, or None."""
    kind = OmegaConf.get_type(config)
    known = list(getattr(kind, "__dataclass_fields__", map(str, config)))
    for key in map(str, config):
        if key not in known:
            return _unknown(f"{parent}{key}", known)
        if not OmegaConf.is_missing(config, key) and isinstance(config[key], DictConfig):
            line = unknown_key(config[key], f"{parent}{key}.")
            if line:
                return line
    return None


def _composition(
    text: str, config_name: str, overrides: Sequence[Override], loader: ConfigLoader
) -> str:
    """What Hydra says without a cause: overrides that fit neither a key nor a group."""
    if found := re.match(r"Could not override '([^']+)'", text):
        key = found[1].partition("@")[0]
        if loader.get_group_options(key):
            return f"{key}: no default to override; write +{key}=..."
        return _unknown(key, _siblings(key, config_name, overrides, loader))
    if found := re.match(r"Could not append to config. An item is already at '([^']+)'", text):
        return f"{found[1]}: has a value already; write {found[1]}=... without the +"
    if found := re.match(r"Ambiguous value for argument '([^=']+)=([^']*)'", text):
        return (
            f"{found[1]}: {found[2]} given; allowed: one value, a list {found[1]}=[{found[2]}], "
            "or several runs with -m"
        )
    return _first_line(text)


def _unknown(key: str, known: Sequence[str]) -> str:
    """`known`: the keys of the node in which `key` was looked for; a close match comes first."""
    parent, dot, name = key.rpartition(".")
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {parent}{dot}{close[0]}? " if close else ""
    return f"{key}: unknown key; {hint}allowed: {', '.join(parent + dot + item for item in known)}"


def _siblings(
    key: str, config_name: str, overrides: Sequence[Override], loader: ConfigLoader
) -> list[str]:
    """The keys beside an unknown `key`, under the groups and experiment that the user chose."""
    groups = [
        item.input_line
        for item in overrides
        if item.input_line and loader.get_group_options(item.key_or_group)
    ]
    try:
        config = compose(config_name, overrides=groups, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException):  # a second error: say what the defaults have
        config = compose(config_name, return_hydra_config=True)
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(config, parent) if parent else config
    names = [str(item) for item in node] if isinstance(node, DictConfig) else []
    return [name for name in names if parent or name != "hydra"]


def _is_there(
    key: str, config_name: str, overrides: Sequence[Override], loader: ConfigLoader
) -> bool:
    """Whether there is such a key: one that is null, say, or a mapping without entries."""
    return key.rpartition(".")[2] in _siblings(key, config_name, overrides, loader)


def _own_entry(
    group: str, config_name: str, loader: ConfigLoader, name: str = "mine"
) -> str | None:
    """How a record of one's own is added to a group of the command's that is a mapping of records;
    None for other groups and keys."""
    if not group.isidentifier() or not loader.get_group_options(f"{config_name}/{group}"):
        return None
    schema = OmegaConf.get_type(compose(config_name, return_hydra_config=True))
    record = ([None, *get_args(get_type_hints(schema).get(group))])[-1] if schema else None
    if not isinstance(record, type) or not is_dataclass(record):
        return None
    needed = [f"{item.name}:..." for item in fields(record) if _needed(item)]
    return f"'+{group}.{name}={{{','.join(needed)}}}'"


def _needed(item: Any) -> bool:
    return item.default == "???" or (item.default is MISSING and item.default_factory is MISSING)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
