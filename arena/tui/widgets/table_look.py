"""What the user chose to see of the tables: which one, as a matrix or as lines, which words, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from arena.tui.collect.evaluation import Evaluation
from arena.tui.collect.table_kinds import HEAD_TO_HEAD, OOD, SCORES
from arena.tui.collect.table_lines import all_games
from arena.tui.collect.tables import Tables
from arena.tui.sheet import Sheet
from arena.tui.widgets.matrix_cells import Grid
from arena.tui.widgets.sheet_table import Order
from arena.tui.widgets.sheet_words import matrix_sheet
from arena.tui.widgets.standings import make_grid


@dataclass
class Look:
    """`data` is what was read; `page` one of `KINDS`."""

    data: Tables
    page: str = SCORES
    crossed: bool = True
    """Whether head-to-head and ood are shown as matrices."""
    words: str = ""
    """What lines must have."""
    place: int = 0
    """Which of the matrices."""
    orders: dict[tuple[str, bool], Order] = field(default_factory=dict)

    @property
    def order(self) -> Order:
        return self.orders.get(self._view, Order())

    @order.setter
    def order(self, order: Order) -> None:
        self.orders[self._view] = order

    @property
    def sheet(self) -> Sheet:
        """The table, or what the matrix is made of."""
        page, crossed = self._view
        return self.data.transfer if crossed else self.data.sheets[page]

    @property
    def matrices(self) -> list[tuple[Evaluation, str]]:
        """Runs and games, each with a matrix."""
        return [(one, game) for one in self.data.meetings for game in one.results.views]

    @property
    def met(self) -> tuple[Evaluation, str] | None:
        """The run and the game whose matrix is shown, if one is."""
        found = self.matrices
        if self.page != HEAD_TO_HEAD or not self.crossed or not found:
            return None
        self.place = min(self.place, len(found) - 1)
        return found[self.place]

    @property
    def crossable(self) -> bool:
        """Whether there is a matrix and lines to choose from."""
        return (self.page == OOD and bool(self.data.sheets[OOD].lines)) or (
            self.page == HEAD_TO_HEAD and bool(self.matrices)
        )

    def grid(self) -> Grid | None:
        """The matrix with the players that the words leave."""
        if (met := self.met) is None:
            return None
        evaluation, game = met
        grid = make_grid(evaluation.results, evaluation.plan, game, by_rating=False)
        words, about = self.words.casefold().split(), f"{evaluation.run.name} {game}"
        kept = [name for name in grid.rows if all(word in f"{about} {name}".casefold() for word in words)]
        return replace(grid, rows=tuple(kept))

    def exported(self, shown: Sheet) -> tuple[Sheet, Sheet]:
        """What is shown, for documents and as data; `shown` is the table where no matrix is."""
        grid, met = self.grid(), self.met
        if grid is None or met is None:
            return shown, shown
        evaluation, game = met
        rows, name = self.data.sheets[HEAD_TO_HEAD], game or all_games(len(evaluation.results.games))
        mine = [one for one in rows.lines if one.run_dir == evaluation.run.path and one.cells[3] == name]
        title = f"{evaluation.run.name}: {game or 'all games'}"
        lines = tuple(one for one in mine if one.cells[1] in grid.rows)
        return matrix_sheet(grid, HEAD_TO_HEAD, title), replace(rows, lines=lines)

    @property
    def _view(self) -> tuple[str, bool]:
        return self.page, self.crossed and self.page == OOD
