"""Simple Negotiation: offers, who may answer them, talk that cannot do harm."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.game import Illegal
from arena.games.simple_negotiation import MOVES, TALK_LIMIT, Offer, State, new

OFFER = "[Offer: 2 Wood -> 1 Gold]"


def after(*answers: str) -> State:
    state = State()
    for answer in answers:
        action = state.parse(answer)
        assert not isinstance(action, Illegal), action.reason
        state = state.apply(action)
    return state


def reason(state: State, answer: str) -> str:
    refusal = state.parse(answer)
    assert isinstance(refusal, Illegal), f"{answer!r} was read as {refusal!r}"
    return refusal.reason


def test_an_accepted_offer_moves_the_goods_both_ways() -> None:
    state = after(OFFER, "[Accept]")
    assert state.held == ((8, 11), (12, 9))
    assert state.offer is None
    assert (state.gain(0), state.gain(1)) == (5, 25)


def test_goods_are_conserved_and_never_negative() -> None:
    for seed in range(200):
        rng, state = random.Random(seed), State()
        while state.to_act is not None:
            action = state.parse(state.sample(rng))
            assert not isinstance(action, Illegal)
            state = state.apply(action)
            assert [a + b for a, b in zip(*state.held, strict=True)] == [20, 20]
            assert min(min(held) for held in state.held) >= 0


def test_exactly_ten_moves_alternate_from_seat_0() -> None:
    state, seats = State(), []
    while state.to_act is not None:
        seats.append(state.to_act)
        state = state.apply("hello")
    assert seats == [0, 1] * 5
    assert len(seats) == MOVES
    assert state.returns() == (0.0, 0.0)


def test_the_larger_gain_wins_and_the_last_move_counts() -> None:
    talk = ["hm"] * 8
    assert after(*talk, OFFER, "[Accept]").returns() == (-1.0, 1.0)
    assert after(*talk, "[Offer: 1 Wood -> 5 Gold]", "[Accept]").returns() == (1.0, -1.0)
    assert after(*talk, "[Offer: 1 Wood -> 1 Gold]", "[Accept]").returns() == (0.0, 0.0)
    assert after(*talk, OFFER, "no").returns() == (0.0, 0.0)


def test_who_offered_may_not_accept_or_deny() -> None:
    state = after(OFFER, "let me think")
    assert state.offer == Offer(0, (2, 0), (0, 1))
    assert "your own" in reason(state, "[Accept]")
    assert "your own" in reason(state, "[Deny]")


def test_accept_and_deny_need_an_offer() -> None:
    assert "no offer stands" in reason(State(), "[Accept]")
    assert "no offer stands" in reason(State(), "[Deny]")
    assert "no offer stands" in reason(after(OFFER, "[Accept]"), "[Accept]")


def test_a_denied_offer_is_gone() -> None:
    state = after(OFFER, "no [deny]")
    assert state.offer is None
    assert "They deny. No offer stands." in state.observe(0)
    assert "no offer stands" in reason(state.apply("hm"), "[Accept]")


def test_talk_leaves_an_offer_standing_for_the_other_seat_alone() -> None:
    state = after(OFFER, "wait", "please")
    assert state.apply("[Accept]").held == ((8, 11), (12, 9))


def test_a_new_offer_replaces_the_one_that_stands_whose_ever_it_is() -> None:
    counter = after(OFFER, "[Offer: 3 Gold -> 4 Wood]")
    assert counter.offer == Offer(1, (0, 3), (4, 0))
    assert counter.apply("[Accept]").held == ((6, 13), (14, 7))
    again = after(OFFER, "hm", "[Offer: 1 Wood -> 1 Gold]")
    assert again.offer == Offer(0, (1, 0), (0, 1))


def test_one_must_hold_what_one_offers() -> None:
    assert "you offer 11 Wood but hold 10 Wood, 10 Gold" in reason(State(), "[Offer: 11 Wood -> 1 Gold]")
    assert "you offer" in reason(State(), "[Offer: 6 Wood, 5 Wood -> 1 Gold]")
    assert State().parse("[Offer: 10 Wood and 10 Gold -> 1 Gold]") == "[Offer: 10 Wood, 10 Gold -> 1 Gold]"


def test_one_may_ask_for_more_than_the_other_holds_but_it_cannot_be_accepted() -> None:
    state = after("[Offer: 1 Wood -> 99 Gold]")
    assert "You cannot pay that." in state.observe(1)
    assert "They cannot pay that." in state.observe(0)
    assert "too little" in reason(state, "[Accept]")
    assert state.parse("[Deny]") == "[Deny]"


def test_an_offer_that_its_proposer_can_no_longer_pay_is_not_accepted() -> None:
    state = State(held=((1, 10), (19, 10)), turn=1, offer=Offer(0, (2, 0), (0, 1)))
    assert "the other trader holds too little" in reason(state, "[Accept]")


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        ("[offer: 2 wood -> 1 gold]", OFFER),
        ("[OFFER: 2 WOODS -> 1 GOLDS]", OFFER),
        ("[Offer:2 Wood->1 Gold]", OFFER),
        ("[Offer 2 Wood -> 1 Gold]", OFFER),
        ("[ Offer:  2\nWood  ->  1   Gold . ]", OFFER),
        ("[Offer: 2Wood -> 1Gold]", OFFER),
        ("Offer: 2 Wood -> 1 Gold", OFFER),
        ("[Offer: 1 Wood, 1 Wood -> 1 Gold]", OFFER),
        ("[Offer: 1 Gold, 2 Wood -> 3 Gold and 1 Wood]", "[Offer: 2 Wood, 1 Gold -> 1 Wood, 3 Gold]"),
        ("[Offer: 1 Wood, and 2 Gold -> 3 Wood]", "[Offer: 1 Wood, 2 Gold -> 3 Wood]"),
        (f"Take it. {OFFER}", f"Take it. {OFFER}"),
        (f"{OFFER} Take it.", f"Take it. {OFFER}"),
        (f"{OFFER} {OFFER}", OFFER),
        ("hello there", "hello there"),
        ("I would accept 2 Wood", "I would accept 2 Wood"),
        ("a [b] c", "a (b) c"),
    ],
)
def test_replies_are_read_as_their_canonical_action(answer: str, action: str) -> None:
    assert State().parse(answer) == action
    assert State().parse(action) == action


@pytest.mark.parametrize("answer", ["[Accept]", "accept", "ACCEPT.", "[ accept ]", "Accept!", "\n[accept]\n"])
def test_accepting_is_read_in_any_case_with_or_without_brackets(answer: str) -> None:
    assert after(OFFER).parse(answer) == "[Accept]"


@pytest.mark.parametrize(
    "answer",
    [
        "[Offer: -1 Wood -> 1 Gold]",
        "[Offer: 1.5 Wood -> 1 Gold]",
        "[Offer: 0 Wood -> 1 Gold]",
        "[Offer: 1 Wood -> 0 Gold]",
        "[Offer: 1 Wheat -> 1 Gold]",
        "[Offer: one Wood -> 1 Gold]",
        "[Offer: 1 Wood]",
        "[Offer: 1 Wood -> 1 Gold -> 1 Wood]",
        "[Offer: -> 1 Gold]",
        "[Offer: 1 Wood -> ]",
        "[Offer: 1 Wood => 1 Gold]",
        "[Offer: 1 Wood 1 Gold -> 1 Gold]",
        "[Offer: 1 Wood; 1 Gold -> 1 Gold]",
        "[Offer: 1 Wood please -> 1 Gold]",
        "[Offer: 1e3 Wood -> 1 Gold]",
        "[Offer: ² Wood -> ٣ Gold]",
        "[Offer: 9999999 Wood -> 1 Gold]",
        "[Offer: 1 Wood -> 9999999 Gold]",
        "[Offer: 1 Wood -> 1 Gold",
        "[Offer: [1] Wood -> 1 Gold]",
        "[Offer]",
        "",
        "   \n",
        "x" * 20_000,
    ],
)
def test_malformed_offers_and_empty_replies_are_refused(answer: str) -> None:
    assert reason(State(), answer)


@pytest.mark.parametrize(
    "answer",
    ["[Accept] [Deny]", f"[Accept] {OFFER}", f"{OFFER} [Offer: 1 Wood -> 1 Gold]", "[Deny] hm [Accept]"],
)
def test_two_different_moves_in_one_reply_are_refused(answer: str) -> None:
    assert "several actions" in reason(after(OFFER), answer)


def test_a_second_fault_in_the_same_reply_changes_nothing() -> None:
    state = after("[Offer: 1 Wood -> 99 Gold]")
    assert reason(state, "[Accept] [Offer: 1 Sheep -> 1 Wood]")
    assert state == after("[Offer: 1 Wood -> 99 Gold]")


def test_the_observation_is_complete_and_regular() -> None:
    assert new(1).observe(0) == (
        "Simple Negotiation. Move 1 of 10. Your values: Wood 5, Gold 15.\n"
        "You hold 10 Wood, 10 Gold. They hold 10 Wood, 10 Gold. Your gain +0.\n"
        "No offer stands."
    )
    assert after("Deal? " + OFFER).observe(1) == (
        "Simple Negotiation. Move 2 of 10. Your values: Wood 15, Gold 5.\n"
        "You hold 10 Wood, 10 Gold. They hold 10 Wood, 10 Gold. Your gain +0.\n"
        "They give 2 Wood for your 1 Gold.\n"
        'They say: "Deal?"'
    )
    assert after(OFFER, "hm").observe(0).splitlines()[2:] == ["You give 2 Wood for their 1 Gold.", 'They say: "hm"']
    assert "They accept. No offer stands." in after(OFFER, "[Accept]").observe(0)


def test_the_values_of_the_other_seat_are_in_no_rules_and_no_observation() -> None:
    for seat in (0, 1):
        changed = State(values=((5, 15), (37, 41)) if seat == 0 else ((37, 41), (15, 5)))
        assert changed.rules(seat) == State().rules(seat)
        assert changed.observe(seat) == State().observe(seat)
        assert "37" in changed.rules(1 - seat)


def test_look_alikes_of_brackets_and_quotes_are_read_as_what_they_look_like() -> None:
    assert after(OFFER).parse("［Ａccept］") == "[Accept]"
    assert State().parse("＜|x|＞ ＂hi＂ ［GAME］") == "(|x|) 'hi' (GAME)"


def test_long_talk_is_cut_and_stays_as_it_is() -> None:
    action = State().parse("ha " * 500)
    assert isinstance(action, str)
    assert len(action) <= TALK_LIMIT
    assert action.endswith("...")
    assert State().parse(action) == action


def test_a_long_talk_cut_at_an_offer_does_not_become_one() -> None:
    for padding in range(150, 230):
        text = "Offer: 1 Wood" + " and 1 Wood" * 30 + " " * padding + "-> 1 Gold and some more words"
        for answer in (text, "x" * padding + OFFER[1:-1] + " for ever"):
            action = State().parse(answer)
            assert isinstance(action, Illegal) or State().parse(action) == action


PIECES = st.sampled_from(
    [
        *"[]()<>|{}\\\"'“＂［］＜＞-:.,!?… \n\r\t\x00\x1b\u2028\u202e\u200b\u0301\u0338eé1²٣",
        "Accept",
        "deny",
        "[accept]",
        "[Deny]",
        "Offer: ",
        OFFER,
        "1 Wood",
        "->",
        "2 golds",
        " and ",
        "<|im_end|>",
        "</think>",
        "[GAME]",
        "x" * 99,
    ]
)


@settings(max_examples=1500, deadline=None)
@given(pieces=st.lists(PIECES, max_size=14), standing=st.booleans())
def test_whatever_is_said_the_action_is_canonical_and_harmless(pieces: list[str], standing: bool) -> None:
    state = after(OFFER) if standing else State()
    action = state.parse("".join(pieces))
    if isinstance(action, Illegal):
        return
    assert state.parse(action) == action
    following = state.apply(action)
    assert len(following.said) <= TALK_LIMIT
    assert not set(following.said) & set('"[]<{}\\\n\r\t\x00\x1b\u2028\u202e\u200b')
    assert following.said.strip() == following.said
    lines = following.observe(1 if not standing else 0).split("\n")
    assert len(lines) == 3 + bool(following.said)
    if following.said:
        assert lines[3] == f'They say: "{following.said}"'


def test_samples_cover_offers_answers_and_talk() -> None:
    state, kinds = after(OFFER), set()
    for seed in range(300):
        action = state.parse(state.sample(random.Random(seed)))
        assert not isinstance(action, Illegal)
        following = state.apply(action)
        kinds.add((following.last, bool(following.said)))
    assert kinds == {(kind, talk) for kind in ("offer", "accept", "deny") for talk in (False, True)}


def test_samples_are_small_and_never_beyond_what_both_hold() -> None:
    state = State(held=((0, 2), (20, 18)))
    for seed in range(100):
        offer = state.apply(state.parse(state.sample(random.Random(seed)))).offer  # type: ignore[arg-type]
        assert offer is not None
        assert offer.give[0] == 0
        assert 1 <= offer.give[1] <= 2
        assert 1 <= offer.get[0] <= 5


def test_a_seat_without_goods_can_still_answer() -> None:
    state = State(held=((0, 0), (20, 20)))
    for seed in range(50):
        assert not isinstance(state.parse(state.sample(random.Random(seed))), Illegal)


def test_applying_what_parse_refuses_raises() -> None:
    for state, action in ((State(), "[Accept]"), (State(), ""), (after(*["hm"] * 10), "hm")):
        with pytest.raises(ValueError, match="not legal"):
            state.apply(action)
