"""`tournament`, `head-to-head`, `ood`, `match`: check what was asked for, write the run directory, become the job."""

from __future__ import annotations

import json
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

_MANY = ("--player", "--game", "--challenger", "--checkpoints")


class ManyValues(TyperCommand):
    """Lets `--player a b c` stand for `--player a --player b --player c`; the same for the other lists."""

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
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what API players would be asked for, and its cost; start nothing.")
]
MaxCost = Annotated[
    float | None,
    typer.Option(metavar="MONEY", help="Most that API players may cost in all; needs --prices. A resume may raise it."),
]
MaxTokens = Annotated[
    int | None, typer.Option(metavar="N", help="Most tokens of API players in all. A resume may raise it.")
]
Prices = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help='TOML: ["openai:MODEL"] prompt = 2.0, completion = 8.0, per million tokens.'),
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RUN@WHICH…", help="Players: checkpoints of a run; WHICH is all, every:K or steps such as 8,16."
    ),
]
PlayersFile = Annotated[
    Path | None,
    typer.Option("--players", metavar="FILE", help="Players of a TOML file, and its games where none are given."),
]


def tournament(
    player: Annotated[list[str] | None, typer.Option(metavar="SPEC…", help="A player; at least two.")] = None,
    game: Annotated[list[str] | None, typer.Option(metavar="ID…", help="A game, with options after '?'.")] = None,
    checkpoints: Checkpoints = None,
    players_file: PlayersFile = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="round-robin; gauntlet: the first player, or the challengers, against all others; swiss: rounds "
            "between those who stand next to each other.  [default: round-robin]",
        ),
    ] = None,
    challenger: Annotated[
        list[str] | None, typer.Option(metavar="SPEC…", help="Of a gauntlet: who meets the field.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Of a Swiss tournament.  [default: log2 of the players, + 2]")
    ] = None,
    openings: Annotated[
        int | None,
        typer.Option(metavar="PLIES", help="Begin each pair after so many random actions, in games without chance."),
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Only openings that are a draw with best play; in solved games.")
    ] = False,
    sprt: Annotated[
        str | None,
        typer.Option(
            metavar="elo0=…,elo1=…", help="End early by a test of the first player's Elo lead; also alpha=, beta=."
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            help="Pairs for each two players and game, or at most with --sprt.  [default: 100, with it 10000]"
        ),
    ] = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    ground_truth: Annotated[
        bool,
        typer.Option("--ground-truth", help="Measure API players too, by thousands of requests each; all others are."),
    ] = False,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Paired matches, the same luck from both seats: each two players in each game, or as --format says.

    Example: spiral-arena tournament --player random optimal --game tictactoe --pairs 100 --seed 7
    """
    from arena.config.tournament import TEST_PAIRS
    from arena.runs.entrants import gather

    if balanced and openings is None:
        raise UsageError("--balanced says which openings.", "Give --openings PLIES too.")
    # A challenger takes part whether or not it stands among the players as well.
    challengers = [spec for spec in challenger or () if spec not in (player or ())]
    players, games = gather([*challengers, *(player or ())], checkpoints or (), players_file, game or ())
    given: dict[str, Any] = {"players": players, "games": games, "seed": seed, "retries": retries}
    given |= {"format": format_, "challengers": challenger, "rounds": rounds}
    given["openings"] = None if openings is None else {"plies": openings, "balanced": balanced}
    given["sprt"] = None if sprt is None else _figures("--sprt", sprt)
    given["ground_truth"] = ground_truth or None
    given["pairs"] = TEST_PAIRS if sprt is not None and pairs is None else pairs
    needed = {"players": "--player", "games": "--game"}
    hint = "Example: --player random optimal --game tictactoe"
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    _launch("tournament", given, needed, hint, out, concurrency, limits, resume, detach, as_json, dry_run)


def head_to_head(
    players: Specs = None,
    game: Annotated[
        list[str] | None,
        typer.Option(metavar="ID…", help="A game.  [default: tictactoe kuhn_poker simple_negotiation]"),
    ] = None,
    checkpoints: Checkpoints = None,
    players_file: PlayersFile = None,
    pairs: Pairs = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    ground_truth: Annotated[
        bool, typer.Option("--ground-truth", help="Measure against exact solutions too, where there are any.")
    ] = False,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Specialists, multi-game models and their base against each other: a matrix of scores for each game.

    Marks what each game is to each player: its own, another training game, or OOD.

    Example: spiral-arena head-to-head ckpt:tiny ckpt:RUN_A ckpt:RUN_B --pairs 200 --seed 0
    """
    from arena.runs.entrants import gather

    entrants, games = gather(players or (), checkpoints or (), players_file, game or ())
    given: dict[str, Any] = {"players": entrants, "games": games, "pairs": pairs, "seed": seed, "retries": retries}
    given["ground_truth"] = ground_truth or None
    hint = "Example: head-to-head ckpt:tiny ckpt:RUN"
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    needed = {"players": "players"}
    _launch("head-to-head", given, needed, hint, out, concurrency, limits, resume, detach, as_json, dry_run)


