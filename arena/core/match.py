"""The one match loop: training, evaluation, the live view and human play all read its stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from arena.core.errors import InfrastructureError, PlayerStopped
from arena.core.events import (
    Event,
    Forfeit,
    IllegalReply,
    MatchEnded,
    MatchStarted,
    Partial,
    TurnStarted,
    TurnTaken,
    Void,
)
from arena.core.game import Illegal, State
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line

REASON_LIMIT = 500
"""Characters of a reason that a player is told: it may repeat what the reply said."""


def make_view(
    game: GameSpec,
    state: State,
    player: Player,
    key: int,
    turn: int = 0,
    attempt: int = 0,
    illegal: str = "",
    rules: str | None = None,
    observation: str | None = None,
    spent: float = 0.0,
) -> View:
    """What the player gets to know where its seat is to act; `rules` and `observation` where they are known already.

    Measures of a player outside a match ask through this too, so that they show what a match shows.
    Raises ValueError at the end of a match.
    """
    seat = state.to_act
    if seat is None:
        raise ValueError("nobody is to act")
    return View(
        game=game.game.INFO.id,
        variant=game.variant,
        seat=seat,
        rules=state.rules(seat) if rules is None else rules,
        observation=state.observe(seat) if observation is None else observation,
        legal=state.legal(),
        sample=state.sample,
        key=key,
        turn=turn,
        attempt=attempt,
        illegal=one_line(illegal, REASON_LIMIT) if illegal else "",
        state=state if player.sees_state else None,
        spent=spent,
    )


async def play(
    game: GameSpec,
    players: tuple[Player, Player],
    key: int,
    retries: int | tuple[int, int] = 1,
    start: State | None = None,
    watched: bool = False,
) -> AsyncIterator[Event]:
    """Play one match and yield what happens.

    `retries` is how many further attempts a seat has after an illegal reply of the same turn, by seat where it is
    a pair; then it forfeits and gets the game's lowest utility, the other seat the highest. `start` replaces the first
    position. With `watched`, Partial events carry the growing replies. Ends with MatchEnded or Void.
    """
    state = start if start is not None else game.new(key)
    rules = (state.rules(0), state.rules(1))
    attempts = (retries + 1, retries + 1) if isinstance(retries, int) else (retries[0] + 1, retries[1] + 1)
    yield MatchStarted(game.name, game.variant, (players[0].name, players[1].name), key, state)
    turn, spent = 0, [0.0, 0.0]
    while (seat := state.to_act) is not None:
        observation = state.observe(seat)
        yield TurnStarted(turn, seat, observation)
        reason = ""
        for attempt in range(attempts[seat]):
            player = players[seat]
            view = make_view(game, state, player, key, turn, attempt, reason, rules[seat], observation, spent[seat])
            try:
                if watched:
                    async for item in _watched(player, view):
                        if isinstance(item, Reply):
                            reply = item
                        else:
                            yield item
                else:
                    reply = await player.act(view)
            except InfrastructureError as error:
                yield Void(turn, seat, str(error), isinstance(error, PlayerStopped))
                return
            spent[seat] += reply.seconds
            action = state.parse(reply.answer)
            if not isinstance(action, Illegal):
                break
            reason = action.reason
            yield IllegalReply(turn, seat, observation, reply, reason, attempt)
        else:
            low, high = state.utility
            yield Forfeit(turn, seat, reason)
            yield MatchEnded((low, high) if seat == 0 else (high, low), forfeit=seat, turns=turn)
            return
        assert not isinstance(action, Illegal)
        state = state.apply(action)
        yield TurnTaken(turn, seat, observation, reply, action, attempt, state)
        turn += 1
    returns = state.returns()
    assert returns is not None
    yield MatchEnded(returns, forfeit=None, turns=turn)


async def _watched(player: Player, view: View) -> AsyncIterator[Partial | Reply]:
    """The reply's growing text, then the reply."""
    texts: asyncio.Queue[str] = asyncio.Queue()
    acting = asyncio.ensure_future(player.act(replace(view, partial=texts.put_nowait)))
    getting = asyncio.ensure_future(texts.get())
    try:
        while not acting.done():
            await asyncio.wait({acting, getting}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                yield Partial(view.turn, view.seat, getting.result())
                getting = asyncio.ensure_future(texts.get())
        yield acting.result()
    finally:
        acting.cancel()
        getting.cancel()
