"""Checkpoints of training states: whole or absent, restored bit for bit."""

import logging
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import jax
import orbax.checkpoint as ocp

Tree = TypeVar("Tree")
KEEP = 2


class Checkpoints:
    """The checkpoints of one run: a series of steps for each stage, the last two of each kept.

    A context manager: leaving the block releases the writers. A stage is finished when its latest
    step is its total number of steps; nothing else marks it.
    """

    def __init__(self, path: Path):
        self._path = Path(path).absolute()
        self._managers: dict[str, ocp.CheckpointManager] = {}

    def save(self, stage: str, step: int, tree: Any) -> None:
        """Write `tree` as `step` of `stage` and return when it is on the disk.

        `tree` is a pytree of arrays and Python numbers (dicts, NamedTuples, tuples, None). A
        process killed during the save leaves the earlier steps readable and this one absent.
        """
        manager = self._manager(stage)
        manager.save(step, args=ocp.args.StandardSave(tree), force=True)
        manager.wait_until_finished()

    def latest(self, stage: str, like: Tree) -> tuple[int, Tree] | None:
        """The last complete `(step, tree)` of `stage`, or None before the first.

        `like` gives structure, shapes and dtypes; its values are not used, so the output of
        `jax.eval_shape` serves.

        **Raises:** `ValueError` when the checkpoint has another structure, shape or dtype.
        """
        if not (self._path / stage).is_dir():
            return None
        # Orbax warns of an item that it is only told how to restore a line later
        logging.getLogger("absl").setLevel(logging.ERROR)
        manager = self._manager(stage)
        step = manager.latest_step()
        if step is None:
            return None
        stored = jax.tree.leaves(manager.item_metadata(step))
        _refuse_cast({leaf.name: leaf.dtype for leaf in stored}, like, f"{stage}/{step}")
        tree: Any = manager.restore(step, args=ocp.args.StandardRestore(like))
        return step, tree

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for manager in self._managers.values():
            manager.close()
        self._managers.clear()

    def _manager(self, stage: str) -> ocp.CheckpointManager:
        if stage not in self._managers:
            options = ocp.CheckpointManagerOptions(
                max_to_keep=KEEP,
                enable_async_checkpointing=False,
                cleanup_tmp_directories=True,
            )
            self._managers[stage] = ocp.CheckpointManager(self._path / stage, options=options)
        return self._managers[stage]


def _refuse_cast(stored: dict[str, Any], like: Any, checkpoint: str) -> None:
    """Orbax refuses another structure or shape but converts another dtype without a word."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(like):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if hasattr(leaf, "dtype") and name in stored and stored[name] != leaf.dtype:
            raise ValueError(
                f"checkpoint {checkpoint}: `{name}` is {stored[name]}, expected {leaf.dtype}"
            )
