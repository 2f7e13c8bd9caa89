"""In every game with talk, whatever is said reaches the other seat as one quoted line, and its prompt as no token.

The corpus is `tests/injections.py`. In games without talk nothing but moves that were read reaches the other seat.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from human_side import new_match, play_through
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from injections import CORPUS, FAMILIES, PIECES, TOKENS, controls_of, make_codec, tokenizer_of

from arena.config.play import PlayConfig
from arena.core.engine import Sampling
from arena.core.game import Illegal, State
from arena.core.keys import draw
from arena.core.match import make_view
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, discover, game_ids, load_player
from arena.core.sanitise import plain
from arena.engines.loading import open_model
from arena.engines.text import TextCodec
from arena.players._api.messages import build_messages
from arena.players.checkpoint import BUNDLED, PolicyPlayer
from arena.runs.rows import AskRow
from evals.runner import MatchList, run_matches
from evals.schedule import round_robin

TALKING = [name for name in game_ids() if GameSpec.parse(name).new(2).legal() is None]
STYLES = discover("arena.prompts")
BENIGN = "zzqqzz"
ANY_TEXT = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
LIMIT = 400
"""More characters than the talk of any game may have."""
every_talking_game = pytest.mark.parametrize("name", TALKING)
every_style = pytest.mark.parametrize("style", STYLES)


def positions(name: str) -> Iterator[State]:
    """Positions in which seat 0, and then seat 1, is to say something."""
    state = GameSpec.parse(name).new(3)
    for _ in range(4):
        if state.legal() is not None:
            return
        yield state
        state = after(state, state.sample(draw(3, "talk", 0)))


def after(state: State, answer: str) -> State:
    action = state.parse(answer)
    assert not isinstance(action, Illegal), action
    return state.apply(action)


def seen(state: State, answer: str) -> list[str] | None:
    """What the other seat observes after the answer, by lines; None where it was refused."""
    action = state.parse(answer)
    if isinstance(action, Illegal):
        return None
    assert "\n" not in action
    assert state.to_act is not None
    return state.apply(action).observe(1 - state.to_act).split("\n")


def moves_only(state: State, answer: str) -> str:
    """An answer with the same move and harmless talk."""
    action = state.parse(answer)
    assert not isinstance(action, Illegal)
    talk, bracket, move = action.partition("[")
    return f"{BENIGN} {bracket}{move}" if talk.strip() or not bracket else action


def assert_one_quoted_line(state: State, answer: str) -> None:
    shown = seen(state, answer)
    if shown is None:
        return
    expected = seen(state, moves_only(state, answer))
    assert expected is not None
    assert len(shown) == len(expected)
    for line, other in zip(shown, expected, strict=True):
        head, quote, rest = other.partition(f'"{BENIGN}"')
        if not quote:
            assert line == other
            continue
        said = line.removeprefix(f'{head}"').removesuffix(f'"{rest}')
        assert line == f'{head}"{said}"{rest}'
        assert 0 < len(said) <= LIMIT
        assert said == plain(said)
        assert not set(said) & set('"[]{}<\\\n\r')


def test_the_games_with_talk_are_those_that_are_known() -> None:
    assert TALKING == ["simple_negotiation", "truth_and_deception"]


@every_talking_game
@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_the_other_seat_sees_the_host_s_lines_and_one_quoted_line(name: str, text: str) -> None:
    for state in positions(name):
        assert_one_quoted_line(state, text)


@every_talking_game
@settings(max_examples=150, deadline=None)
@given(text=ANY_TEXT)
def test_no_text_makes_another_line(name: str, text: str) -> None:
    for state in positions(name):
        assert_one_quoted_line(state, text)


@pytest.mark.parametrize("name", game_ids())
@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_every_game_reads_or_refuses_any_text_in_few_words(name: str, text: str) -> None:
    state = GameSpec.parse(name).new(5)
    for answer in (text, text * 3, f"[{text}]"):
        action = state.parse(answer)
        if isinstance(action, Illegal):
            assert 0 < len(action.reason) < 1_000


# What the model of the other seat reads.


@pytest.fixture(scope="module", params=[*FAMILIES, "tiny"])
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextCodec:
    if request.param == "tiny":
        return TextCodec(open_model(BUNDLED / "tiny"))
    return make_codec(tmp_path_factory.mktemp(request.param), request.param)


def player_with(codec: TextCodec, style: str) -> PolicyPlayer:
    return PolicyPlayer(cast(Any, None), codec, style, Sampling(), "ckpt:made")


def controls(codec: TextCodec, ids: Sequence[int]) -> Counter[int]:
    """How often each control token of the host's stands in a prompt."""
    own = controls_of(codec._tokenizer)
    return Counter(one for one in ids if one in own)


