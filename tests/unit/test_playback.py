"""The cursor of a viewer: it follows, rests, plays both ways, and never leaves the match."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from arena.tui.playback import SPEEDS, Playback


def opened(length: int, live: bool) -> Playback:
    playback = Playback()
    playback.open(length, live)
    return playback


def test_a_live_match_is_followed_and_a_stored_one_rests_at_its_start() -> None:
    assert (opened(5, True).at, opened(5, True).mode) == (5, "follow")
    assert (opened(5, False).at, opened(5, False).mode) == (0, "rest")


def test_following_goes_with_the_match_and_resting_does_not() -> None:
    playback = opened(2, True)
    playback.grow(3, True)
    assert playback.at == 3
    playback.toggle()
    playback.grow(6, True)
    assert (playback.at, playback.ahead, playback.mode) == (3, 3, "rest")


def test_going_on_after_a_rest_catches_up_and_follows_again() -> None:
    playback = opened(2, True)
    playback.toggle()
    playback.grow(4, True)
    playback.toggle()
    assert playback.mode == "play"
    assert playback.tick()
    assert playback.tick()
    assert (playback.at, playback.mode) == (4, "follow")


def test_a_followed_match_that_ends_rests_at_its_end() -> None:
    playback = opened(2, True)
    playback.grow(4, False)
    assert (playback.at, playback.mode) == (4, "rest")


def test_playing_a_stored_match_to_its_end_rests_and_begins_again() -> None:
    playback = opened(2, False)
    playback.toggle()
    playback.tick()
    playback.tick()
    assert (playback.at, playback.mode, playback.tick()) == (2, "rest", False)
    playback.toggle()
    assert (playback.at, playback.mode) == (0, "play")


def test_playing_backwards_ends_at_the_first_position() -> None:
    playback = opened(2, False)
    playback.end()
    playback.turn()
    assert playback.backwards
    playback.tick()
    assert playback.at == 1
    playback.tick()
    assert (playback.at, playback.mode) == (0, "rest")


def test_backwards_from_the_start_begins_at_the_end() -> None:
    playback = opened(3, False)
    playback.turn()
    assert (playback.at, playback.mode) == (3, "play")


def test_a_match_that_is_played_anew_takes_the_cursor_back() -> None:
    playback = opened(5, True)
    playback.toggle()
    playback.grow(1, True)
    assert playback.at == 1


def test_an_empty_match_has_nothing_to_play() -> None:
    playback = opened(0, False)
    playback.toggle()
    assert playback.mode == "rest"


KEYS = st.sampled_from(["toggle", "turn", "end", "tick"])
STEPS = st.one_of(
    KEYS.map(lambda name: (name,)),
    st.tuples(st.sampled_from(["step", "go", "faster"]), st.integers(-9, 9)),
    st.tuples(st.just("grow"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("open"), st.integers(0, 9), st.booleans()),
)


@given(st.lists(STEPS, max_size=40))
def test_whatever_is_pressed_the_cursor_stays_within_and_follows_only_what_lives(
    steps: list[tuple[object, ...]],
) -> None:
    playback = Playback()
    for name, *values in steps:
        getattr(playback, str(name))(*values)
        assert 0 <= playback.at <= playback.length
        assert playback.speed in SPEEDS
        assert playback.mode != "follow" or (playback.live and playback.at == playback.length)
