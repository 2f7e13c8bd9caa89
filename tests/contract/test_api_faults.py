"""Real tournaments of API players against a server that fails: nothing is lost, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from servers.fault_server import FaultServer
from servers.faults import THOUGHT
from stored_rows import Matches, count_matches, match_rows

from arena.core.match import play as play_match
from arena.core.player import Player
from arena.core.registry import GameSpec, game_ids, load_player
from arena.runs.reader import RunReader
from arena.runs.store import RunStore
from evals.runner import VOIDS_IN_A_ROW, Outcome, run_matches
from evals.schedule import PlannedMatch, round_robin, schedule_pairs

KUHN = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
TICTACTOE = GameSpec.parse("tictactoe")
BOTS = ("random", "scripted", "optimal")
CANARY = "sk-canary-5f0c1e77aa42"

TRANSIENT = (
    "429:0.1", "429:date:1", "429", "429:1e9", "429:nonsense", "gemini:429", "408", "500", "502", "503:0.1", "504",
    "gemini:503", "gemini:500", "reset", "cut", "over", "refuse", "garbage", "html", "blank", "string", "null",
    "number", "list", "notjson", "nochoices", "nullchoices", "nomessage", "nullmessage", "stringmessage", "error200",
    "bomb", "huge", "headers", "endless", "chunks", "deep", "digits", "drip:0.1", "hang",
)  # fmt: skip
"""What passes by itself."""
SLOW = ("drip:0.1", "hang")
"""What passes by itself where a try has a time limit."""
ODD = ("nousage", "badusage", "nan", "latin", "surrogate", "flood", "parts", "nested", "informational")
"""Odd answers, but answers."""
OUTCOMES = ("none", "empty", "emptylist", "number-content", "illegal", "length", "length-empty", "filter", "unclosed")
"""What the model has to answer for."""
FINAL = ("400", "401", "402", "403", "404", "429:daily")
"""What ends a player."""
THOUGHTS = {
    "reasoning": "reasoning",
    "reasoning_content": "reasoning_content",
    "details": "reasoning_details",
    "think": "think",
    "unopened": "think",
    "mistral": "content",
    "ok": "text",
}
"""Forms of a thought, and the source that is stored."""


@dataclass
class Game:
    """One tournament in this process: its players, and what became of it."""

    outcome: Outcome
    run_dir: Path
    players: Mapping[str, Player]
    seconds: float

    @property
    def rows(self) -> Matches:
        """What is stored, but for times and the count of voids, in the order of the schedule."""
        return [(replace(match, voids=0), turns) for match, turns in match_rows(self.run_dir)]

    def rows_without(self, *names: str) -> Matches:
        """Matches of all others, whatever their place in the schedule."""
        others = [item for item in self.rows if item[0].a not in names and item[0].b not in names]
        return [(replace(match, number=0), turns) for match, turns in others]


async def play(
    run_dir: Path, schedule: Sequence[PlannedMatch], concurrency: int = 200, players: Mapping[str, Player] | None = None
) -> Game:
    """Play what the run does not hold yet."""
    names = dict.fromkeys(name for planned in schedule for name in planned.seats)
    players = {name: load_player(name) for name in names} if players is None else players
    began = time.monotonic()
    with RunStore(run_dir) as store:
        with RunReader(run_dir) as reader:
            stored = reader.units()
        open_now = [planned for planned in schedule if planned.unit not in stored]
        outcome = await run_matches(open_now, players, store, concurrency)
    for player in players.values():
        await player.close()
    return Game(outcome, run_dir, players, time.monotonic() - began)


def spec(server: FaultServer, model: str, deadline: float = 30, provider: str = "vllm", **options: object) -> str:
    options = {"deadline": deadline, "concurrency": 200, **options}
    return f"{provider}:{model}@{server.url}?{'&'.join(f'{key}={value}' for key, value in options.items())}"


def against_random(names: Sequence[str], pairs: int, game: GameSpec = KUHN) -> list[PlannedMatch]:
    return schedule_pairs([game], [(name, "random") for name in names], pairs, 0)


def run(test: Awaitable[None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(150):
            await test

    asyncio.run(within())


def retries(players: Mapping[str, Player]) -> int:
    found: list[Any] = [player for player in players.values() if hasattr(player, "ledger")]
    return sum(account.retries for player in found for account in player.ledger.accounts())


def test_without_faults_every_game_is_played_to_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer() as server:
            games = [GameSpec.parse(name) for name in game_ids()]
            game = await play(tmp_path, schedule_pairs(games, [(spec(server, "ok"), "random")], 2, 0))
            assert (game.outcome.voids, game.outcome.unplayed, retries(game.players)) == (0, [], 0)
            assert {match.game for match, _ in game.rows} == set(game_ids())
            assert {match.forfeit for match, _ in game.rows} == {""}
            asked = sum(turn.completion_tokens > 0 for _, turns in game.rows for turn in turns)
            assert server.requests.total() == asked

    run(test())


# -- one request fails -------------------------------------------------------------------------------------------


def test_trouble_of_the_moment_costs_no_match_and_no_memory(tmp_path: Path) -> None:
    async def test() -> None:
        models = {f"m{number}": fault for number, fault in enumerate(TRANSIENT)}
        times = {model: 1 if fault in ("bomb", "huge") else 2 for model, fault in models.items()}
        scripts = {model: f"ok*2,{fault}*{times[model]}" for model, fault in models.items()}
        async with FaultServer(scripts) as server:
            patient = {model: spec(server, model) for model in models}
            impatient = {model: spec(server, model, timeout=1) for model, fault in models.items() if fault in SLOW}
            names = list((patient | impatient).values())
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            game = await play(tmp_path, against_random(names, 2))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert (game.outcome.voids, game.outcome.unplayed, game.outcome.stopped_players) == (0, [], {})
        assert all(match.forfeit == "" for match, _ in game.rows)
        assert len(game.rows) == 4 * len(models)
        for model, fault in models.items():
            assert server.answered[fault] == times[model], fault
        # the impatient may ask once more than that on a machine that is busy
        waiting = {name: player for name, player in game.players.items() if name not in impatient.values()}
        assert retries(waiting) == sum(times[model] for model in models if model not in impatient)
        assert server.sent_megabytes < 40, "a body of 50 MB is not read to its end"
        assert grown < 120_000, "neither it nor what a small packed one unpacks to is held"

    run(test())


def test_whatever_bytes_a_server_sends_a_match_ends_or_is_void() -> None:
    async def test() -> None:
        async with FaultServer({"fuzz": "fuzz*"}) as server:
            players = (load_player(spec(server, "fuzz", deadline=3, timeout=2)), load_player("random"))

            async def end(key: int) -> str:
                *_, last = [event async for event in play_match(KUHN, players, key)]
                return type(last).__name__

            ends = Counter(await asyncio.gather(*(end(key) for key in range(100))))
            await players[0].close()
            assert server.answered["fuzz"] >= 200
        assert ends.keys() <= {"MatchEnded", "Void"}
        assert ends["MatchEnded"] > 0

    run(test())


def test_what_the_model_answers_for_is_a_forfeit_and_not_asked_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({fault: f"{fault}*" for fault in OUTCOMES}) as server:
            names = [spec(server, fault) for fault in OUTCOMES]
            game = await play(tmp_path, against_random(names, 2))
            assert (game.outcome.voids, game.outcome.unplayed) == (0, [])
            assert {match.forfeit for match, _ in game.rows} == {"a"}
            assert len(game.rows) == 4 * len(OUTCOMES)
            # one attempt and one more after the illegal reply, in each of four matches
            assert dict(server.requests) == dict.fromkeys(OUTCOMES, 8)
        finish = {
            turn.finish_reason for match, turns in game.rows if "length" in match.a for turn in turns if turn.illegal
        }
        assert finish == {"length"}

    run(test())


def test_a_server_in_constant_trouble_changes_no_result(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer() as server:
            names = [spec(server, "a"), spec(server, "b")]
            schedule = round_robin([KUHN], [*names, "random"], 20, 0)
            sound = await play(tmp_path / "sound", schedule)
            server.script("a", "chaos*")
            server.script("b", "chaos*")
            game = await play(tmp_path / "run", schedule)
        assert (game.outcome.voids, game.outcome.unplayed) == (0, [])
        assert retries(game.players) > 50
        assert game.rows == sound.rows

    for folder in ("run", "sound"):
        (tmp_path / folder).mkdir()
    run(test())


def test_odd_answers_are_played_and_stored_as_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({form: f"{form}*" for form in ODD}) as server:
            game = await play(tmp_path, against_random([spec(server, form) for form in ODD], 2))
            assert dict(server.requests) == dict(server.answered)
        assert (game.outcome.voids, game.outcome.unplayed, retries(game.players)) == (0, [], 0)
        assert {match.forfeit for match, _ in game.rows} == {""}
        for _, turns in game.rows:
            assert "".join(turn.text + turn.thought + turn.answer for turn in turns).encode()
            assert all(0 <= turn.prompt_tokens + turn.completion_tokens < 10**6 for turn in turns)

    run(test())


def test_thoughts_are_stored_with_where_they_came_from(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({form: f"{form}*" for form in THOUGHTS}) as server:
            names = {form: spec(server, form, provider="mistral" if form == "mistral" else "vllm") for form in THOUGHTS}
            game = await play(tmp_path, against_random(list(names.values()), 1))
        assert all(match.forfeit == "" for match, _ in game.rows)
        for form, source in THOUGHTS.items():
            turns = [
                turn for match, turns in game.rows if match.a == names[form] for turn in turns if turn.prompt_tokens
            ]
            thought = "I look at the position." if form == "ok" else THOUGHT
            assert {(turn.thought, turn.thought_source, turn.thought_kind) for turn in turns} == {
                (thought, source, "raw")
            }, form

    run(test())


def test_a_strict_server_is_played_with_the_fields_it_takes(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({"mistral": "mistral*", "gemini": "gemini*"}) as server:
            names = [spec(server, model, provider=model, temperature=0.5) for model in ("mistral", "gemini")]
            game = await play(tmp_path, against_random(names, 2))
            assert {match.forfeit for match, _ in game.rows} == {""}
            assert server.answered["mistral"] == server.requests["mistral"]
        assert (game.outcome.voids, len(game.rows)) == (0, 8)

    run(test())


# -- a player ends -----------------------------------------------------------------------------------------------


def test_a_player_that_cannot_go_on_is_stopped_and_everybody_else_plays_to_the_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({"elsewhere": "ok"}) as other:
            final = (*FINAL, f"307:{other.url}/chat/completions")
            scripts = {f"m{number}": f"ok*3,{fault}*" for number, fault in enumerate(final)}
            async with FaultServer({**scripts, "fine": "ok*"}) as server:
                dying = [spec(server, model) for model in scripts]
                fine = spec(server, "fine")
                pairings = [*((name, "random") for name in dying), (fine, "random"), ("optimal", "random")]
                game = await play(tmp_path / "run", schedule_pairs([KUHN], pairings, 5, 0), 30)
                sound = await play(tmp_path / "sound", schedule_pairs([KUHN], pairings[-2:], 5, 0), 30)
                assert set(game.outcome.stopped_players) == set(dying)
                assert game.rows_without(*dying) == sound.rows_without()
                assert len(game.rows) + len(game.outcome.unplayed) == 10 * len(pairings)
                assert {planned.a for planned in game.outcome.unplayed} == set(dying)
                assert max(server.requests[model] for model in scripts) < 3 + 30
            assert other.requests == {}, "no request, and no key, is sent on to where a server points"
        reasons = "".join(game.outcome.stopped_players.values())
        assert all(f"answered {fault[:3]}" in reasons for fault in final)

    for folder in ("run", "sound"):
        (tmp_path / folder).mkdir()
    run(test())


def test_a_server_that_fails_at_once_is_not_asked_over_and_over(tmp_path: Path) -> None:
    async def test(in_flight: int = 40) -> None:
        faults = ("429:0", "500", "refuse", "blank")
        async with FaultServer({f"m{number}": f"{fault}*" for number, fault in enumerate(faults)}) as server:
            names = [spec(server, f"m{number}", deadline=2) for number in range(len(faults))]
            schedule = against_random(names, in_flight)
            cpu = time.process_time()
            game = await play(tmp_path, schedule, in_flight * len(faults))
            cpu = time.process_time() - cpu
            assert (game.outcome.played, len(game.outcome.unplayed)) == (0, len(schedule))
            assert all(10 <= count < in_flight * 8 for count in server.requests.values())
        assert cpu < 4

    run(test())


@pytest.mark.parametrize("concurrency", [1, 64])
def test_a_player_that_never_answers_is_stopped_after_three_deadlines_at_most(tmp_path: Path, concurrency: int) -> None:
    async def test() -> None:
        async with FaultServer({"dead": "hang*"}) as server:
            dead = spec(server, "dead", deadline=1)
            schedule = round_robin([KUHN], [dead, *BOTS], 10, 0)
            game = await play(tmp_path, schedule, concurrency)
            assert game.outcome.voids == VOIDS_IN_A_ROW
            assert concurrency == 1 or game.seconds < 2.9, "they wait at the same time"
            assert "no answer within 1 s" in game.outcome.stopped_players[dead]
        assert len(game.rows_without(dead)) == len(game.rows) == 60
        assert len(game.outcome.unplayed) == 60

    run(test())


def test_while_one_server_hangs_everybody_else_plays_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({"dead": "hang*"}, latency=(0.005, 0.01)) as server:
            dead, fine = spec(server, "dead", deadline=600), spec(server, "fine")
            schedule = round_robin([KUHN], [dead, fine, "random", "scripted"], 40, 0)
            playing = asyncio.create_task(play(tmp_path, schedule, 16))
            while server.requests["dead"] < 16:
                await asyncio.sleep(0.02)
            assert count_matches(tmp_path) == 3 * 2 * 40, "slots go to the dead player once nobody else needs them"
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    run(test())


def test_a_model_that_hangs_does_not_hold_up_another_of_the_same_server(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({"dead": "hang*"}) as server:
            dead, fine = (f"vllm:{model}@{server.url}?deadline=600" for model in ("dead", "fine"))
            schedule = schedule_pairs([KUHN], [(dead, "random"), (fine, "random")], 50, 0)
            playing = asyncio.create_task(play(tmp_path, schedule, 64))
            while count_matches(tmp_path) < 100:
                await asyncio.sleep(0.05)
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    run(test())


# -- the server goes away ----------------------------------------------------------------------------------------


def test_an_outage_shorter_than_the_deadline_costs_nothing(tmp_path: Path) -> None:
    async def test(outage: float = 1.2) -> None:
        async with FaultServer(latency=(0.01, 0.05)) as server:
            names = [spec(server, "a"), spec(server, "b")]
            schedule = round_robin([TICTACTOE], [*names, "random"], 12, 0)
            sound = await play(tmp_path / "sound", schedule, 64)
            asked = sum(server.requests.values())
            playing = asyncio.create_task(play(tmp_path / "run", schedule, 64))
            while sum(server.requests.values()) < asked + 150:
                await asyncio.sleep(0.01)
            await server.down()
            await asyncio.sleep(0.3)
            cpu = time.process_time()
            await asyncio.sleep(outage)
            cpu = time.process_time() - cpu
            assert not playing.done()
            await server.up()
            game = await playing
            again = sum(server.requests.values()) - 2 * asked
        assert (game.outcome.voids, game.outcome.unplayed) == (0, [])
        assert game.rows == sound.rows
        assert cpu < outage * 0.3, "it waits, and does not spin"
        assert 0 <= again <= 64, "what was answered is not asked again"
        assert retries(game.players) < 64 * 10

    for folder in ("run", "sound"):
        (tmp_path / folder).mkdir()
    run(test())


def test_after_a_longer_outage_what_is_open_is_played_by_a_resume(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer(latency=(0.005, 0.02)) as server:
            name = spec(server, "a", deadline=1)
            schedule = round_robin([TICTACTOE], [name, *BOTS], 5, 0)
            sound = await play(tmp_path / "sound", schedule, 4)
            playing = asyncio.create_task(play(tmp_path / "run", schedule, 4))
            asked = server.requests["a"]
            while server.requests["a"] < asked + 20:
                await asyncio.sleep(0.002)
            await server.down()
            broken = await playing
            assert list(broken.outcome.stopped_players) == [name]
            assert "could not be reached" in broken.outcome.stopped_players[name]
            assert broken.rows_without(name) == sound.rows_without(name)
            await server.up()
            resumed = await play(tmp_path / "run", schedule, 4)
        assert (resumed.outcome.voids, resumed.outcome.unplayed) == (0, [])
        assert resumed.outcome.played == len(broken.outcome.unplayed) > 0
        assert resumed.rows == sound.rows

    for folder in ("run", "sound"):
        (tmp_path / folder).mkdir()
    run(test())


# -- the whole program -------------------------------------------------------------------------------------------


async def program(*args: str, **env: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "arena", "tournament", *args]
    environment = {**os.environ, **env}
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, out.decode(), err.decode()


def new(out: Path, players: Sequence[str], pairs: int, *more: str) -> list[str]:
    chosen = [item for player in players for item in ("--player", player)]
    game = ["--game", KUHN.name, "--pairs", str(pairs), "--seed", "3"]
    return [*chosen, *game, "--out", str(out), "--json", *more]


def test_a_refused_key_stops_its_player_and_a_resume_with_a_good_one_ends_like_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with FaultServer({"dying": "ok*9,401:echo*"}) as server:
            dying, fine = spec(server, "dying"), spec(server, "fine")
            players = [dying, fine, "random", "optimal"]
            keys = {"VLLM_API_KEY": CANARY}
            code, out, err = await ended(
                await program(*new(tmp_path / "run", players, 4, "--concurrency", "6"), **keys)
            )
            assert (code, out) == (1, "")
            told, *_, last = err.splitlines()
            assert f"{dying} is stopped, and its other matches stay open:" in told
            assert "answered 401" in told
            assert last.startswith("error: ")
            assert "of 48 matches are open" in last
            assert f"Resume: spiral-arena tournament --resume {tmp_path / 'run'}" in last
            open_matches = 48 - count_matches(tmp_path / "run")
            assert f"error: {open_matches} of 48" in last
            server.script("dying", "ok*")
            code, out, err = await ended(await program("--resume", str(tmp_path / "run"), "--json", **keys))
            assert (code, "error" in err) == (0, False)
            code, sound, _ = await ended(await program(*new(tmp_path / "sound", players, 4), **keys))
            assert code == 0
            assert json.loads(out)["results"] == json.loads(sound)["results"]

    run(test())


def test_a_polite_stop_does_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer({"dead": "ok*4,hang*"}) as server:
            dead = spec(server, "dead", deadline=900)
            process = await program(*new(tmp_path / "run", [dead, "random"], 30, "--concurrency", "8"))
            while server.in_flight < 8:
                await asyncio.sleep(0.02)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            code, out, err = await ended(process)
            assert time.monotonic() - began < 60, "not for its deadline of 900 s"
            assert (code, out) == (1, "")
            assert f"Resume: spiral-arena tournament --resume {tmp_path / 'run'}" in err
            server.script("dead", "ok*")
            code, out, _ = await ended(await program("--resume", str(tmp_path / "run"), "--json"))
            assert (code, count_matches(tmp_path / "run")) == (0, 60)

    run(test())


def test_a_spent_budget_stops_its_players_and_a_resume_with_more_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with FaultServer(latency=(0.01, 0.03)) as server:
            players = [spec(server, model, max_tokens=20) for model in ("a", "b")]
            limit = ["--max-tokens", "8000"]
            code, out, err = await ended(await program(*new(tmp_path / "run", [*players, "random"], 10, *limit)))
            assert (code, out) == (1, "")
            assert "limit" in err.splitlines()[-1]
            assert f"Resume: spiral-arena tournament --resume {tmp_path / 'run'}" in err
            assert 5000 < server.tokens <= 8000
            assert 0 < count_matches(tmp_path / "run") < 60
            more = ["--resume", str(tmp_path / "run"), "--max-tokens", "1000000", "--json"]
            code, out, err = await ended(await program(*more))
            assert (code, count_matches(tmp_path / "run")) == (0, 60)
            booked = json.loads(out)["ledger"]
            assert sum(row["prompt_tokens"] + row["completion_tokens"] for row in booked) >= server.tokens

    run(test())


def test_no_failure_shows_a_key_anywhere(tmp_path: Path) -> None:
    async def test() -> None:
        scripts = {
            "a": "500:echo*2,400:echo*",
            "b": "429:echo,ok*2,401:echo*",
            "c": "ok*3,403:echo*",
            "d": "503:echo,404:echo*",
        }
        (tmp_path / "key").write_text(f"{CANARY}-file\n")
        keys = {"VLLM_API_KEY": f"{CANARY}-vllm", "OPENAI_API_KEY": f"{CANARY}-openai", "OTHER_KEY": f"{CANARY}-other"}
        async with FaultServer(scripts) as server:
            players = [
                spec(server, "a"), spec(server, "b", provider="openai"), spec(server, "c", key_env="OTHER_KEY"),
                spec(server, "d", key_file=tmp_path / "key"), "random",
            ]  # fmt: skip
            process = await program(*new(tmp_path / "run", players, 2), **keys)
            shown = b""
            while process.returncode is None and server.requests.total() == 0:
                shown += Path(f"/proc/{process.pid}/cmdline").read_bytes()
                await asyncio.sleep(0.02)
            code, out, err = await ended(process)
            assert code == 1
            assert len([line for line in err.splitlines() if "is stopped" in line]) == 4
            sent = {headers.get("authorization", "") for headers in server.headers}
        assert sent == {f"Bearer {CANARY}-{name}" for name in ("vllm", "openai", "other", "file")}
        files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
        assert {"run.db", "run.json", "job.log"} <= {path.name for path in files}
        for path in files:
            assert CANARY.encode() not in path.read_bytes(), path.name
        assert CANARY not in out + err
        assert b"vllm:a@" in shown
        assert CANARY.encode() not in shown

    run(test())
