"""What is said of methods in place of bare objectives: what f* is, the KKT error, a score."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from lpo.l2o.command.competing import Entry
from lpo.l2o.command.world import World, reported
from lpo.l2o.contest import Drawn
from lpo.l2o.family import Family, Least, Score
from lpo.l2o.measures import or_worst


def value_name(family: Family) -> str:
    """Return what a value is."""
    return "objective" if family.reported is None else family.reported.name


def with_least(family: Family, world: World, entries: list[Entry]) -> World:
    """Return the world with the f* of families whose labels are near-optima: the least that a label
    or anybody came to."""
    if family.least is not Least.BEST_KNOWN:
        return world
    found = [trace.value[:, -1] for entry in entries for trace in entry.traces]
    values = reported(family, or_worst(jnp.stack(found)))
    return world._replace(least=jnp.minimum(world.least, values.min(0)))


def said(family: Family, entries: list[Entry]) -> list[Entry]:
    """Return entries whose values are what is reported of objectives."""
    return [
        entry._replace(
            traces=[each._replace(value=reported(family, each.value)) for each in entry.traces]
        )
        for entry in entries
    ]


def said_of_samples(family: Family, drawn: list[Drawn]) -> list[Drawn]:
    """Return samples likewise."""
    return [
        one._replace(each=one.each._replace(value=reported(family, one.each.value)))
        for one in drawn
    ]


def scored(score: Score, entry: Entry) -> float:
    """Return the mean score of the last best points of an entry."""
    of_all = jax.jit(partial(jax.lax.map, score.of))
    return float(np.mean([np.asarray(of_all(trace.x)) for trace in entry.traces]))
