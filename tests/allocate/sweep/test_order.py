"""In which order points are asked, and what follows from infeasible ones."""

import itertools
import math

import pytest

from lpo.allocate.sweep.order import Answer, Infeasible, loosest, row_order


def ask_all(count, has_plan):
    """Every ask of a row whose point i has a plan iff has_plan(i)."""
    order, asks = row_order(count), []
    ask = next(order)
    while True:
        asks.append(ask)
        plan = has_plan(ask.index)
        try:
            ask = order.send(Answer(plan, not plan))
        except StopIteration:
            return asks


@pytest.mark.parametrize("count", [1, 2, 3, 8, 11])
def test_every_point_is_asked_once_and_started_from_the_next_tighter_plan(count):
    for first in range(count + 1):
        asks = ask_all(count, lambda i, first=first: i >= first)
        assert sorted(ask.index for ask in asks) == list(range(count))
        known = set()
        for ask in asks:
            if ask.start is not None:
                assert ask.start == max(i for i in known if i < ask.index)
            if ask.index >= first:
                known.add(ask.index)


@pytest.mark.parametrize("count", [5, 8, 11])
def test_few_infeasible_points_of_a_row_are_solved(count):
    for first in range(count + 1):
        infeasible, solved = Infeasible((1, count)), 0
        for ask in ask_all(count, lambda i, first=first: i >= first):
            if ask.index < first and not infeasible.implies((0, ask.index)):
                infeasible.add((0, ask.index))
                solved += 1
        assert solved <= 1 + math.ceil(math.log2(count))


def test_a_point_without_an_answer_is_no_start_and_rules_nothing_out():
    order = row_order(4)
    asks = [next(order)]
    for plan in (False, True, True):  # a time limit struck at the loosest
        asks.append(order.send(Answer(plan, False)))
    assert [ask.index for ask in asks] == [3, 0, 1, 2]
    assert [ask.start for ask in asks] == [None, None, 0, 1]


def test_what_is_tighter_in_both_scales_is_implied():
    infeasible = Infeasible((3, 3))
    infeasible.add((1, 2))
    implied = {p for p in itertools.product(range(3), range(3)) if infeasible.implies(p)}
    assert implied == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)}


def test_the_loosest_cause_does_not_depend_on_the_order_in_which_points_were_found():
    points = [(0, 0), (0, 1), (1, 0), (2, 0), (0, 2)]
    causes = {(0, 0): (2, 0), (0, 1): (0, 2), (1, 0): (2, 0), (2, 0): (2, 0), (0, 2): (0, 2)}
    for order in itertools.permutations(points):
        assert loosest(order) == causes
