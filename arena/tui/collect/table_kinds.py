"""The tables there are: their columns, what their figures are, and what fills them while they are empty."""

from __future__ import annotations

from dataclasses import dataclass

from arena.tui.sheet import COUNTS, Heading, Sheet

SCORES, HEAD_TO_HEAD, OOD, TRUTH = "scores", "head-to-head", "ood", "truth"
REASONING, API = "reasoning", "api"


@dataclass(frozen=True, slots=True)
class TableKind:
    """One table. `filled_by` says where its rows come from, `commands` how to get some."""

    name: str
    title: str
    headings: tuple[Heading, ...]
    note: str
    filled_by: str
    commands: tuple[str, ...] = ()

    def sheet(self) -> Sheet:
        """The table without rows."""
        return Sheet(self.name, self.title, self.headings, note=self.note)


_RUN = Heading("run", "run", 10, grow=True, rank=2)
_PLAYER = Heading("player", "player", 12, grow=True)
_OPPONENT = Heading("opponent", "against", 9, grow=True)
_GAME = Heading("game", "game", 10, grow=True)
_KIND = Heading("kind", "kind", 5, rank=6)
_COUNT = Heading("n", "n", 5, right=True, rank=3)
_STATE = Heading("state", "state", 10, rank=7)
_UNIT = Heading("unit", "unit", 7, rank=10)

_SCORED = (
    _RUN,
    _PLAYER,
    _OPPONENT,
    _GAME,
    _KIND,
    Heading("score", "score", 6, right=True, spread=1),
    Heading(COUNTS, "W–D–L", 11, right=True, rank=4),
    _COUNT,
    Heading("forfeits", "forf.", 5, right=True, rank=5),
    Heading("opponent_forfeits", "theirs", 6, right=True, rank=8),
    Heading("voids", "voids", 5, right=True, rank=9),
    _UNIT,
    _STATE,
)
_TRANSFER = (
    _RUN,
    _PLAYER,
    _OPPONENT,
    _GAME,
    _KIND,
    Heading("score", "score", 6, right=True, spread=4),
    Heading("change", "change", 6, right=True, spread=1),
    _COUNT,
    _UNIT,
    _STATE,
)
_MEASURED = (
    _RUN,
    _PLAYER,
    _GAME,
    Heading("measure", "measure", 14, grow=True),
    Heading("value", "value", 6, right=True, spread=1),
    Heading("n", "replies", 7, right=True, rank=3),
    _STATE,
)
_BENCHMARKS = (
    _PLAYER,
    Heading("benchmark", "benchmark", 12, grow=True),
    Heading("score", "score", 6, right=True, spread=1),
    _COUNT,
)
_SPENT = (
    _RUN,
    _PLAYER,
    Heading("model", "model", 10, grow=True, rank=7),
    Heading("requests", "requests", 8, right=True),
    Heading("retries", "retries", 7, right=True, rank=4),
    Heading("tokens_in", "in", 9, right=True, rank=3),
    Heading("tokens_out", "out", 9, right=True, rank=1),
    Heading("thinking", "thinking", 9, right=True, rank=5),
    Heading("cost", "cost", 9, right=True),
    Heading("stopped", "stopped", 8, grow=True, rank=8),
    Heading("state", "state", 10, rank=6),
)
_SCORE = (
    "Score: wins and half the draws per match, or with a sign the mean return, from the player's side; "
    "95 % intervals; ~ spans even play; n matches; forfeits are lost."
)

_TOURNAMENT = "spiral-arena tournament --player ckpt:tiny random --game tictactoe"

KINDS: dict[str, TableKind] = {
    kind.name: kind
    for kind in (
        TableKind(
            SCORES, "Scores", _SCORED, _SCORE, "Every tournament, head-to-head, ood run and training adds its scores.",
            ("spiral-arena quickstart", _TOURNAMENT),
        ),
        TableKind(
            HEAD_TO_HEAD, "Head-to-head", _SCORED, _SCORE,
            "Specialists, multi-game players and their base against each other.",
            ("spiral-arena head-to-head ckpt:RUN ckpt:OTHER --game tictactoe --pairs 100",),
        ),
        TableKind(
            OOD, "Transfer to games outside training", _TRANSFER,
            "Change: score less the base's against the same opponent with the same luck, pair by pair; 95 % intervals; "
            "~ spans even play, of a change none. Averages over games are in points. "
            "Games: ● own, ○ other training game, ◇ OOD (never in self-play).",
            "What training has changed in games that it does not use, against a base.",
            ("spiral-arena ood ckpt:RUN --pairs 100",),
        ),
        TableKind(
            TRUTH, "Ground truth", _MEASURED,
            "Measures against exact solutions, from sampled replies; 95 % intervals; exploitability in chips a hand.",
            "Games with an exact solution: tictactoe, pig_dice, and kuhn_poker of one hand for chips.",
            (_TOURNAMENT,),
        ),
        TableKind(
            REASONING, "Reasoning", _BENCHMARKS, "",
            "Benchmarks of reasoning come with a later version; no command of this one fills this table. "
            "Transfer to other games is what can be measured now.",
            ("spiral-arena ood ckpt:RUN --pairs 100",),
        ),
        TableKind(
            API, "API players", _SPENT,
            "Tokens out hold those of thinking; retries are requests that were sent again; the cost is by your own "
            "prices, in their money. Their scores are in the table Scores.",
            "What openai:, gemini:, mistral:, openrouter: and vllm: players took in requests, tokens and money. They "
            "play like any other; their keys come from the environment.",
            ("spiral-arena tournament --player ckpt:tiny gemini:MODEL --game tictactoe --max-tokens 500000",),
        ),
    )
}  # fmt: skip
"""By name, in their order."""
