"""Which cells there are: the variants that are compared, and the cells of each part."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from lpo.study.cells import Cell
from lpo.study.config import StudyConfig, methods_of, training_config
from lpo.train.config import SIZED, MethodKind, ProtocolKind, RobustConfig, TrainConfig
from lpo.train.inner import size_of

CHUNK = 5  # cells a task: few enough to keep all processes busy until the end

Tuned: TypeAlias = tuple[str, str]
"""Architecture and method, which variants are compared for."""

Choice: TypeAlias = dict[Tuned, int]
"""Place of the variant that is taken, in the order of the configuration."""


@dataclass(frozen=True)
class Group:
    """Cells that share the data, the network and the DFL that they continue."""

    cells: tuple[Cell, ...]
    dfl: Cell

    def missing(self, folder: Path) -> "Group":
        """Those of its cells that have no file."""
        return replace(self, cells=tuple(c for c in self.cells if not c.path(folder).is_file()))

    def chunks(self) -> list["Group"]:
        """The group in tasks of a few cells."""
        starts = range(0, len(self.cells), CHUNK)
        return [replace(self, cells=self.cells[i : i + CHUNK]) for i in starts]


def make_cell(
    cfg: StudyConfig, setting: str, architecture: str, method: MethodKind, *changes: Any
) -> Cell:
    """The cell of a method, with the study's seeds unless `changes` say otherwise."""
    seeds = {"seed": cfg.seed, "seeds": cfg.seeds}
    config = training_config(cfg, setting, architecture, method, seeds, *changes)
    # the published score is a mean over batches of consecutive rows: none may be left out
    published = config.protocol.name is ProtocolKind.paper
    most = None if published else cfg.max_windows
    return Cell(setting, architecture, _canonical(config), most)


def tuning_cells(cfg: StudyConfig) -> dict[Tuned, list[Cell]]:
    """Cells of every variant, in the order of the configuration."""
    seeds = {"seeds": cfg.tuning.seeds}
    return {
        (architecture, method): [
            make_cell(cfg, cfg.tuning.setting, architecture, MethodKind[method], seeds, variant)
            for variant in variants
        ]
        for architecture in cfg.tuning.architectures
        for method, variants in cfg.tuning.variants.items()
    }


def tuning_groups(cfg: StudyConfig, tuned: dict[Tuned, list[Cell]]) -> list[Group]:
    """The cells of `tuning_cells` by architecture, each with the DFL that its variants continue."""
    seeds = {"seeds": cfg.tuning.seeds}
    by_architecture: dict[str, list[Cell]] = {}
    for (architecture, _), variants in tuned.items():
        by_architecture.setdefault(architecture, []).extend(variants)
    return [
        Group(tuple(cells), make_cell(cfg, cfg.tuning.setting, architecture, MethodKind.dfl, seeds))
        for architecture, cells in by_architecture.items()
    ]


def part_groups(cfg: StudyConfig, name: str, choice: Choice) -> dict[str, list[Group]]:
    """Cells of a part by setting, a group an architecture, each with its chosen variant."""
    part = cfg.parts[name]
    return {
        setting: [_group(cfg, name, setting, each, choice) for each in part.architectures]
        for setting in part.settings
    }


def _group(cfg: StudyConfig, part: str, setting: str, architecture: str, choice: Choice) -> Group:
    tuned_on = cfg.tuning.as_tuned_on.get(architecture, architecture)
    cells = {
        method: make_cell(
            cfg, setting, architecture, method, _variant(cfg, tuned_on, method, choice)
        )
        for method in methods_of(cfg.parts[part])
    }
    return Group(tuple(cells.values()), cells[MethodKind.dfl])


def _variant(cfg: StudyConfig, architecture: str, method: MethodKind, choice: Choice) -> Any:
    """The chosen changes of a method, the first of the configuration where none was chosen."""
    variants = cfg.tuning.variants.get(method.name, [{}])
    return variants[choice.get((architecture, method.name), 0)]


def _canonical(config: TrainConfig) -> TrainConfig:
    """Without settings that the method does not depend on, so that equal cells have one file."""
    method = config.robust.method
    if method in (MethodKind.mse, MethodKind.dfl):
        return replace(config, robust=RobustConfig(method=method))
    if method.name not in SIZED:
        return replace(config, robust=replace(config.robust, sizes={}))
    # in the cell's name: a default that the code gives would not be
    sizes = {method.name: size_of(method, config.robust)}
    return replace(config, robust=replace(config.robust, sizes=sizes))
