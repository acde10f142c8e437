"""Where the configuration lives, and which command an experiment file belongs to."""

from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

import lpo
from lpo.errors import InputError


def find_conf() -> Path:
    """The folder of the configuration: `conf/` of the checkout, else `lpo/conf` of the package."""
    package = Path(lpo.__path__[0])
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "conf").is_dir():
        return checkout / "conf"
    return package / "conf"


def headline(path: Path) -> str:
    """The first comment line of a YAML file (not its `@package` line): what it is for."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if line.startswith("#") and text and not text.startswith("@"):
            return text
        if line and not line.startswith("#"):
            break
    return ""


def list_experiments(conf: Path, command: str) -> dict[str, str]:
    """Name and headline of the experiments of one command, by name."""
    return {
        path.stem: headline(path)
        for path in sorted((conf / "experiment").glob("*.yaml"))
        if _owner(path) == command
    }


def chosen_experiments(overrides: list[Override]) -> list[str]:
    """The names in `+experiment=...`: one, several in a sweep, none when it is not given."""
    for override in overrides:
        if override.key_or_group == "experiment":
            if override.is_sweep_override():
                return [str(name) for name in override.sweep_string_iterator()]
            value = override.value()
            return [str(name) for name in (value if isinstance(value, list) else [value])]
    return []


def check_experiments(conf: Path, command: str, names: list[str]) -> None:
    """Refuse an experiment of another command, before its keys meet this command's schema.

    **Raises:** `InputError` that names the right command, or the experiments there are.
    """
    for name in names:
        path = conf / "experiment" / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(list_experiments(conf, command)) or "none in this installation"
            raise InputError(f"experiment: '{name}' given; allowed: {known}")
        owner = _owner(path)
        if owner != command:
            raise InputError(
                f"experiment: '{name}' belongs to another command; "
                f"run python -m lpo.{owner} +experiment={name}"
            )


def _owner(path: Path) -> str:
    experiment = OmegaConf.load(path)
    owner = experiment.get("command") if isinstance(experiment, DictConfig) else None
    if not owner:
        raise InputError(f"experiment: {path.name} lacks the line `command: <name of its command>`")
    return str(owner)
