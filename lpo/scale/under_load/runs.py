"""One number of passes on one simulated cluster: several runs side by side, and what they show."""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.scale.curves import Estimate
from lpo.scale.passes import Pairs
from lpo.scale.under_load.bursts import Bursts
from lpo.scale.under_load.cluster import Cluster
from lpo.scale.under_load.times import Times, law_of, longest_of_waves, moments_of
from lpo.serve import Instance
from lpo.serve.policies import plan_for, targets_of
from lpo.serve.requests import Served, Status, serve, stack_requests

MARGIN = 1.1
"""Plans are made for so many times the passes that come, as in replays (docs/serve_replay.md): the
queue of a gate that admits exactly as many as come grows with the square root of the time."""
_GROWS = 3.0  # standard deviations by which a cluster that is steady hardly ever fills up
_DRIFT = 0.01  # of what comes, by which a cluster that is steady hardly fills up in a long run


class Span(NamedTuple):
    """begin_s, end_s: between which arrivals count. until_s: the end of the run."""

    begin_s: float
    end_s: float
    until_s: float


class Measured(NamedTuple):
    """pass_s, query_s: of numbers. unfinished: share of passes. completed_per_s: passes, over k.
    grows: whether passes pile up in the cluster, or were lost. law: of the seconds of a pass."""

    pass_s: Estimate
    query_s: Estimate
    unfinished: float
    completed_per_s: float
    grows: bool
    law: Pairs


class Observed(NamedTuple):
    """Of one run. passes, full, rest: times of passes, of waves as large as they get and of others,
    that begin in the time that counts. begin, end: passes in the cluster when it begins and ends.
    completed: passes in between. lost: passes that found no room, in the whole run."""

    passes: Times
    full: Times
    rest: Times
    begin: int
    end: int
    completed: int
    lost: int


def serve_runs(
    cluster: Cluster, instance: Instance, drawn: list[Bursts], span: Span, size: int, seed: int
) -> Served:
    """Return what became of the passes of each run, [seeds, size], under one plan for all."""
    policy = cluster.policy
    expected = instance._replace(arrival=MARGIN * np.asarray(instance.arrival))
    targets = targets_of(policy, instance, plan_for(policy, expected), cluster.gpus)
    requests = stack_requests([one.requests for one in drawn], size)
    return serve(
        policy,
        instance,
        requests,
        targets,
        until_s=span.until_s,
        times=cluster.times,
        seed=seed,
    )


def measured(drawn: list[Bursts], served: Served, span: Span, k: int, burst: int) -> Measured:
    """Return what the runs of k passes a query, `burst` at a time, show.

    Raises InputError where no pass, or no wave, begins in the time that counts.
    """
    runs = [
        observed(one, Served(*its), span)
        for one, its in zip(drawn, zip(*served, strict=True), strict=True)
    ]
    passes, full, rest = (
        _pooled(each)
        for each in ([r.passes for r in runs], [r.full for r in runs], [r.rest for r in runs])
    )
    waves, left = divmod(k, burst)
    if not len(passes.seconds) or not len(full.seconds) or (left and not len(rest.seconds)):
        raise InputError(
            f"`seconds` must be long enough for queries to arrive, got {span.end_s - span.begin_s}."
        )
    of_pass, of_full = moments_of(passes), moments_of(full)
    of_rest = moments_of(rest) if left else (0.0, 0.0)
    by_pass, by_query = [], []
    for run in runs:
        last = moments_of(run.rest)[0] if left else 0.0
        by_pass.append(moments_of(run.passes)[0])
        by_query.append(waves * moments_of(run.full)[0] + last)
    begin, end = sum(run.begin for run in runs), sum(run.end for run in runs)
    total_s = len(runs) * (span.end_s - span.begin_s)
    return Measured(
        pass_s=Estimate(of_pass[0], of_pass[1], _error(np.array(by_pass))),
        query_s=Estimate(
            waves * of_full[0] + of_rest[0],
            float(np.sqrt(waves * of_full[1] ** 2 + of_rest[1] ** 2)),
            _error(np.array(by_query)),
        ),
        unfinished=float(1.0 - passes.known.mean()),
        completed_per_s=sum(run.completed for run in runs) / k / total_s,
        grows=grows(begin, end, len(passes.seconds), burst) or any(run.lost for run in runs),
        law=law_of(passes),
    )


def grows(begin: int, end: int, came: int, burst: int) -> bool:
    """Return whether passes pile up: whether more are there at the end than chance explains.

    begin, end: passes in the cluster, of all runs together. came: in between, burst at a time.
    Independent queries come and go, so that the number of their passes has the variance burst times
    its mean; near a load of 1 it has more, and in a long run what counts is whether a share of all
    that came has stayed.
    """
    grown = end - begin
    return bool(grown > _GROWS * np.sqrt(burst * (begin + end)) and grown > _DRIFT * came)


def observed(one: Bursts, served: Served, span: Span) -> Observed:
    """Return what is seen of one run."""
    R = len(one.wave)
    arrival, finish = one.requests.arrival_s, served.finish_s[:R]
    known = ~np.isnan(finish)
    times = Times(np.where(known, finish, served.now_s) - arrival, known)
    counts = (arrival >= span.begin_s) & (arrival < span.end_s)
    waves = longest_of_waves(times, one.wave, one.size)
    came = np.zeros(len(one.size), bool)
    came[one.wave[counts]] = True
    largest = one.size == one.size.max(initial=1)

    def there(at: float) -> int:
        return int((arrival < at).sum() - (finish < at).sum())

    return Observed(
        passes=_of(times, counts),
        full=_of(waves, came & largest),
        rest=_of(waves, came & ~largest),
        begin=there(span.begin_s),
        end=there(span.end_s),
        completed=int(((finish >= span.begin_s) & (finish < span.end_s)).sum()),
        lost=int((served.status == Status.DROPPED).sum()),
    )


def _of(times: Times, kept: np.ndarray) -> Times:
    return Times(times.seconds[kept], times.known[kept])


def _pooled(each: list[Times]) -> Times:
    return Times(*(np.concatenate(parts) for parts in zip(*each, strict=True)))


def _error(each: np.ndarray) -> float:
    """Standard error of the mean over runs, of which those without a value do not count."""
    known = each[~np.isnan(each)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan
