"""The ledger: what is spent and reserved together never passes a limit, in whatever order requests begin and end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.config.prices import check_prices, read_prices
from arena.core.errors import PlayerStopped, UsageError
from arena.core.ledger import Account, Ledger, Price, Reservation, add_up, price_of
from arena.core.player import Usage

PLAYERS = {"openai:a": Price(2.0, 8.0), "gemini:b": Price(0.0, 0.5)}
TOKENS = st.integers(0, 400)


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(PLAYERS)), TOKENS, TOKENS, TOKENS), max_size=60),
    max_tokens=st.integers(0, 3000),
    max_cost=st.floats(0, 0.01),
    before=st.integers(0, 500),
)
def test_no_order_of_reserving_settling_and_releasing_passes_a_limit(
    steps: list[tuple[int, str, int, int, int]], max_tokens: int, max_cost: float, before: int
) -> None:
    ledger = Ledger(PLAYERS, max_cost, max_tokens)
    ledger.begin([Account("openai:a", "a", 1, 0, before, 0, 0, None)])
    most_tokens = max(max_tokens, before)
    most_cost = max(max_cost, 2.0 * before / 1e6)
    flying: list[tuple[Reservation, int, int]] = []
    refused = 0
    for what, player, prompt, completion, took in steps:
        if what < 5 or not flying:
            try:
                flying.append((ledger.reserve(player, player[-1], prompt, completion), prompt, completion))
            except PlayerStopped:
                refused += 1
        else:
            reservation, prompt, completion = flying.pop(what % len(flying))
            if what == 9:
                reservation.release()
            reservation.settle(Usage(min(took, prompt), min(took, completion)))
            reservation.settle(Usage(10**9, 10**9))
            reservation.release()
        reserved = sum(prompt + completion for _, prompt, completion in flying)
        assert ledger.tokens + reserved <= most_tokens
        assert ledger.cost <= most_cost + 1e-9
    for reservation, _, _ in flying:
        reservation.release()
    spent = ledger.tokens
    if spent + 1 <= max_tokens and ledger.cost + 0.5 / 1e6 <= max_cost:
        ledger.reserve("gemini:b", "b", 0, 1).release()  # nothing stays reserved
    assert ledger.tokens == spent


def test_a_request_that_could_pass_the_budget_is_refused_with_the_figures_and_the_way_on() -> None:
    ledger = Ledger({"openai:a": Price(2.0, 8.0)}, max_cost=5.0)
    ledger.reserve("openai:a", "a", 0, 500_000).settle(Usage(0, 500_000))
    with pytest.raises(PlayerStopped) as caught:
        ledger.reserve("openai:a", "a", 0, 200_000)
    assert str(caught.value) == (
        "the budget of 5.00 is spent: 4.0000 are gone, and one more request of openai:a may cost 1.6000. "
        "Resume with a larger --max-cost."
    )
    ledger.reserve("openai:a", "a", 0, 125_000)


def test_the_limits_hold_for_all_players_together() -> None:
    ledger = Ledger(max_tokens=100)
    ledger.reserve("openai:a", "a", 30, 30)
    with pytest.raises(PlayerStopped, match="limit of 100 tokens"):
        ledger.reserve("gemini:b", "b", 30, 30)


def test_accounts_count_requests_retries_tokens_and_money_where_there_is_a_price() -> None:
    ledger = Ledger({"openai:a": Price(1.0, 10.0)})
    ledger.reserve("openai:a", "a", 9, 9).settle(Usage(1000, 200, 50))
    ledger.reserve("openai:a", "a", 9, 9).release()
    ledger.retried("openai:a")
    ledger.reserve("gemini:b", "b", 9, 9).settle(Usage(5, 6))
    first, second = ledger.accounts()
    assert first.cost == pytest.approx(0.003)
    assert replace(first, cost=None) == Account("openai:a", "a", 1, 1, 1000, 200, 50, None)
    assert second == Account("gemini:b", "b", 1, 0, 5, 6, 0, None)


def test_a_limited_cost_refuses_a_player_without_a_price() -> None:
    with pytest.raises(PlayerStopped, match="no price"):
        Ledger(max_cost=1.0).reserve("openai:a", "a", 1, 1)


def test_what_was_spent_before_counts_and_is_priced_once_there_is_a_price() -> None:
    ledger = Ledger({"openai:a": Price(1.0, 1.0)}, max_cost=2.0, max_tokens=3_000_000)
    ledger.begin([Account("openai:a", "a", 7, 0, 1_000_000, 500_000)])
    assert ledger.cost == pytest.approx(1.5)
    with pytest.raises(PlayerStopped, match="budget"):
        ledger.reserve("openai:a", "a", 0, 600_000)
    ledger.reserve("openai:a", "a", 0, 500_000).settle(Usage(0, 100))
    (gained,) = ledger.gained()
    assert (gained.requests, gained.completion_tokens) == (1, 100)
    assert gained.cost == pytest.approx(1e-4)


def test_ranks_share_what_the_limits_leave_and_their_gains_add_up() -> None:
    before = [Account("openai:a", "a", 1, 0, 0, 40)]
    ranks = [Ledger(max_tokens=100) for _ in range(2)]
    for ledger in ranks:
        ledger.begin(before, share=2)
        ledger.reserve("openai:a", "a", 0, 30).settle(Usage(0, 30))
        with pytest.raises(PlayerStopped):
            ledger.reserve("openai:a", "a", 0, 1)
    (whole,) = add_up([*before, *(account for ledger in ranks for account in ledger.gained())])
    assert (whole.requests, whole.tokens) == (3, 100)


def test_a_request_waits_for_those_in_flight_and_is_refused_once_none_is() -> None:
    async def work() -> None:
        ledger = Ledger(max_tokens=100)
        first = ledger.reserve("openai:a", "a", 0, 80)
        second = asyncio.create_task(ledger.reserve_soon("openai:a", "a", 0, 50))
        await asyncio.sleep(0)
        assert not second.done()
        first.settle(Usage(0, 10))
        (await second).settle(Usage(0, 60))
        with pytest.raises(PlayerStopped):
            await ledger.reserve_soon("openai:a", "a", 0, 50)

    asyncio.run(work())


def test_a_price_is_found_by_spec_without_options_and_without_address() -> None:
    prices = {"vllm:m": Price(1, 1), "openai:x?temperature=1": Price(2, 2), "openai:x": Price(3, 3)}
    assert price_of(prices, "vllm:m@http://127.0.0.1:8000/v1?seed=1") == Price(1, 1)
    assert price_of(prices, "openai:x?temperature=1") == Price(2, 2)
    assert price_of(prices, "openai:x?temperature=0") == Price(3, 3)
    assert price_of(prices, "gemini:x") is None


def test_a_file_of_prices_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('["openai:gpt-x"]\nprompt = 2\ncompletion = 8.5\n')
    assert read_prices(str(path)) == {"openai:gpt-x": Price(2.0, 8.5)}
    for text, words in (
        ('["openai:x"]\nprompt = 2\n', "has no completion price"),
        ('["openai:x"]\nprompt = -2\ncompletion = 1\n', "prompt is money per million tokens"),
        ('["openai:x"]\nprompt = inf\ncompletion = 1\n', "prompt is money per million tokens"),
        ('["openai:x"]\nprompt = true\ncompletion = 1\n', "prompt is money per million tokens"),
        ('["openai:x"]\nprompt = 1\ncompletions = 1\n', "Did you mean completion"),
        ('"openai:x" = 3\n', "is no table"),
        ("[", "no valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=words):
            read_prices(str(path))
    with pytest.raises(UsageError, match="Cannot read"):
        read_prices(str(tmp_path / "none.toml"))


def test_a_limited_cost_needs_a_price_of_every_api_player_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('["openai:gpt-x"]\nprompt = 2\ncompletion = 8\n')
    check_prices(str(path), 5.0, ["openai:gpt-x?temperature=0", "random", "ckpt:tiny"])
    check_prices(None, None, ["gemini:other"])
    with pytest.raises(UsageError, match="gemini:other has no price"):
        check_prices(str(path), 5.0, ["openai:gpt-x", "gemini:other"])
    with pytest.raises(UsageError, match="--prices"):
        check_prices(None, 5.0, ["openai:gpt-x"])


def test_a_match_begins_where_it_is_likely_to_end_within_this_ledgers_share() -> None:
    def after_one_match(share: int) -> Ledger:
        ledger = Ledger(max_tokens=1000)
        ledger.begin([Account("openai:a", "a", prompt_tokens=200)], share)
        ledger.reserve("openai:a", "a", 0, 90).settle(Usage(0, 90))
        return ledger

    # With the match before the ledger began, two took 290 tokens; 710 are left of 1000, or 310 of the half.
    assert [after_one_match(1).allows_match(count, 2) for count in (3, 4)] == [True, False]
    assert [after_one_match(2).allows_match(count, 2) for count in (1, 2)] == [True, False]
    assert after_one_match(4).allows_match(0, 2), "one may always be tried"