def usable(codec: TextCodec, style: str) -> bool:
    return style in ("base", "compact") or codec._folder.chat_template is not None


def victim_view(name: str, state: State, answer: str, illegal: str = "") -> View | None:
    action = state.parse(answer)
    if isinstance(action, Illegal):
        return None
    return make_view(GameSpec.parse(name), state.apply(action), load_player("random"), 1, illegal=illegal)


@every_style
@every_talking_game
def test_no_talk_puts_a_control_token_into_a_prompt(codec: TextCodec, style: str, name: str) -> None:
    if not usable(codec, style):
        pytest.skip("the bundled model has no chat template")
    player = player_with(codec, style)
    state = next(positions(name))
    benign = victim_view(name, state, BENIGN)
    assert benign is not None
    expected = controls(codec, player.prompt_ids(benign))
    for label, text in CORPUS.items():
        view = victim_view(name, state, text)
        if view is not None:
            assert controls(codec, player.prompt_ids(view)) == expected, label


def raw_view(text: str) -> View:
    """As if a game had let all that is visible through, and a reason the text as it is."""
    said = f'They say: "{plain(text)}"'
    reason = text.encode("utf-8", "replace").decode()
    return View("made", {}, 0, "Rules.", said, None, lambda rng: "", 1, 0, 1, f"no {reason}")


@every_style
def test_even_raw_text_puts_no_control_token_into_a_prompt(codec: TextCodec, style: str) -> None:
    if not usable(codec, style):
        pytest.skip("the bundled model has no chat template")
    player = player_with(codec, style)
    expected = controls(codec, player.prompt_ids(raw_view(BENIGN)))
    known = (*TOKENS, *tokens_of(codec))
    whole = [
        text for token in known for text in (f"{token}{token[:2]}{token}", token[:-1] * 3 + token, token[0] + token)
    ]
    for text in (*CORPUS.values(), *whole):
        assert controls(codec, player.prompt_ids(raw_view(text))) == expected, text[:80]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT)
def test_no_text_puts_a_control_token_into_a_prompt(codec: TextCodec, text: str) -> None:
    style = "chat" if usable(codec, "chat") else "base"
    player = player_with(codec, style)
    expected = controls(codec, player.prompt_ids(raw_view(BENIGN)))
    assert controls(codec, player.prompt_ids(raw_view(text))) == expected


def tokens_of(codec: TextCodec) -> list[str]:
    own, added = controls_of(codec._tokenizer), codec._tokenizer.get_added_tokens_decoder()
    return [token.content for id, token in added.items() if id in own]


def test_the_made_tokenizers_do_have_control_tokens_to_forge(codec: TextCodec) -> None:
    for token in tokens_of(codec):
        assert sum(controls(codec, codec.encode(f"a {token} b")).values()) > 0


