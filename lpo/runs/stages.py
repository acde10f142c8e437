"""A stage of training: segments of the one loop with checkpoint, metrics, progress, tracking."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from jax.sharding import Mesh

from lpo.optim import Diverged, Segment, Training, replicate, run
from lpo.runs.checkpoints import Checkpoints
from lpo.runs.folder import RunFolder
from lpo.runs.progress import progress

Log = Callable[[dict[str, float], int], None]


class TrainingFailed(RuntimeError):
    """Training diverged; the message names stage, step and the last good checkpoint."""


class Trainer(Protocol):
    """What trains a stage: `Stages` of a run, or something that writes no files."""

    keys: Array
    mesh: Mesh | None

    def key(self, name: str) -> Array:
        """Keys [seeds, 2] of a stage."""
        ...

    def run(
        self,
        name: str,
        training: Training,
        data: Any,
        *,
        steps: int,
        segment_steps: int,
        timing: str,
        init: tuple[Any, ...] = (),
        init_axes: tuple[Any, ...] | None = None,
        data_axes: Any = None,
        one_by_one: bool = False,
    ) -> Any:
        """Train stage `name` to its end and return the state; see `Stages.run`."""
        ...


def stage_key(keys: Array, name: str) -> Array:
    """Keys [seeds, 2] of a stage: they depend on its name and not on which others are run."""
    return jax.vmap(lambda key: jax.random.fold_in(key, crc32(name.encode())))(keys)


def start_stage(
    training: Training,
    keys: Array,
    init: tuple[Any, ...] = (),
    init_axes: tuple[Any, ...] | None = None,
) -> tuple[Any, Array]:
    """State of a training before its first step, seeds leading, and the keys [seeds, 2] of its
    steps.

    `keys`: of the stage. `init`: further arguments of `training.init`, with `init_axes` as in
    `jax.vmap`, a leading seed axis each where that is None.
    """
    init_keys, step_keys = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
    axes = init_axes or (0,) * len(init)
    return jax.jit(jax.vmap(training.init, in_axes=(0, *axes)))(init_keys, *init), step_keys


@dataclass
class Stages:
    """The stages of one run, in the order in which they are asked for.

    `keys`: [seeds, 2]. `timings_s` collects seconds by kind of work; `steps` counts all steps of
    the run so far, which is the tracker's axis. `mesh`: the devices that batches are split over.
    `command`: whose run it is, for messages.
    """

    folder: RunFolder
    checkpoints: Checkpoints
    log: Log
    keys: Array
    timings_s: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    mesh: Mesh | None = None
    command: str = "train"

    def key(self, name: str) -> Array:
        """Keys [seeds, 2] of a stage."""
        return stage_key(self.keys, name)

    def run(
        self,
        name: str,
        training: Training,
        data: Any,
        *,
        steps: int,
        segment_steps: int,
        timing: str,
        init: tuple[Any, ...] = (),
        init_axes: tuple[Any, ...] | None = None,
        data_axes: Any = None,
        one_by_one: bool = False,
    ) -> Any:
        """Train stage `name` to its end, from its last checkpoint if there is one; returns the
        state.

        `init`: further arguments of `training.init`, each a pytree with a leading seed axis.
        `timing`: the entry of `timings_s` that the seconds go to; compilation goes to `compile`.
        `data_axes`, `one_by_one`: of `lpo.optim.run`.

        Raises `TrainingFailed` when a number is not finite.
        """
        state, step_keys = start_stage(training, self.key(name), init, init_axes)
        start, found = 0, self.checkpoints.latest(name, state)
        if found is not None:
            start, state = found
            where = f"{name} continues at step {start} of {steps}"
            print(f"lpo.{self.command}: {where}", file=sys.stderr)
        state = replicate(state, self.mesh)
        self._forget_after(name, start)
        segments = run(
            training,
            step_keys,
            state,
            data,
            steps=steps,
            segment_steps=segment_steps,
            data_axes=data_axes,
            start=start,
            mesh=self.mesh,
            one_by_one=one_by_one,
        )
        with progress(steps, name) as advance:
            advance(start)
            try:
                for segment in segments:
                    state = segment.state
                    self._record(name, segment, timing)
                    advance(segment.stop - segment.start, _last_means(segment))
                    start = segment.stop
            except Diverged as diverged:
                good = f"checkpoints/{name} at step {start}" if start else "none"
                raise TrainingFailed(
                    f"stage {name}: {diverged}; last good checkpoint: {good}"
                ) from diverged
        self.steps += steps
        return state

    def time(self, name: str, seconds: float) -> None:
        """Add seconds to an entry of `timings_s` and put them into the summary."""
        self.timings_s[name] = self.timings_s.get(name, 0.0) + seconds
        self.folder.record(timings_s={name: self.timings_s[name]})

    def _record(self, name: str, segment: Segment, timing: str) -> None:
        # Metrics first: a kill between the two writes leaves rows that the resumed run drops and
        # repeats, never a checkpoint whose rows are missing.
        self.folder.write_metrics(
            pd.concat([self.folder.read_metrics(), _long_form(name, segment)], ignore_index=True)
        )
        self.checkpoints.save(name, segment.stop, segment.state)
        self.log(
            {f"{name}/{metric}": mean for metric, mean in _last_means(segment).items()},
            self.steps + segment.stop,
        )
        self.time("compile", segment.compile_s)
        self.time(timing, segment.run_s)

    def _forget_after(self, name: str, step: int) -> None:
        metrics = self.folder.read_metrics()
        kept = (metrics["stage"] != name) | (metrics["step"] <= step)
        self.folder.write_metrics(metrics.loc[kept, :])


def _last_means(segment: Segment) -> dict[str, float]:
    """Mean over seeds of the last value of every metric."""
    return {name: float(np.mean(rows[:, -1])) for name, rows in segment.metrics.items()}


def _long_form(name: str, segment: Segment) -> pd.DataFrame:
    """Rows step (steps done), stage, name, value: means over seeds.

    With several seeds there are also rows `<metric>/seed_<i>`.
    """
    frames = []
    for metric, rows in segment.metrics.items():
        series = {metric: rows.mean(axis=0)}
        if len(rows) > 1:
            series |= {f"{metric}/seed_{i}": row for i, row in enumerate(rows)}
        steps = np.arange(segment.stop - rows.shape[1], segment.stop) + 1
        frames += [
            pd.DataFrame({"step": steps, "stage": name, "name": label, "value": values})
            for label, values in series.items()
        ]
    return pd.concat(frames, ignore_index=True)
