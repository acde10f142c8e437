"""The run folder: what every command writes, with the same names and the same shapes of files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from lpo.atomic import replacing, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRIC_COLUMNS = {"step": "int64", "stage": "str", "name": "str", "value": "float64"}


@dataclass(frozen=True)
class RunFolder:
    """A folder with `config.yaml`, `summary.json`, `metrics.parquet`, `tables/`, `figures/`, ...

    Every write is atomic. `runs/README.md` lists the files.
    """

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints of this run are."""
        return self.path / "checkpoints"

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    def write_config(self, config: Any) -> Path:
        """Write a dataclass, mapping or OmegaConf config as resolved YAML."""
        if is_dataclass(config):  # as it is: an infinite number is one in YAML
            config = OmegaConf.structured(config)
        node = config if isinstance(config, DictConfig) else OmegaConf.create(_plain(config))
        return write_text(self.config, OmegaConf.to_yaml(node, resolve=True))

    def read_config(self) -> dict[str, Any]:
        """The resolved configuration as plain dicts, lists and scalars."""
        config = OmegaConf.to_container(OmegaConf.load(self.config))
        assert isinstance(config, dict)
        return {str(key): value for key, value in config.items()}

    def record(self, **parts: Any) -> None:
        """Merge parts into `summary.json`: mappings are updated, everything else is replaced.

        Numbers that are not finite become null. NamedTuples (such as `lpo.workload.Source`),
        NumPy and JAX scalars, enums and paths become their JSON equals.
        """
        summary = self.summary()
        for key, value in parts.items():
            value = _plain(value)
            known = summary.get(key)
            if isinstance(value, dict) and isinstance(known, dict):
                value = known | value
            summary[key] = value
        text = json.dumps(summary, indent=2, allow_nan=False)
        write_text(self.path / "summary.json", text + "\n")

    def summary(self) -> dict[str, Any]:
        """What `summary.json` says so far; empty before the first `record`."""
        path = self.path / "summary.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def write_table(self, name: str, table: pd.DataFrame) -> Path:
        """Write `tables/<name>.csv`: one header row, ten significant digits, empty for missing.

        Equal numbers give equal bytes, so two tables can be compared as files.
        """
        path = self.path / "tables" / f"{name}.csv"
        with replacing(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")
        return path

    def write_frame(self, name: str, table: pd.DataFrame) -> Path:
        """Write `tables/<name>.parquet`, for tables of many rows."""
        path = self.path / "tables" / f"{name}.parquet"
        with replacing(path) as temporary:
            table.to_parquet(temporary, index=False)
        return path

    def write_metrics(self, metrics: pd.DataFrame) -> Path:
        """Write `metrics.parquet` from a table with the columns step, stage, name, value."""
        if list(metrics.columns) != list(METRIC_COLUMNS):
            raise ValueError(
                f"`metrics` must have the columns {list(METRIC_COLUMNS)}, "
                f"got {list(metrics.columns)}"
            )
        path = self.path / "metrics.parquet"
        with replacing(path) as temporary:
            metrics.astype(METRIC_COLUMNS).to_parquet(temporary, index=False)
        return path

    def read_metrics(self) -> pd.DataFrame:
        """The metrics written so far; an empty table with the right columns before the first."""
        path = self.path / "metrics.parquet"
        if path.is_file():
            return pd.read_parquet(path)
        return pd.DataFrame(columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)

    def write_figure(self, name: str, figure: Figure, dpi: int = 150) -> Path:
        """Write `figures/<name>.png`, `dpi` points to the inch."""
        path = self.path / "figures" / f"{name}.png"
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=dpi)
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file of the folder, for example `report.html`."""
        return write_text(self.path / name, text)


def _plain(value: Any) -> Any:
    """`value` as dicts, lists, strings, finite numbers, booleans and None."""
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if as_dict := getattr(value, "_asdict", None):  # a NamedTuple
        value = as_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    scalar = np.asarray(value)
    if scalar.ndim:
        raise TypeError(f"summary.json takes scalars, got an array of shape {scalar.shape}")
    return _plain(scalar.item())
