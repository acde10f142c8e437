"""`python -m lpo.study`: every method on every architecture in every setting, and its tables."""

import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from lpo.interrupts import loading

with loading("study"):
    from lpo.runs import RunFolder, run_command
    from lpo.study.config import StudyConfig, validate
    from lpo.study.plan import chosen, grouped, part_cells, tuning_cells, tuning_dfl
    from lpo.study.pool import run_tasks
    from lpo.study.results import write_results
    from lpo.study.work import fit_floors, needs_score, train_group, train_score_of


def job(cfg: StudyConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Train what is missing, variants first, then write the tables of what there is."""
    cells = Path(cfg.cells)
    clock = perf_counter()
    tuned = tuning_cells(cfg)
    if not cfg.report_only:
        by_architecture: dict[str, list[Any]] = {}
        for (architecture, _), variants in tuned.items():
            by_architecture.setdefault(architecture, []).extend(variants)
        starts = {name: tuning_dfl(cfg, name) for name in by_architecture}
        _train(cfg, cells, [(starts[name], group) for name, group in by_architecture.items()])
        folder.record(timings_s={"tuning": perf_counter() - clock})
    choice = chosen(cfg, cells)

    for part in cfg.parts:
        clock = perf_counter()
        planned = part_cells(cfg, part, choice)
        if not cfg.report_only:
            if cfg.parts[part].floors:
                first = {setting: group[0] for (setting, _), group in planned.items()}
                run_tasks(
                    fit_floors,
                    [(c.config, cfg.max_windows, name, cells) for name, c in first.items()],
                    cfg.workers,
                    _say,
                )
            starts = [next(c for c in group if c.method == "dfl") for group in planned.values()]
            _train(cfg, cells, list(zip(starts, planned.values(), strict=True)))
            folder.record(timings_s={part: perf_counter() - clock})
    write_results(cfg, folder, cells, choice)
    return {"result": "trained and judged"}


def _train(cfg: StudyConfig, folder: Path, groups: list[tuple[Any, list[Any]]]) -> None:
    """Train the missing cells of groups: what several of them start from first."""
    missing = [
        (start, [cell for cell in group if not cell.path(folder).is_file()])
        for start, group in groups
    ]
    scores = {
        (c.config.protocol.bin_s, c.config.diffusion.space, c.setting, c.config.seeds): c.config
        for _, group in missing
        for c in group
        if needs_score(c)
    }
    run_tasks(
        train_score_of,
        [(config, cfg.max_windows, folder) for config in scores.values()],
        cfg.workers,
        _say,
    )
    first = [grouped([start], start)[0] for start, group in missing if group]
    run_tasks(train_group, [(group, folder) for group in first], cfg.workers, _say)
    rest = [task for start, group in missing for task in grouped(group, start)]
    run_tasks(train_group, [(group, folder) for group in rest], cfg.workers, _say)


def _say(line: str) -> None:
    if line:
        print(f"lpo.study: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command("study", StudyConfig, validate, job)
