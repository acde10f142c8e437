"""Weights & Biases: an offline run in the run folder by default."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lpo.errors import InputError
from lpo.runs.schema import TrackingConfig, TrackingMode

Log = Callable[[Mapping[str, float], int], None]
START_TIMEOUT_S = 60.0


@contextmanager
def tracking(
    settings: TrackingConfig, folder: Path, config: Mapping[str, Any], group: str
) -> Iterator[Log]:
    """Yield `log(metrics, step)` of a new W&B run whose files are in `folder/wandb`.

    With `mode=disabled` wandb is not even imported and `log` does nothing.

    **Arguments:**

    - `settings`: mode, project, name and tags.
    - `folder`: the run folder; its name is the run's name unless `settings.name` is given.
    - `config`: the resolved configuration, shown beside the run.
    - `group`: the command; runs of one command stand together.

    **Raises:** `InputError` when W&B cannot start (no account in mode `online`, no service).
    """
    if settings.mode is TrackingMode.disabled:
        yield lambda metrics, step: None
        return
    run = _start(settings, folder, config, group)
    exit_code = 1
    try:
        yield lambda metrics, step: run.log(dict(metrics), step=step)
        exit_code = 0
    finally:
        run.finish(exit_code=exit_code)


def _start(settings: TrackingConfig, folder: Path, config: Mapping[str, Any], group: str) -> Any:
    import wandb  # takes a second: only when a run is tracked

    online = settings.mode is TrackingMode.online
    try:
        if online and not wandb.login(prompt=False):  # never ask: a job has nobody to answer
            raise wandb.Error("no API key: run `wandb login` first")
        return wandb.init(
            mode=settings.mode.value,
            dir=str(folder),
            project=settings.project,
            name=settings.name or folder.name,
            tags=settings.tags,
            group=group,
            config=dict(config),
            reinit="finish_previous",
            settings=wandb.Settings(silent=True, console="off", init_timeout=START_TIMEOUT_S),
        )
    except (wandb.Error, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"tracking.mode: {settings.mode.name} given, but W&B did not start ({reason}); "
            "allowed: offline, online (after `wandb login`), disabled"
        ) from error
