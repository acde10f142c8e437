"""Whether a run may use its folder: a new run wants an empty one, a resumed run its own."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from lpo.errors import InputError
from lpo.runs.folder import RunFolder
from lpo.runs.schema import CommandConfig
from lpo.runs.sources import has_changed

FREE = ("resume", "tracking")  # may differ between a run and its continuation


def prepare(folder: RunFolder, config: CommandConfig, *, sweep: bool = False) -> bool:
    """Write `config.yaml` of a new run, or check that of a resumed one.

    Returns whether the run in the folder has already finished, so that nothing is left to do. In a
    resumed sweep, jobs that had not begun start anew.

    **Raises:** `InputError` when a new run's folder is not empty, or when a resumed run's folder
    holds no run, one with another configuration, or one that has read a file which has changed
    since (`data` of `summary.json`).
    """
    key = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    started = folder.config.is_file()
    empty = not folder.path.is_dir() or not any(folder.path.iterdir())
    if config.resume and not started and not (sweep and empty):
        raise InputError(
            f"resume: true given, but {folder.path} holds no run (no config.yaml); "
            f"allowed: true with {key}=<folder of an earlier run>"
        )
    if not config.resume and not empty:
        raise InputError(
            f"{key}: {folder.path} is not empty; "
            "allowed: a new or empty folder, or resume=true to continue its run"
        )
    if not started:
        folder.write_config(config)
        return False
    _refuse_other_config(folder, config)
    _refuse_other_data(folder)
    return folder.summary().get("status") == "finished"


def _refuse_other_config(folder: RunFolder, config: CommandConfig) -> None:
    old = _flat(OmegaConf.load(folder.config))
    new = _flat(OmegaConf.structured(config))
    for key in sorted(old.keys() | new.keys()):
        if key.partition(".")[0] not in FREE and old.get(key) != new.get(key):
            raise InputError(
                f"{key}: {new.get(key)} given; allowed: {old.get(key)}, "
                f"the value of the run in {folder.path}"
            )


def _refuse_other_data(folder: RunFolder) -> None:
    """Files that are gone are left to the job, which may not need them any more."""
    for source in folder.summary().get("data", []):
        if has_changed(source):
            raise InputError(
                f"resume: true given, but {source['path']} has changed since the run in "
                f"{folder.path} read it; allowed: true with the same file, or a new run"
            )


def _flat(config: Any, parent: str = "") -> dict[str, Any]:
    """`{"a.b": value}` of a nested config; lists are values."""
    if isinstance(config, DictConfig):
        config = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    flat = {}
    for key, value in config.items():
        name = f"{parent}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat
