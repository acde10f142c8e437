"""The text of `--help`: experiments, what each group offers, every key with its default."""

from pathlib import Path

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from omegaconf import OmegaConf, open_dict

from lpo.runs.experiments import headline, list_experiments

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
    return TEMPLATE.format(
        command=command,
        headline=headline(conf / f"{command}.yaml"),
        experiments=_columns(list_experiments(conf, command), "  ") or "  none",
        groups="\n".join(
            f"  {group}\n{_columns(_options(conf, loader, group, chosen[group]), '    ')}"
            for group in sorted(chosen)
        )
        or "  none",
        keys="\n".join(f"  {line}" for line in OmegaConf.to_yaml(config).splitlines()),
        launchers=launchers,
    )


def _options(conf: Path, loader: ConfigLoader, group: str, chosen: str) -> dict[str, str]:
    """Headline of each option of a group; the default is marked."""
    texts = {}
    for option in sorted(loader.get_group_options(group)):
        path = conf / group / f"{option}.yaml"
        mark = "*" if option == chosen else ""
        texts[f"{option}{mark}"] = headline(path) if path.is_file() else ""
    return texts


def _columns(texts: dict[str, str], indent: str) -> str:
    width = max(map(len, texts), default=0)
    return "\n".join(f"{indent}{name:{width}}  {text}".rstrip() for name, text in texts.items())
