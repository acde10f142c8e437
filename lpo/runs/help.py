"""The text of `--help`: experiments, what each group offers, every key with default and words."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra import compose
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict

from lpo.runs.experiments import headline, list_experiments
from lpo.runs.own_groups import folder_of, shown_group

COMMENTED = re.compile(r"( *)(\w+):(?: .*?)?(?: +# (.*))?")
SHARED = {  # words of the keys of every command
    "command": "what this configuration is for",
    "seed": "of everything random",
    "resume": "continue the run in hydra.run.dir",
    "tracking.mode": "Weights & Biases: offline, online, disabled",
    "tracking.project": "of the tracked run",
    "tracking.name": "of the tracked run; null: the folder's",
    "tracking.tags": "of the tracked run",
}
WORDS_FROM = 34  # column of the words behind keys, where the key and its default leave room

TEMPLATE = """{headline}

usage: python -m lpo.{command} [+experiment=NAME] [GROUP=OPTION ...] [KEY=VALUE ...] [-m]

Experiments (+experiment=NAME)
{experiments}

Groups (GROUP=OPTION; * is the default)
{groups}

Keys and their defaults (KEY=VALUE, for example seed=1)
{keys}

Runs
  hydra.run.dir=PATH               the run folder; default runs/{command}/<experiment>-<date>_<time>
  resume=true hydra.run.dir=PATH   continue a run that was interrupted
  -m KEY=A,B,C                     one run a value; hydra/launcher={launchers}
  hydra.sweep.dir=PATH             with -m, in place of hydra.run.dir: the folder of all runs
  --cfg job                        print the configuration and stop

Exit codes: 0 done, 1 failed, 2 bad input, 3 infeasible, 130 interrupted.
"""


def help_text(command: str, conf: Path, loader: ConfigLoader) -> str:
    """The help of one command, from the files in `conf`."""
    config = compose(command, return_hydra_config=True)
    chosen = {
        group: option
        for group, option in config.hydra.runtime.choices.items()
        if not group.startswith("hydra/")
    }
    launchers = "|".join(loader.get_group_options("hydra/launcher"))
    with open_dict(config):
        del config["hydra"]
    words = dict(SHARED)
    for group, option in chosen.items():
        words |= _words(conf / folder_of(group) / f"{option}.yaml", f"{shown_group(group)}.")
    words |= _words(conf / f"{command}.yaml")
    return TEMPLATE.format(
        command=command,
        headline=headline(conf / f"{command}.yaml"),
        experiments=_columns(list_experiments(conf, command), "  ") or "  none",
        groups="\n".join(
            f"  {shown_group(group)}\n{_columns(_options(conf, loader, group, option), '    ')}"
            for group, option in sorted(chosen.items(), key=lambda each: shown_group(each[0]))
        )
        or "  none",
        keys="\n".join(_keys(_plain(config), words)),
        launchers=launchers,
    )


def _plain(config: DictConfig) -> dict[str, Any]:
    """The configuration as dicts, values as they are written: references are not followed."""
    plain = OmegaConf.to_container(config, enum_to_str=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _options(conf: Path, loader: ConfigLoader, group: str, chosen: str) -> dict[str, str]:
    """Headline of each option of a group; the default is marked."""
    texts, folder = {}, folder_of(group)
    for option in sorted(loader.get_group_options(folder)):
        path = conf / folder / f"{option}.yaml"
        mark = "*" if option == chosen else ""
        texts[f"{option}{mark}"] = headline(path) if path.is_file() else ""
    return texts


def _columns(texts: dict[str, str], indent: str) -> str:
    width = max(map(len, texts), default=0)
    return "\n".join(f"{indent}{name:{width}}  {text}".rstrip() for name, text in texts.items())


def _words(path: Path, parent: str = "") -> dict[str, str]:
    """The comment behind each key of a YAML file, by `parent` and the key's full name."""
    if not path.is_file():
        return {}
    words, above = {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = COMMENTED.fullmatch(line)
        if found:
            depth = len(found[1]) // 2
            above = [*above[:depth], found[2]]
            if found[3]:
                words[parent + ".".join(above)] = found[3]
    return words


def _keys(
    config: Mapping[str, Any], words: Mapping[str, str], parent: str = "", indent: str = "  "
) -> Iterator[str]:
    """`key: value` of every key, nested as in YAML, each with its words behind it."""
    for key, value in config.items():
        if value and isinstance(value, dict):
            yield _commented(f"{indent}{key}:", words.get(parent + key))
            yield from _keys(value, words, f"{parent}{key}.", indent + "  ")
        else:
            flow = yaml.safe_dump(value, default_flow_style=True, width=math.inf)
            text = flow.removesuffix("\n").removesuffix("\n...")
            yield _commented(f"{indent}{key}: {text}", words.get(parent + key))


def _commented(line: str, words: str | None) -> str:
    return f"{line:{WORDS_FROM}}  # {words}" if words else line
