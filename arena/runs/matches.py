"""Find stored matches: by id, by what makes them one of their kind, in pages newest first, and by their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow

DRAW, FORFEIT, SEAT_0, SEAT_1 = "draw", "forfeit", "seat0", "seat1"
"""Words of a search that stand for a result; the last two say which seat won."""
_RESULTS = {
    DRAW: "return_a = return_b",
    FORFEIT: "forfeit <> ''",
    SEAT_0: "CASE leg WHEN 0 THEN return_a > return_b ELSE return_b > return_a END",
    SEAT_1: "CASE leg WHEN 1 THEN return_a > return_b ELSE return_b > return_a END",
}

Unit = tuple[str, str, str, int, int]
"""(game, a, b, pair, leg)."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which matches are wanted: each word stands for a result, or is part of the game's or a player's name."""

    words: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Search:
        return cls(tuple(text.split()))

    def fits(self, game: str, a: str, b: str) -> bool:
        """Whether a match that has no result yet is wanted."""
        names = [game.lower(), a.lower(), b.lower()]
        return all(any(word.lower() in name for name in names) for word in self.words)

    def where(self) -> tuple[str, list[str]]:
        """The condition in SQL, and its values."""
        conditions, values = ["1"], []
        for word in self.words:
            if word.lower() in _RESULTS:
                conditions.append(_RESULTS[word.lower()])
                continue
            conditions.append("(instr(lower(game), ?) OR instr(lower(a), ?) OR instr(lower(b), ?))")
            values += [word.lower()] * 3
        return " AND ".join(conditions), values


ANY = Search()


class MatchReader(RunReader):
    """Reads a run's matches for those who look at single ones."""

    def match(self, match_id: int) -> MatchRow | None:
        rows = self._select("SELECT {} FROM match WHERE id = ?", MatchRow, (match_id,))
        return rows[0] if rows else None

    def match_of(self, unit: Unit) -> MatchRow | None:
        """The stored match of its kind, if it is stored."""
        query = "SELECT {} FROM match WHERE game = ? AND a = ? AND b = ? AND pair = ? AND leg = ?"
        rows = self._select(query, MatchRow, unit)
        return rows[0] if rows else None

    def newest(self, limit: int, before_id: int | None = None, search: Search = ANY) -> list[MatchRow]:
        """The wanted matches with `id < before_id`, newest first."""
        where, values = search.where()
        start = (1 << 62) if before_id is None else before_id
        query = f"SELECT {{}} FROM match WHERE id < ? AND {where} ORDER BY id DESC LIMIT ?"
        return self._select(query, MatchRow, (start, *values, limit))

    def neighbour(self, match_id: int, forward: bool, search: Search = ANY) -> MatchRow | None:
        """The next wanted match after this one, or the last before it."""
        where, values = search.where()
        sign, order = (">", "ASC") if forward else ("<", "DESC")
        query = f"SELECT {{}} FROM match WHERE id {sign} ? AND {where} ORDER BY id {order} LIMIT 1"
        rows = self._select(query, MatchRow, (match_id, *values))
        return rows[0] if rows else None
