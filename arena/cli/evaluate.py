"""`tournament` and `match`: check what was asked for, write the run directory, become the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from arena.cli.common import run_or_detach
from arena.core.errors import UsageError

if TYPE_CHECKING:
    from arena.config.tournament import TournamentConfig

_MANY = ("--player", "--game")


class ManyValues(TyperCommand):
    """Lets `--player a b c` stand for `--player a --player b --player c`; the same for `--game`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return list(super().parse_args(ctx, spread(args)))


def spread(args: list[str]) -> list[str]:
    """Repeat the option before each further value of a list option."""
    result: list[str] = []
    option = ""
    for i, arg in enumerate(args):
        if arg.startswith("--"):
            option = arg.partition("=")[0] if arg.partition("=")[0] in _MANY else ""
        elif option and not arg.startswith("-") and args[i - 1] != option:
            result.append(option)
        result.append(arg)
    return result


def register(app: typer.Typer) -> None:
    app.command(cls=ManyValues)(tournament)
    app.command()(match)


def tournament(
    player: Annotated[list[str] | None, typer.Option(metavar="SPEC…", help="A player; at least two.")] = None,
    game: Annotated[list[str] | None, typer.Option(metavar="ID…", help="A game, with options after '?'.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs for each two players and game.  [default: 100]")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every deal and roll.  [default: 0]")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Matches in flight at once.  [default: 64]")] = None,
    retries: Annotated[int | None, typer.Option(help="Attempts after an illegal reply.  [default: 1]")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run, or print a finished one.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it in the background and return.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Round-robin of paired matches: each two players, each game, the same luck from both seats.

    Example: spiral-arena tournament --player random optimal --game tictactoe --pairs 100 --seed 7
    """
    given = {"players": player, "games": game, "pairs": pairs, "seed": seed, "retries": retries}
    fresh = {key: value for key, value in given.items() if value not in (None, [])}
    if resume is not None:
        if fresh or out is not None:
            raise UsageError("--resume takes the run's own configuration.", "Leave out all but --concurrency.")
        run_dir = _run_of_kind(resume, "tournament")
    else:
        run_dir = _new_tournament(fresh | ({} if concurrency is None else {"concurrency": concurrency}), out)
    args = [] if resume is None or concurrency is None else ["--concurrency", str(concurrency)]
    run_or_detach("evals", run_dir, [*args, *(["--json"] if as_json and not detach else [])], detach, as_json)


def _new_tournament(data: dict[str, Any], out: Path | None) -> Path:
    from arena.config.base import validate
    from arena.config.checks import check_games, check_players
    from arena.config.tournament import TournamentConfig
    from arena.runs.launch import create_run

    for key, option in (("players", "--player"), ("games", "--game")):
        if key not in data:
            raise UsageError(f"A tournament needs {option}.", "Example: --player random optimal --game tictactoe")
    config: TournamentConfig = validate(TournamentConfig, data, "tournament")
    check_players(config.players, check_games(config.games))
    return create_run(config, "tournament", out)


def _run_of_kind(run: str, kind: str) -> Path:
    from arena.runs.paths import find_run
    from arena.runs.record import read_record

    run_dir = find_run(run)
    found = read_record(run_dir).kind
    if found != kind:
        raise UsageError(f"{run_dir} is a run of the kind {found}, not {kind}.", f"Use: spiral-arena {found} --resume")
    return run_dir


def match(
    game: Annotated[str, typer.Argument(metavar="GAME")],
    first: Annotated[str, typer.Argument(metavar="SPEC", help="Player in seat 0.")],
    second: Annotated[str, typer.Argument(metavar="SPEC", help="Player in seat 1.")],
    watch: Annotated[bool, typer.Option("--watch", help="Print the match while it is played.")] = False,
    seed: Annotated[int, typer.Option(help="Decides every deal and roll.")] = 0,
    retries: Annotated[int, typer.Option(help="Attempts after an illegal reply.")] = 1,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the match as JSON.")] = False,
) -> None:
    """Play one match and print it.

    Example: spiral-arena match tictactoe random optimal --watch
    """
    from arena.config.base import validate
    from arena.config.checks import check_games, check_players
    from arena.config.tournament import MatchConfig
    from arena.runs.launch import create_run

    data = {"game": game, "players": (first, second), "seed": seed, "retries": retries, "watch": watch}
    config = validate(MatchConfig, data, "match")
    check_players(config.players, check_games([config.game]))
    run_dir = create_run(config, "match", out)
    run_or_detach("evals", run_dir, ["--json"] if as_json else [], detached=False, as_json=as_json)