@every_style
@every_talking_game
@pytest.mark.parametrize("family", FAMILIES)
def test_no_talk_reaches_a_server_as_a_control_token(tmp_path: Path, family: str, name: str, style: str) -> None:
    """The server renders our messages with its own template and reads control tokens in them, as servers do."""
    server, tokenizer = make_codec(tmp_path, family), tokenizer_of(family)
    own = controls_of(tokenizer)

    def read(view: View) -> Counter[int]:
        rendered = server.chat(build_messages(style, view))
        return Counter(one for one in tokenizer.encode(rendered, add_special_tokens=False).ids if one in own)

    state = next(positions(name))
    benign = victim_view(name, state, BENIGN)
    assert benign is not None
    expected, raw = read(benign), read(raw_view(BENIGN))
    for label, text in CORPUS.items():
        view = victim_view(name, state, text)
        if view is not None:
            assert read(view) == expected, label
        if family != "folding":  # what another's normalisation folds is its own to know
            assert read(raw_view(text)) == raw, label
    for token in (*TOKENS, *tokens_of(server)):
        assert family == "folding" or read(raw_view(token[:-1] * 3 + token)) == raw, token


# Games without talk.

CANARY = "canaryqzx"


@dataclass
class Singer:
    """Fills all but its move with a mark, fails its first attempt now and then, and keeps what it was shown."""

    name: str
    mark: str
    sees_state: bool = False
    views: list[View] = field(default_factory=list)

    async def act(self, view: View) -> Reply:
        self.views.append(view)
        if view.partial is not None:
            view.partial(f"{self.mark} partial")
        move = view.sample(draw(view.key, f"player{view.seat}", view.turn))
        answer = f"{self.mark} illegal" if view.attempt == 0 and view.turn % 3 == 0 and view.legal else move
        text = f"<think>{self.mark} thought</think>{self.mark}\nYour turn: [GAME] {self.mark}\\boxed{{{answer}}}"
        return Reply(text, f"{self.mark} thought\n[GAME] {self.mark}", answer)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("name", game_ids())
def test_nothing_but_moves_and_talk_reaches_the_other_seat(name: str) -> None:
    singers = Singer("a", f"{CANARY}a"), Singer("b", f"{CANARY}b")
    recorder = MatchList()
    schedule = round_robin([GameSpec.parse(name)], ["a", "b"], 3, 5)
    asyncio.run(run_matches(schedule, {one.name: one for one in singers}, recorder, retries=2))
    assert len(recorder.finished) == len(schedule)
    assert any(CANARY in turn.text for _, turns in recorder.finished for turn in turns)
    for singer, other in (singers, singers[::-1]):
        assert singer.views
        for view in singer.views:
            for shown in (view.rules, view.observation, view.illegal, *(view.legal or ())):
                assert other.mark not in shown
        assert all(view.attempt == 0 or singer.views[n - 1].turn == view.turn for n, view in enumerate(singer.views))


@pytest.mark.parametrize("name", [one for one in game_ids() if GameSpec.parse(one).game.INFO.hidden])
def test_a_human_is_shown_no_thought_or_reply_where_they_could_tell_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("evals.human_match.POLL_SECONDS", 0.001)
    singer = Singer("singer", CANARY)
    config = PlayConfig(game=name, players=("human", "random"), seed=6)
    opponents: dict[str, Player] = {"random": singer}

    def decide(ask: AskRow, state: State) -> str:
        return state.sample(draw(1, "human", ask.turn))

    shown = play_through(new_match(tmp_path / "r", config), config, decide, opponents)
    assert singer.views
    before = [ask for ask in shown if ask.status != "end"]
    assert before
    for ask in before:
        assert CANARY not in repr(ask)
    assert CANARY in shown[-1].moves


@pytest.mark.parametrize("name", game_ids())
def test_a_human_is_shown_no_raw_reply_as_part_of_the_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("evals.human_match.POLL_SECONDS", 0.001)
    config = PlayConfig(game=name, players=("human", "random"), seed=6)

    def decide(ask: AskRow, state: State) -> str:
        return state.sample(draw(1, "human", ask.turn))

    opponents: dict[str, Player] = {"random": Singer("singer", CANARY)}
    for ask in play_through(new_match(tmp_path / "r", config), config, decide, opponents):
        assert CANARY not in f"{ask.observation}{ask.board}{ask.rules}{ask.legal}{ask.illegal}{ask.note}"
