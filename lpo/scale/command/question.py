"""What a configuration asks: models, token lengths, laws, limits."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.runs import source_of
from lpo.scale.accuracy import check_beta
from lpo.scale.command.config import ALL, AZURE, ScaleConfig
from lpo.scale.curves import Limits
from lpo.scale.laws import LawNumbers, Laws, make_laws
from lpo.scale.models import ModelSet, chosen
from lpo.scale.passes import Pairs, pairs_of_trace
from lpo.scale.readers import FIELDS, models_of, read_histograms, read_models, read_pairs
from lpo.workload.azure import AZURE_FILES
from lpo.workload.requests import stream_requests


class Question(NamedTuple):
    """models: m of them, titles: what to call each. pairs: lengths of all models, None for their
    own. k int [K], parallel int [p]. scenarios: names of the s limits. sources: files that were
    read."""

    models: ModelSet
    titles: tuple[str, ...]
    pairs: Pairs | None
    laws: Laws
    numbers: LawNumbers
    k: np.ndarray
    parallel: np.ndarray
    scenarios: tuple[str, ...]
    limits: Limits
    sources: list[dict[str, Any]]


def load_question(cfg: ScaleConfig) -> Question:
    """Read what the configuration names; raises InputError on numbers and files that mean
    nothing."""
    (models, rows), sources = _models(cfg), []
    if cfg.models_file is not None:
        sources.append(source_of(cfg.models_file, rows=rows))
    pairs = _pairs(cfg, sources)
    aggregate = cfg.aggregate
    laws, numbers = make_laws(
        latency=cfg.latency.name,
        rule=aggregate.rule.name,
        accuracy=aggregate.law.name,
        wrong_answers=aggregate.wrong_answers,
        varied=aggregate.varied,
        correlation=aggregate.correlation,
        contention=cfg.contention,
        verifier_sd=aggregate.verifier_sd,
        right_weight=aggregate.right_weight,
        wrong_weight=aggregate.wrong_weight,
    )
    check_beta(laws, models.models, models.names)
    asked = cfg.scenario.values()
    return Question(
        models,
        titles=tuple(_title(cfg, name) for name in models.names),
        pairs=pairs,
        laws=laws,
        numbers=numbers,
        k=np.arange(1, cfg.k_max + 1),
        parallel=np.array(sorted(cfg.parallel)),
        scenarios=tuple(cfg.scenario),
        limits=Limits(
            *(np.array([getattr(one, key) for one in asked]) for key in _LIMITS),
        ),
        sources=sources,
    )


_LIMITS = ("cost_usd", "time_s", "accuracy")


def _models(cfg: ScaleConfig) -> tuple[ModelSet, int]:
    """The models asked for, and how many there are to choose from."""
    if cfg.models_file is not None:
        every = read_models(cfg.models_file)
    else:
        given = {name: asdict(model) for name, model in cfg.models.items()}
        every = models_of({name: {f: one[f] for f in FIELDS} for name, one in given.items()})
    names = every.names if cfg.model == ALL else cfg.model
    names = [names] if isinstance(names, str) else names
    good = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not good or not names or len(set(names)) < len(names):
        raise InputError(f"model: {cfg.model} given; allowed: {ALL}, or names, each once")
    return chosen(every, names), len(every.names)


def _title(cfg: ScaleConfig, name: str) -> str:
    given = cfg.models.get(name) if cfg.models_file is None else None
    return name if given is None or given.title is None else given.title


def _pairs(cfg: ScaleConfig, sources: list[dict[str, Any]]) -> Pairs | None:
    asked = cfg.lengths
    if asked.pairs is not None:
        pairs, files = read_pairs(asked.pairs), [asked.pairs]
    elif asked.histograms is not None:
        pairs, files = read_histograms(asked.histograms), [asked.histograms]
    elif asked.trace is not None:
        files = _trace_files(asked.trace)
        batches = [batch for path in files for batch in stream_requests(path)]
        prompt, output = (
            np.concatenate([getattr(batch, side) for batch in batches])
            for side in ("context", "generated")
        )
        pairs = pairs_of_trace(prompt, output, most=asked.most)
    else:
        return None
    sources += [source_of(path) for path in files]
    return pairs


def _trace_files(given: str) -> list[str]:
    if given != AZURE:
        return [given]
    root = os.environ.get("LPO_DATA")
    if root is None:
        raise InputError(f"lengths.trace: {AZURE} given; allowed: with LPO_DATA naming its folder")
    names = ("conv_2023", "code_2023")
    return [str(Path(root) / AZURE_FILES[name].file) for name in names]
