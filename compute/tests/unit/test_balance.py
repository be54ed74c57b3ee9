"""`share`: instances that work it out by themselves come to rest, even, and no pipeline is left or held twice."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from compute.core.balance import Holding, Share, share


def held(owners: dict[int, str | None]) -> list[Holding]:
    return [Holding(number, owner) for number, owner in owners.items()]


def test_one_instance_takes_all() -> None:
    assert share("a", ["a"], held({1: None, 2: None}), []) == Share(take=frozenset({1, 2}))


def test_an_instance_counts_also_before_its_first_sign_of_life_is_seen() -> None:
    assert share("a", [], held({1: None}), []) == Share(take=frozenset({1}))


def test_what_is_free_goes_to_those_with_the_fewest() -> None:
    owners = held({1: "a", 2: "a", 3: None, 4: None, 5: None})
    assert share("a", ["a", "b"], owners, [1, 2]).take == frozenset({5})
    assert share("b", ["a", "b"], owners, []).take == frozenset({3, 4})


def test_an_owner_with_too_many_gives_one_back_and_only_one_that_runs_well() -> None:
    owners = held(dict.fromkeys(range(1, 6), "a"))
    assert share("a", ["a", "b"], owners, [1, 2, 3]) == Share(give=3)
    assert share("a", ["a", "b"], owners, []) == Share()
    assert share("b", ["a", "b"], owners, []) == Share()


def test_nothing_is_given_back_while_something_is_free() -> None:
    owners = held({1: "a", 2: "a", 3: "a", 4: None})
    assert share("a", ["a", "b"], owners, [1, 2, 3]) == Share()


def test_a_difference_of_one_is_even() -> None:
    assert share("a", ["a", "b"], held({1: "a", 2: "b", 3: "a"}), [1, 3]) == Share()


def test_an_instance_that_is_gone_gets_nothing_and_what_is_overdue_is_anybodys() -> None:
    owners = [Holding(1, "gone"), Holding(2, None), Holding(3, None, overdue=True)]
    assert share("b", ["a", "b"], owners, []).take == frozenset({3})
    assert share("a", ["a", "b"], [Holding(1, None, overdue=True)], []).take == frozenset({1})
    assert share("b", ["a", "b"], [Holding(1, None, overdue=True)], []).take == frozenset({1})


@given(
    st.integers(1, 5).flatmap(
        lambda count: st.tuples(
            st.just([f"i{number}" for number in range(count)]),
            st.lists(st.one_of(st.none(), st.sampled_from([f"i{n}" for n in range(count)] + ["gone"])), max_size=30),
            st.randoms(use_true_random=False),
        )
    )
)
def test_any_beginning_comes_to_rest_evenly(case: tuple[list[str], list[str | None], random.Random]) -> None:
    instances, beginning, chance = case
    owners: dict[int, str | None] = {
        number: None if owner == "gone" else owner for number, owner in enumerate(beginning)
    }
    moves = dict.fromkeys(owners, 0)
    for _ in range(len(owners) * len(instances)):
        me = chance.choice(instances)  # whoever happens to look next
        mine = [number for number, owner in owners.items() if owner == me]
        act = share(me, instances, held(owners), mine)
        for number in act.take:
            assert owners[number] is None
            owners[number] = me
        if act.give is not None:
            assert owners[act.give] == me
            owners[act.give] = None
            moves[act.give] += 1
    for me in instances * 3 * (len(owners) + 1):  # and now fairly, in turns
        act = share(me, instances, held(owners), [n for n, owner in owners.items() if owner == me])
        owners.update(dict.fromkeys(act.take, me))
        if act.give is not None:
            owners[act.give] = None
            moves[act.give] += 1
    counts = [list(owners.values()).count(me) for me in instances]
    assert None not in owners.values()
    assert max(counts) - min(counts) <= 1
    assert sum(moves.values()) <= len(owners)
    assert all(share(me, instances, held(owners), list(owners)) == Share() for me in instances)
