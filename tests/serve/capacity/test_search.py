"""The search against the closed form of the queue M/M/c, and on fleets made up for it."""

import heapq

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.capacity import Experience, Limits, least_fleet

WAIT = Limits(ttft_s=1.0)


def erlang_c(servers, load):
    """Chance to wait in M/M/c (Erlang C, from the recursion of Erlang B)."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def queue(load, seeds=4, requests=30_000):
    """Waits in M/M/c, first come, first served, with services of mean 1 s."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(1.0 / load, (seeds, requests)), axis=-1)
    services = rng.exponential(1.0, (seeds, requests))

    def run(gpus, arrives, takes):
        free, waits = [0.0] * gpus, []
        for at, seconds in zip(arrives.tolist(), takes.tolist(), strict=True):
            begin = max(at, free[0])
            heapq.heapreplace(free, begin + seconds)
            waits.append(begin - at)
        return everybody(np.array(waits))

    return lambda gpus: [run(gpus, *of_seed) for of_seed in zip(times, services, strict=True)]


def everybody(ttft_s):
    number = len(ttft_s)
    return Experience(
        np.zeros(number, int), ttft_s, np.full(number, np.nan), np.zeros(number, bool)
    )


def made_up(passes, seen=None):
    """A fleet in which seed s passes at the sizes passes[s]."""

    def trial(gpus):
        if seen is not None:
            seen.append(gpus)
        return [everybody(np.full(3, 0.5 if gpus in sizes else 2.0)) for sizes in passes]

    return trial


@pytest.mark.parametrize(("load", "start"), [(20.0, 20), (20.0, 40), (10.0, 11)])
def test_the_least_number_of_servers_is_that_of_the_closed_form(load, start):
    # the chance to wait longer than t is C(c, load) exp(-(c - load) t)
    chance = {c: erlang_c(c, load) * np.exp(load - c) for c in range(int(load) + 1, 60)}
    exact = min(c for c, p in chance.items() if p <= 0.01)
    found = least_fleet(queue(load), WAIT, classes=1, start=start, most=60)
    assert found.gpus == exact
    assert found.smaller_passed == ()
    assert found.below is not None
    assert found.at.gpus - found.below.gpus == 1
    assert found.at.measured.ttft_s.mean() <= 1.0 < found.below.measured.ttft_s.mean()
    assert found.confirmed.share >= 0.5


@pytest.mark.parametrize("least", range(1, 31))
@pytest.mark.parametrize("start", [1, 9, 30])
def test_every_answer_is_found_from_everywhere_and_no_size_is_simulated_twice(least, start):
    seen = []
    trial = made_up([range(least, 31)] * 2, seen)
    found = least_fleet(trial, WAIT, classes=1, start=start, most=30)
    assert found.gpus == least
    assert len(seen) == len(set(seen)) <= 14
    assert [tried.gpus for tried in found.tried] == sorted(seen)
    assert (found.below is None) == (least == 1)
    assert found.confirmed[0] == 1.0


def test_a_smaller_fleet_that_passes_is_reported():
    found = least_fleet(made_up([[7, *range(10, 40)]]), WAIT, classes=1, start=16, most=40)
    assert found.gpus == 10
    assert found.smaller_passed == (7,)
    unseen = least_fleet(
        made_up([[7, *range(10, 40)]]), WAIT, classes=1, start=16, most=40, check=0
    )
    assert unseen.smaller_passed == ()


def test_seeds_vote_and_their_share_has_an_interval():
    passes = [range(8, 40)] * 3 + [range(9, 40)] * 4 + [range(12, 40)]
    half = least_fleet(made_up(passes), WAIT, classes=1, start=10, most=40)
    assert (half.gpus, half.at.share.share) == (9, 7 / 8)
    assert half.below is not None
    assert half.below.share.share == 3 / 8
    assert half.confirmed.share == 4 / 8
    # Clopper and Pearson's interval of 4 in 8, from their table
    assert half.confirmed[1:] == pytest.approx((0.157, 0.843), abs=5e-4)
    sure = least_fleet(made_up(passes), WAIT, classes=1, start=10, most=40, seeds_share=1.0)
    assert sure.gpus == 12


def test_limits_beyond_the_largest_fleet_say_what_was_reached():
    with pytest.raises(InputError, match=r"`max_gpus` = 8 GPUs .*ttft_s 2, abandonment 0 in"):
        least_fleet(made_up([range(9, 40)]), WAIT, classes=1, start=3, most=8)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"most": 0}, "`max_gpus`"), ({"most": 9, "seeds_share": 0.0}, "`seeds_share`")],
)
def test_sizes_and_shares_are_in_range(options, words):
    with pytest.raises(InputError, match=words):
        least_fleet(made_up([[1]]), WAIT, classes=1, start=1, **options)
