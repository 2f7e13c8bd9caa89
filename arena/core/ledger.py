"""What API players have spent, and the limits that are looked at before each request.

A request is reserved as the most that it may take, and settled as what it took. What is spent and what is reserved
together never pass a limit, in whatever order requests begin and end: only a server that counts more tokens than it was
asked for at most can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from arena.core.errors import PlayerStopped
from arena.core.player import Usage

MILLION = 1_000_000
_ROUNDING = 1e-9
"""Money below this is nothing: sums of small costs are not exact."""

FIRST = 8
"""Matches in flight while a limit holds and none has shown yet what a match takes."""


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens, in whatever currency the user counts."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / MILLION


@dataclass(slots=True)
class Account:
    """What one player has spent so far."""

    player: str
    model: str
    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Thoughts included."""
    reasoning_tokens: int = 0
    cost: float | None = None
    """None where no price is known."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Reservation:
    """Tokens, and money where there is a price, put aside for a request in flight."""

    def __init__(self, ledger: Ledger, account: Account, tokens: int, cost: float) -> None:
        self._ledger, self._account, self._tokens, self._cost = ledger, account, tokens, cost
        self._open = True

    def settle(self, usage: Usage) -> None:
        """Book what the request took; nothing where it was settled or released before."""
        if self._open:
            self._open = False
            self._ledger._book(self._account, usage)
            self._ledger._free(self._tokens, self._cost)

    def release(self) -> None:
        """Nothing was spent."""
        if self._open:
            self._open = False
            self._ledger._free(self._tokens, self._cost)


class Ledger:
    """The accounts of a job's players under its limits, which hold for all of them together."""

    def __init__(
        self, prices: Mapping[str, Price] | None = None, max_cost: float | None = None, max_tokens: int | None = None
    ) -> None:
        """`prices` by player: its spec as given, or without its options, or also without its address."""
        self._prices, self._max_cost, self._max_tokens = dict(prices or {}), max_cost, max_tokens
        self._accounts: dict[str, Account] = {}
        self._begun: dict[str, Account] = {}
        self._share = 1
        self._reserved_tokens, self._reserved_cost = 0, 0.0
        self._in_flight = 0
        self._waiting: list[asyncio.Future[None]] = []

    def begin(self, accounts: Iterable[Account], share: int = 1) -> None:
        """Go on from what was spent before; of what the limits leave, one `share`-th is for this ledger."""
        self._accounts = {account.player: self._priced(account) for account in accounts}
        self._begun = {name: replace(account) for name, account in self._accounts.items()}
        self._share = share

    def reserve(self, player: str, model: str, prompt_tokens: int, completion_tokens: int) -> Reservation:
        """Put aside the most that a request may take. Raises PlayerStopped where that would pass a limit."""
        price = price_of(self._prices, player)
        tokens = prompt_tokens + completion_tokens
        cost = price.of(prompt_tokens, completion_tokens) if price is not None else 0.0
        self._check(player, tokens, cost, price is not None)
        account = self._accounts.setdefault(player, Account(player, model, cost=None if price is None else 0.0))
        self._reserved_tokens += tokens
        self._reserved_cost += cost
        self._in_flight += 1
        return Reservation(self, account, tokens, cost)

    def allows_match(self, in_flight: int, finished: int) -> bool:
        """Whether one more match beside those in flight is likely to end within the limits.

        By what was spent for each match that has `finished`, those before the ledger began included; before the first
        has, `FIRST` may be in flight, so that a small budget is not spread over many matches of which none ends.
        """
        if (self._max_cost is None and self._max_tokens is None) or not in_flight:
            return True
        if not finished:
            return in_flight < FIRST
        share = (in_flight + 1) / finished
        most_tokens, most_cost = self._most()
        return self.tokens * (1 + share) <= most_tokens and self.cost * (1 + share) <= most_cost

    async def reserve_soon(self, player: str, model: str, prompt_tokens: int, completion_tokens: int) -> Reservation:
        """`reserve`, which waits while only requests in flight are in its way: most take less than they may."""
        while True:
            try:
                return self.reserve(player, model, prompt_tokens, completion_tokens)
            except PlayerStopped:
                if not self._in_flight:
                    raise
            closed = asyncio.get_running_loop().create_future()
            self._waiting.append(closed)
            await closed

    def retried(self, player: str) -> None:
        """Count a request that asks once more what another did not get an answer to."""
        if player in self._accounts:
            self._accounts[player].retries += 1

    def accounts(self) -> list[Account]:
        """Every player that asked, in the order of their first requests; copies."""
        return [replace(account) for account in self._accounts.values()]

    def gained(self) -> list[Account]:
        """What `accounts` has beyond what the ledger began with."""
        return [_less(account, self._begun.get(name)) for name, account in self._accounts.items()]

    @property
    def tokens(self) -> int:
        """Tokens spent by all players."""
        return sum(account.tokens for account in self._accounts.values())

    @property
    def cost(self) -> float:
        """Money spent by all players whose price is known."""
        return sum(account.cost or 0.0 for account in self._accounts.values())

    def _most(self) -> tuple[float, float]:
        """Tokens and money up to which this ledger may go: its share of what was left when it began."""
        most_tokens = most_cost = inf
        if self._max_tokens is not None:
            begun = sum(account.tokens for account in self._begun.values())
            most_tokens = begun + max(0, self._max_tokens - begun) // self._share
        if self._max_cost is not None:
            before = sum(account.cost or 0.0 for account in self._begun.values())
            most_cost = before + max(0.0, self._max_cost - before) / self._share
        return most_tokens, most_cost

    def _check(self, player: str, tokens: int, cost: float, priced: bool) -> None:
        most_tokens, most_cost = self._most()
        if self._max_tokens is not None and self.tokens + self._reserved_tokens + tokens > most_tokens:
            raise PlayerStopped(
                f"the limit of {self._max_tokens:,} tokens is reached: {self.tokens:,} are spent, and one more "
                f"request of {player} may take {tokens:,}.",
                "Resume with a larger --max-tokens.",
            )
        if self._max_cost is not None:
            if not priced:
                raise PlayerStopped(
                    f"{player} has no price, and the cost is limited.", "Name its price in the file of --prices."
                )
            if self.cost + self._reserved_cost + cost > most_cost + _ROUNDING:
                raise PlayerStopped(
                    f"the budget of {self._max_cost:,.2f} is spent: {_money(self.cost)} are gone, and one more request "
                    f"of {player} may cost {_money(cost)}.",
                    "Resume with a larger --max-cost.",
                )

    def _priced(self, account: Account) -> Account:
        """With the cost of all its tokens, where that was not known and is now."""
        price = price_of(self._prices, account.player)
        if account.cost is not None or price is None:
            return replace(account)
        return replace(account, cost=price.of(account.prompt_tokens, account.completion_tokens))

    def _book(self, account: Account, usage: Usage) -> None:
        account.requests += 1
        account.prompt_tokens += usage.prompt_tokens
        account.completion_tokens += usage.completion_tokens
        account.reasoning_tokens += usage.reasoning_tokens
        price = price_of(self._prices, account.player)
        if price is not None:
            account.cost = (account.cost or 0.0) + price.of(usage.prompt_tokens, usage.completion_tokens)

    def _free(self, tokens: int, cost: float) -> None:
        self._reserved_tokens -= tokens
        self._in_flight -= 1
        # Nothing in flight reserves nothing, whatever the sums of rounded figures say.
        self._reserved_cost = self._reserved_cost - cost if self._in_flight else 0.0
        waiting, self._waiting = self._waiting, []
        for closed in waiting:
            if not closed.done():
                closed.set_result(None)


