"""How long a player waits, and how many requests a server gets at once."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.players._api.pace import COOLDOWN_SECONDS, START, Pace, pace_of
from arena.players._api.waiting import BASE_SECONDS, CAP_SECONDS, LONGEST_ASKED, asked_wait, backoff


@given(st.integers(1, 2000), st.integers())
def test_a_wait_is_jitter_under_a_ceiling_that_doubles(tries: int, seed: int) -> None:
    wait = backoff(tries, None, random.Random(seed))
    assert 0 <= wait <= min(CAP_SECONDS, BASE_SECONDS * 2 ** (min(tries, 64) - 1))


def test_waits_spread_over_the_whole_ceiling() -> None:
    waits = [backoff(20, None, random.Random(seed)) for seed in range(2000)]
    assert min(waits) < 0.05 * CAP_SECONDS
    assert max(waits) > 0.95 * CAP_SECONDS
    assert sum(waits) / len(waits) == pytest.approx(CAP_SECONDS / 2, rel=0.05)


@given(st.integers(1, 60), st.floats(0, LONGEST_ASKED), st.integers())
def test_nobody_comes_back_before_the_server_asked_them_to(tries: int, asked: float, seed: int) -> None:
    wait = backoff(tries, asked, random.Random(seed))
    assert asked <= wait <= asked * 1.1 + 1


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry-after": "12"}, "", 12),
        ({"retry-after": " 0.5 "}, "", 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({}, "", None),
        ({"retry-after": "1e9"}, "", None),
        ({"retry-after": "1000000000"}, "", None),
        ({"retry-after": "-3"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": ""}, "", None),
        ({}, '{"retryDelay": "34.5s"}', 34.5),
        ({"retry-after": "2"}, '{"retryDelay": "34s"}', 2),
    ],
)
def test_a_server_is_believed_where_it_makes_sense(headers: dict[str, str], text: str, seconds: float | None) -> None:
    assert asked_wait(headers, text) == seconds


def test_a_date_counts_by_the_servers_own_clock() -> None:
    then = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    headers = {"date": format_datetime(then, usegmt=True)}
    later = format_datetime(then + timedelta(seconds=40), usegmt=True)
    assert asked_wait(headers | {"retry-after": later}) == 40
    past = format_datetime(then - timedelta(days=1), usegmt=True)
    assert asked_wait(headers | {"retry-after": past}) == 0
    assert asked_wait(headers | {"retry-after": format_datetime(then + timedelta(days=9), usegmt=True)}) is None
    soon = datetime.now(UTC) + timedelta(seconds=20)
    found = asked_wait({"retry-after": format_datetime(soon, usegmt=True)})
    assert found is not None
    assert 15 < found <= 20


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_date_by_a_clock_that_is_hours_off_is_no_wait(hours: int) -> None:
    asked = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    assert asked_wait({"retry-after": asked}) is None, "neither at once, again and again, nor for an hour"


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_refusals_shrink_the_limit_once_an_episode_and_never_below_one() -> None:
    clock = Clock()
    pace = Pace(now=clock)
    assert pace.limit == START
    for _ in range(20):
        pace.refused()
    assert pace.limit == 16
    clock.time += COOLDOWN_SECONDS
    pace.refused()
    assert pace.limit == 12
    for _ in range(100):
        clock.time += COOLDOWN_SECONDS
        pace.refused()
    assert pace.limit == 1


def test_good_rounds_let_it_grow_up_to_its_most() -> None:
    pace = Pace(now=Clock())
    for _ in range(19):
        pace.answered()
    assert pace.limit == 20
    pace.answered()
    assert pace.limit == 21
    for _ in range(200_000):
        pace.answered()
    assert pace.limit == 1000
    pace.cap(50)
    assert pace.limit == 50


def test_a_refusal_begins_the_round_anew() -> None:
    pace = Pace(now=Clock())
    for _ in range(19):
        pace.answered()
    pace.refused()
    pace.answered()
    assert pace.limit == 16


def test_it_comes_back_from_a_limit_of_one() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    pace.refused()
    clock.time += COOLDOWN_SECONDS
    pace.refused()
    assert pace.limit == 1
    for _ in range(30):
        pace.answered()
    assert pace.limit == 2


def test_slots_are_never_more_than_the_limit_and_go_out_in_order() -> None:
    async def run() -> None:
        pace = Pace(3)
        order: list[int] = []
        most = 0

        async def work(number: int) -> None:
            nonlocal most
            async with pace.slot():
                order.append(number)
                most = max(most, pace.busy)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(number) for number in range(50)))
        assert order == sorted(order)
        assert most == 3
        assert pace.busy == 0

    asyncio.run(run())


@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["cancel", "step", "fail"])), max_size=40))
def test_whatever_is_cancelled_no_slot_is_lost(plan: list[tuple[int, str]]) -> None:
    async def run() -> None:
        pace = Pace(2)
        gates = [asyncio.Event() for _ in range(12)]

        async def work(number: int) -> None:
            async with pace.slot():
                await gates[number].wait()

        tasks = [asyncio.ensure_future(work(number)) for number in range(12)]
        for number, deed in plan:
            if deed == "cancel":
                tasks[number].cancel()
            elif deed == "fail":
                gates[number].set()  # its end and somebody's cancellation fall into one pass of the loop
                tasks[(number + 1) % 12].cancel()
            else:
                await asyncio.sleep(0)
            assert pace.busy <= 2
        for gate in gates:
            gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pace.busy == 0
        async with pace.slot(), pace.slot():
            assert pace.busy == 2

    asyncio.run(run())


def test_one_model_of_a_server_has_one_pace_and_the_smallest_number_holds() -> None:
    async def run() -> None:
        assert pace_of("a:1", "m", 64).limit == 64
        assert pace_of("a:1", "m") is pace_of("a:1", "m")
        assert pace_of("a:1", "m", 8).limit == 8
        assert pace_of("a:1", "m", 100).limit == 8
        assert pace_of("a:1", "n").limit == START
        assert pace_of("b:1", "m").limit == START

    asyncio.run(run())
    asyncio.run(run())  # another loop, another pace
