"""`python -m lpo.evaluate`: trained runs on any test set, in whole GPUs and dollars."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from lpo.interrupts import loading

with loading("evaluate"):
    import pandas as pd

    from lpo.evaluate.config import EvaluateConfig, run_folders, validate
    from lpo.evaluate.judging import chosen_sets, forecasts, judge
    from lpo.evaluate.results import write_results
    from lpo.evaluate.starting import other_start, start_note
    from lpo.evaluate.trained import load_run, on_other_demand
    from lpo.runs import RunFolder, progress, run_command, tracking


def job(cfg: EvaluateConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Judge every run; the tables of those judged are written before the next begins."""
    judged, notes = [], []
    clock = perf_counter()
    runs = [load_run(path, cfg.replan, cfg.demand_scale) for path in run_folders(cfg)]
    folder.record(data=[source for run in runs for source in run.problem.sources])
    folder.record(timings_s={"loading": perf_counter() - clock})
    clock = perf_counter()
    starts = [other_start(run, cfg) for run in runs]
    folder.record(timings_s={"start": perf_counter() - clock})

    with tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log:
        clock = perf_counter()
        for run, start in zip(runs, starts, strict=True):
            other = None if cfg.workload is None else on_other_demand(run, cfg.workload)
            tests = chosen_sets(run, cfg, other)
            predictions = forecasts(run, cfg, tests)
            decisions = len(cfg.decisions) * sum(
                len(values) * values.shape[1] for p in predictions for values in p.by_set.values()
            )
            with progress(decisions, run.name) as advance:
                judged.append(judge(run, cfg, tests, predictions, advance, start))
            folder.write_table("evaluation", pd.concat([each.rows for each in judged]))
            notes += run.problem.notes if other is None else []
            notes += start_note(run, cfg, judged[-1].rows)
        folder.record(timings_s={"evaluation": perf_counter() - clock})
        metrics = write_results(folder, cfg, runs, judged, list(dict.fromkeys(notes)))
        log(metrics, 0)
    return {"result": "evaluated", "metrics": metrics}


if __name__ == "__main__":
    run_command("evaluate", EvaluateConfig, validate, job)