def price_of(prices: Mapping[str, Price], player: str) -> Price | None:
    """A player's price: that of its spec, else of the spec without options, else also without the server's address."""
    plain = player.partition("?")[0]
    address = max(plain.lower().rfind("@http://"), plain.lower().rfind("@https://"))
    names = (player, plain, plain[:address] if address > 0 else plain)
    return next((prices[name] for name in names if name in prices), None)


def add_up(accounts: Iterable[Account]) -> list[Account]:
    """One account a player, in order of first appearance: the sum of all that are given of it."""
    found: dict[str, Account] = {}
    for one in accounts:
        sum_ = found.setdefault(one.player, Account(one.player, one.model))
        sum_.requests += one.requests
        sum_.retries += one.retries
        sum_.prompt_tokens += one.prompt_tokens
        sum_.completion_tokens += one.completion_tokens
        sum_.reasoning_tokens += one.reasoning_tokens
        if one.cost is not None:
            sum_.cost = (sum_.cost or 0.0) + one.cost
    return list(found.values())


def _less(account: Account, before: Account | None) -> Account:
    if before is None:
        return replace(account)
    return Account(
        account.player,
        account.model,
        account.requests - before.requests,
        account.retries - before.retries,
        account.prompt_tokens - before.prompt_tokens,
        account.completion_tokens - before.completion_tokens,
        account.reasoning_tokens - before.reasoning_tokens,
        None if account.cost is None else account.cost - (before.cost or 0.0),
    )


def _money(value: float) -> str:
    return f"{value:,.4f}"