def ood(
    players: Specs = None,
    game: Annotated[
        list[str] | None, typer.Option(metavar="ID…", help="A game.  [default: all that self-play never trains on]")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="What change is measured against; everybody meets it.  [default: ckpt:tiny]"),
    ] = None,
    checkpoints: Checkpoints = None,
    players_file: PlayersFile = None,
    pairs: Pairs = None,
    seed: Seed = None,
    out: Out = None,
    concurrency: Concurrency = None,
    retries: Retries = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Players in games that self-play never trains on, and how much better than their base they are there.

    All meet random, scripted, optimal where there is one, and the base, which meets the same opponents with the
    same luck, so that change is measured pair by pair.

    Example: spiral-arena ood ckpt:RUN_A ckpt:RUN_B --base ckpt:tiny --pairs 200 --seed 0
    """
    from arena.runs.entrants import gather

    entrants, games = gather(players or (), checkpoints or (), players_file, game or ())
    given = {"players": entrants, "games": games, "base": base, "pairs": pairs, "seed": seed, "retries": retries}
    hint = "Example: ood ckpt:RUN"
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    _launch("ood", given, {"players": "a player"}, hint, out, concurrency, limits, resume, detach, as_json, dry_run)


def _launch(
    kind: str,
    given: dict[str, Any],
    needed: Mapping[str, str],
    hint: str,
    out: Path | None,
    concurrency: int | None,
    limits: Mapping[str, Any],
    resume: str | None,
    detach: bool,
    as_json: bool,
    dry_run: bool = False,
) -> None:
    """Create the run or find the one to go on with, and become its job. Raises UsageError for what does not fit.

    `needed` names the keys that must be given, and what to call them.
    """
    from arena.config.limits import given_limits, limit_arguments
    from arena.runs.launch import become, job_command

    fresh = {key: value for key, value in given.items() if value not in (None, [])}
    if dry_run and (resume is not None or out is not None or detach):
        raise UsageError("--dry-run starts nothing.", "Leave out --resume, --out and --detach.")
    if resume is not None:
        if fresh or out is not None:
            hint = "Leave out all but --concurrency and what API players may spend."
            raise UsageError("--resume takes the run's own configuration.", hint)
        run_dir = run_of_kind(resume, kind)
    else:
        for key, name in needed.items():
            if key not in fresh:
                article = "An" if kind == "ood" else "A"
                raise UsageError(f"{article} {kind} needs {name}.", hint)
        fresh |= given_limits(limits) | ({} if concurrency is None else {"concurrency": concurrency})
        if dry_run:
            become(job_command("evals.dryrun", kind, json.dumps(fresh), *(["--json"] if as_json else [])))
        run_dir = _new_run(kind, fresh, out)
    args = [] if resume is None or concurrency is None else ["--concurrency", str(concurrency)]
    args += [] if resume is None else limit_arguments(limits)
    run_or_detach("evals", run_dir, [*args, *(["--json"] if as_json and not detach else [])], detach, as_json)


def _new_run(kind: str, data: Mapping[str, Any], out: Path | None) -> Path:
    from arena.config.base import validate
    from arena.config.checks import check_games, check_players
    from arena.config.prices import check_prices
    from arena.config.tournament import HeadToHeadConfig, MatchConfig, OodConfig, TournamentConfig
    from arena.runs.launch import create_run

    models: dict[str, type[PairsConfig | MatchConfig]] = {
        "tournament": TournamentConfig,
        "head-to-head": HeadToHeadConfig,
        "ood": OodConfig,
        "match": MatchConfig,
    }
    config = validate(models[kind], data, kind)
    games = check_games([config.game] if isinstance(config, MatchConfig) else config.games)
    check_players(config.entrants, games)
    check_prices(config.prices, config.max_cost, config.entrants)
    if isinstance(config, TournamentConfig) and config.drawn_openings is not None:
        for game in games:
            config.drawn_openings.check(game)
    return create_run(config, kind, out)


def _figures(option: str, text: str) -> dict[str, float]:
    """Read `elo0=0,elo1=20`. Raises UsageError."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"Cannot read {option} {text}.", f"Write it as {option} elo0=0,elo1=20.") from None
    return found


def match(
    game: Annotated[str | None, typer.Argument(metavar="GAME", show_default=False)] = None,
    first: Annotated[str | None, typer.Argument(metavar="SPEC", help="Player in seat 0.", show_default=False)] = None,
    second: Annotated[str | None, typer.Argument(metavar="SPEC", help="Player in seat 1.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Print the match while it is played.")] = False,
    seed: Annotated[int | None, typer.Option(help="Decides every deal and roll.  [default: 0]")] = None,
    retries: Retries = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Play a match that could not end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the match as JSON.")] = False,
) -> None:
    """Play one match and print it.

    Example: spiral-arena match tictactoe random optimal --watch
    """
    players = None if first is None or second is None else (first, second)
    given: dict[str, Any] = {"game": game, "players": players, "watch": watch or None, "seed": seed, "retries": retries}
    needed = {"game": "a game", "players": "two players"}
    hint = "Example: match tictactoe random optimal"
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    _launch("match", given, needed, hint, out, None, limits, resume, detach=False, as_json=as_json)
