"""`python -m lpo.study`: every method on every architecture in every setting, and its tables."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from lpo.interrupts import loading

with loading("study"):
    from lpo.runs import RunFolder, run_command, tracking
    from lpo.study.choice import choose, score_variants, variant_table
    from lpo.study.config import StudyConfig, parts_of, validate
    from lpo.study.plan import Group, part_groups, tuning_cells, tuning_groups
    from lpo.study.pool import run_tasks
    from lpo.study.publish import publish
    from lpo.study.results import collect, write_results
    from lpo.study.work import fit_floors, needs_score, score_file, train_group, train_score_of


def job(cfg: StudyConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Train what is missing, variants first, then write the tables of what there is."""
    cells = Path(cfg.cells)
    tuned = tuning_cells(cfg)
    if not cfg.report_only:
        with _timed(folder, "tuning"):
            _train(cfg, tuning_groups(cfg, tuned), cells)
    scores = score_variants(tuned, cells)
    choice = choose(scores)

    planned = {part: part_groups(cfg, part, choice) for part in parts_of(cfg)}
    if not cfg.report_only:
        for part, by_setting in planned.items():
            with _timed(folder, part):
                if cfg.parts[part].floors:
                    firsts = [groups[0].dfl for groups in by_setting.values()]
                    arguments = [(c.config, c.max_windows, c.setting, cells) for c in firsts]
                    run_tasks(fit_floors, arguments, cfg.workers, _say)
                _train(cfg, [group for groups in by_setting.values() for group in groups], cells)

    with (
        _timed(folder, "evaluation"),
        tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log,
    ):
        results = collect(planned, cells)
        if tuned:
            results.tables["variants"] = variant_table(cfg, scores, choice)
        folder.record(data=results.sources, notes=results.notes)
        metrics = write_results(folder, results)
        log(metrics, 0)
    if cfg.publish is not None:
        publish(
            Path(cfg.publish),
            results.tables,
            results.notes,
            results.by_set,
            folder.summary(),
            sys.argv[1:],
        )
    return {"result": "judged" if cfg.report_only else "trained and judged", "metrics": metrics}


def _train(cfg: StudyConfig, groups: list[Group], folder: Path) -> None:
    """Train the missing cells of groups: what several of them start from first."""
    missing = [left for group in groups if (left := group.missing(folder)).cells]
    scores = {
        score_file(cell.config): (cell.config, cell.max_windows, folder)
        for group in missing
        for cell in group.cells
        if needs_score(cell)
    }
    run_tasks(train_score_of, list(scores.values()), cfg.workers, _say)
    starts = [(Group((group.dfl,), group.dfl), folder) for group in missing]
    run_tasks(train_group, starts, cfg.workers, _say)
    chunks = [(chunk, folder) for group in missing for chunk in group.chunks()]
    run_tasks(train_group, chunks, cfg.workers, _say)


@contextmanager
def _timed(folder: RunFolder, name: str) -> Iterator[None]:
    clock = perf_counter()
    yield
    folder.record(timings_s={name: perf_counter() - clock})


def _say(line: str) -> None:
    if line:
        print(f"lpo.study: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command("study", StudyConfig, validate, job)
