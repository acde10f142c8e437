"""Stages of a cell: the training loop without the files of a run folder."""

from typing import Any

import numpy as np
from jax import Array
from jax.sharding import Mesh

from lpo.optim import Training, run, seed_keys
from lpo.runs.stages import stage_key, start_stage


class CellStages:
    """What `lpo.runs.stages.Stages` is to a run, for a cell: nothing is written.

    A cell that is killed is trained again; its stages are short. `curves`: the last value of every
    metric and, where there is validation, the step kept, by stage, each a list over seeds.
    """

    mesh: Mesh | None = None

    def __init__(self, seed: int, seeds: int):
        self.keys = seed_keys(seed, seeds)
        self.curves: dict[str, dict[str, list[float]]] = {}
        self.seconds: dict[str, float] = {}

    def key(self, name: str) -> Array:
        """Keys [seeds, 2] of a stage, as in a run of lpo.train with these seeds."""
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
        """Train a stage to its end; returns the state. Raises `Diverged` as the loop does."""
        state, step_keys = start_stage(training, self.key(name), init, init_axes)
        segments = run(
            training,
            step_keys,
            state,
            data,
            steps=steps,
            segment_steps=segment_steps,
            data_axes=data_axes,
            one_by_one=one_by_one,
        )
        validated: list[tuple[int, np.ndarray]] = []
        last: dict[str, list[float]] = {}
        for segment in segments:
            state = segment.state
            last = {key: rows[:, -1].tolist() for key, rows in segment.metrics.items()}
            if "validation_loss" in segment.metrics:
                validated.append((segment.stop, segment.metrics["validation_loss"][:, -1]))
            for part, seconds in (("compile", segment.compile_s), (timing, segment.run_s)):
                self.seconds[part] = self.seconds.get(part, 0.0) + seconds
        if validated:
            stops = np.array([stop for stop, _ in validated])
            losses = np.array([loss for _, loss in validated])  # [segments, seeds]
            # step 0 is the predictor that the method continued, where it may be kept
            kept = np.array(last.pop("best_validation_loss", losses.min(axis=0)))
            steps_kept = np.where(kept < losses.min(axis=0), 0, stops[losses.argmin(axis=0)])
            last |= {"kept_step": steps_kept.tolist(), "kept_loss": kept.tolist()}
        self.curves[name] = last
        return state
