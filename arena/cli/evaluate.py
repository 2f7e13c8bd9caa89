"""`tournament`, `head-to-head`, `ood`, `match`: check what was asked for, write the run directory, become the job."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from arena.cli.common import run_of_kind, run_or_detach
from arena.core.errors import UsageError

if TYPE_CHECKING:
    from arena.config.tournament import PairsConfig

_MANY = ("--player", "--game")


class ManyValues(TyperCommand):
    """Lets `--player a b c` stand for `--player a --player b --player c`; the same for `--game`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return list(super().parse_args(ctx, spread(args)))


class ManyGames(TyperCommand):
    """Lets `--game a b` stand for `--game a --game b`; what is no game's name is a player again."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from arena.core.registry import discover

        games = discover("arena.games")
        return list(super().parse_args(ctx, spread(args, lambda arg: re.split("[?:]", arg)[0] in games)))


def spread(args: list[str], is_value: Callable[[str], bool] = lambda arg: True) -> list[str]:
    """Repeat the option before each further value of a list option."""
    result: list[str] = []
    option = ""
    for i, arg in enumerate(args):
        if arg.startswith("--"):
            option = arg.partition("=")[0] if arg.partition("=")[0] in _MANY else ""
        elif option and not arg.startswith("-") and args[i - 1] != option and is_value(arg):
            result.append(option)
        result.append(arg)
    return result


def register(app: typer.Typer) -> None:
    app.command(cls=ManyValues)(tournament)
    app.command("head-to-head", cls=ManyGames)(head_to_head)
    app.command(cls=ManyGames)(ood)
    app.command()(match)


Specs = Annotated[list[str] | None, typer.Argument(metavar="SPEC…", show_default=False)]
Pairs = Annotated[int | None, typer.Option(help="Pairs for each two players and game.  [default: 100]")]
Seed = Annotated[int | None, typer.Option(help="Decides every deal and roll.  [default: 0]")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")]
Concurrency = Annotated[int | None, typer.Option(help="Matches in flight at once.  [default: 64]")]
Retries = Annotated[int | None, typer.Option(help="Attempts after an illegal reply.  [default: 1]")]
Resume = Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run, or print a finished one.")]
Detach = Annotated[bool, typer.Option("--detach", help="Start it in the background and return.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def tournament(
    player: Annotated[list[str] | None, typer.Option(metavar="SPEC…", help="A player; at least two.")] = None,
    game: Annotated[list[str] | None, typer.Option(metavar="ID…", help="A game, with options after '?'.")] = None,
    pairs: Pairs = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Round-robin of paired matches: each two players, each game, the same luck from both seats.

    Example: spiral-arena tournament --player random optimal --game tictactoe --pairs 100 --seed 7
    """
    given = {"players": player, "games": game, "pairs": pairs, "seed": seed, "retries": retries}
    needed = {"players": "--player", "games": "--game"}
    hint = "Example: --player random optimal --game tictactoe"
    _launch("tournament", given, needed, hint, out, concurrency, resume, detach, as_json)


def head_to_head(
    players: Specs = None,
    game: Annotated[
        list[str] | None,
        typer.Option(metavar="ID…", help="A game.  [default: tictactoe kuhn_poker simple_negotiation]"),
    ] = None,
    pairs: Pairs = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    ground_truth: Annotated[
        bool, typer.Option("--ground-truth", help="Measure against exact solutions too, where there are any.")
    ] = False,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Specialists, multi-game models and their base against each other: a matrix of scores for each game.

    Marks what each game is to each player: its own, another training game, or OOD.

    Example: spiral-arena head-to-head ckpt:tiny ckpt:RUN_A ckpt:RUN_B --pairs 200 --seed 0
    """
    given = {"players": players, "games": game, "pairs": pairs, "seed": seed, "retries": retries}
    given["ground_truth"] = ground_truth or None
    hint = "Example: head-to-head ckpt:tiny ckpt:RUN"
    _launch("head-to-head", given, {"players": "players"}, hint, out, concurrency, resume, detach, as_json)


def ood(
    players: Specs = None,
    game: Annotated[
        list[str] | None, typer.Option(metavar="ID…", help="A game.  [default: all that self-play never trains on]")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="What change is measured against; everybody meets it.  [default: ckpt:tiny]"),
    ] = None,
    pairs: Pairs = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Players in games that self-play never trains on, and how much better than their base they are there.

    All meet random, scripted, optimal where there is one, and the base, which meets the same opponents with the
    same luck, so that change is measured pair by pair.

    Example: spiral-arena ood ckpt:RUN_A ckpt:RUN_B --base ckpt:tiny --pairs 200 --seed 0
    """
    given = {"players": players, "games": game, "base": base, "pairs": pairs, "seed": seed, "retries": retries}
    hint = "Example: ood ckpt:RUN"
    _launch("ood", given, {"players": "a player"}, hint, out, concurrency, resume, detach, as_json)


def _launch(
    kind: str,
    given: dict[str, Any],
    needed: Mapping[str, str],
    hint: str,
    out: Path | None,
    concurrency: int | None,
    resume: str | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Create the run or find the one to go on with, and become its job. Raises UsageError for what does not fit.

    `needed` names the keys that must be given, and what to call them.
    """
    fresh = {key: value for key, value in given.items() if value not in (None, [])}
    if resume is not None:
        if fresh or out is not None:
            raise UsageError("--resume takes the run's own configuration.", "Leave out all but --concurrency.")
        run_dir = run_of_kind(resume, kind)
    else:
        for key, name in needed.items():
            if key not in fresh:
                article = "An" if kind == "ood" else "A"
                raise UsageError(f"{article} {kind} needs {name}.", hint)
        run_dir = _new_run(kind, fresh | ({} if concurrency is None else {"concurrency": concurrency}), out)
    args = [] if resume is None or concurrency is None else ["--concurrency", str(concurrency)]
    run_or_detach("evals", run_dir, [*args, *(["--json"] if as_json and not detach else [])], detach, as_json)


def _new_run(kind: str, data: Mapping[str, Any], out: Path | None) -> Path:
    from arena.config.base import validate
    from arena.config.checks import check_games, check_players
    from arena.config.tournament import HeadToHeadConfig, OodConfig, TournamentConfig
    from arena.runs.launch import create_run

    models: dict[str, type[PairsConfig]] = {
        "tournament": TournamentConfig,
        "head-to-head": HeadToHeadConfig,
        "ood": OodConfig,
    }
    config: PairsConfig = validate(models[kind], data, kind)
    names = config.entrants if isinstance(config, OodConfig) else config.players
    check_players(names, check_games(config.games))
    return create_run(config, kind, out)


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
