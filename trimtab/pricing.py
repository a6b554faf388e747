"""Tokens and CPU-seconds to US dollars, from a dated table that a file may override.

Columns of a price table: ``model``, ``usd_per_1m_input``, ``usd_per_1m_cached_input``,
``usd_per_1m_output``, ``unit`` (``token`` or ``cpu_s``), ``as_of`` (ISO date), ``source``.
An empty cached price means that cached tokens are billed as other input. A ``cpu_s`` row has no
prices of its own: local computation is billed by the CPU-second, which is a setting.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Literal

from trimtab.errors import ConfigError, PriceUnknown
from trimtab.settings import Settings

COLUMNS = (
    "model",
    "usd_per_1m_input",
    "usd_per_1m_cached_input",
    "usd_per_1m_output",
    "unit",
    "as_of",
    "source",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What one model costs, in US dollars per million tokens; None for a ``cpu_s`` row."""

    model: str
    unit: Literal["token", "cpu_s"]
    usd_per_1m_input: float | None
    usd_per_1m_cached_input: float | None
    usd_per_1m_output: float | None
    as_of: date
    source: str


class PriceTable:
    """Prices by model name; immutable.

    Args:
        prices: one entry per model; a later one replaces an earlier one of the same name.
        usd_per_cpu_s: price of one CPU-second of local computation.
        origin: where the prices came from, for error messages.
    """

    def __init__(
        self, prices: Iterable[ModelPrice], *, usd_per_cpu_s: float, origin: str = "the price table"
    ) -> None:
        if not 0.0 < usd_per_cpu_s < math.inf:
            raise ConfigError(f"usd_per_cpu_s={usd_per_cpu_s} is not a positive number")
        self.usd_per_cpu_s = usd_per_cpu_s
        self.origin = origin
        self._prices = {price.model: price for price in prices}

    @classmethod
    def from_csv(cls, path: Path, *, usd_per_cpu_s: float) -> PriceTable:
        """Return the table of one file.

        Raises:
            ConfigError: the file cannot be read, or a cell is unusable; names line and column.
        """
        return cls(_read(path), usd_per_cpu_s=usd_per_cpu_s, origin=str(path))

    def __contains__(self, model: object) -> bool:
        return model in self._prices

    def __iter__(self) -> Iterator[str]:
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)

    def price(self, model: str) -> ModelPrice:
        """Return the row of a model; raises ``PriceUnknown`` with the remedy."""
        found = self._prices.get(model)
        if found is None:
            raise PriceUnknown(
                f"no price for model {model!r} in {self.origin}; add a row with the columns "
                f"{','.join(COLUMNS)} to a CSV file and set TRIMTAB_PRICES to its path"
            )
        return found

    def as_of(self, model: str) -> date:
        """Return the day of a model's price."""
        return self.price(model).as_of

    def source(self, model: str) -> str:
        """Return where a model's price was read."""
        return self.price(model).source

    def cost(
        self,
        model: str,
        *,
        prompt_tokens: int,
        completion_tokens: int,
        cached_tokens: int = 0,
        cpu_s: float = 0.0,
    ) -> float:
        """Return the price of one call in US dollars.

        Args:
            model: the model's name in the table.
            prompt_tokens: all input tokens, cached ones included.
            completion_tokens: output tokens.
            cached_tokens: the part of ``prompt_tokens`` read from the provider's cache.
            cpu_s: CPU-seconds used, for a model that runs here.

        Raises:
            PriceUnknown: the table does not hold the model.
            ConfigError: a count is negative or NaN, more tokens are cached than sent, or a model
                billed by the CPU-second used none.
        """
        counts = {
            "prompt_tokens": prompt_tokens,
            "cached_tokens": cached_tokens,
            "completion_tokens": completion_tokens,
            "cpu_s": cpu_s,
        }
        for field, count in counts.items():
            if not 0 <= count < math.inf:
                raise ConfigError(f"{field}={count} is not a number >= 0; give what the call used")
        if cached_tokens > prompt_tokens:
            raise ConfigError(
                f"cached_tokens={cached_tokens} exceeds prompt_tokens={prompt_tokens}; "
                "prompt_tokens counts the cached ones too"
            )
        row = self.price(model)
        if row.usd_per_1m_input is None or row.usd_per_1m_output is None:
            if cpu_s == 0:
                raise ConfigError(
                    f"cpu_s=0 for {model!r}, which is billed by the CPU-second; measure the call"
                )
            return cpu_s * self.usd_per_cpu_s
        cached_price = row.usd_per_1m_cached_input
        if cached_price is None:
            cached_price = row.usd_per_1m_input
        return (
            (prompt_tokens - cached_tokens) * row.usd_per_1m_input
            + cached_tokens * cached_price
            + completion_tokens * row.usd_per_1m_output
        ) / 1e6


def load_prices(settings: Settings) -> PriceTable:
    """Return the shipped table with the rows of ``settings.prices`` merged over it."""
    shipped = resources.files("trimtab").joinpath("shipped", "prices.csv")
    with resources.as_file(shipped) as path:
        prices = _read(path)
    origin = "trimtab/shipped/prices.csv"
    if settings.prices is not None:
        prices += _read(settings.prices)
        origin = f"{settings.prices} and {origin}"
    return PriceTable(prices, usd_per_cpu_s=settings.usd_per_cpu_s, origin=origin)


def _read(path: Path) -> list[ModelPrice]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"price table {path} cannot be read: {error}") from error
    reader = csv.DictReader(text.splitlines())
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(
            f"price table {path} lacks the columns {', '.join(missing)}; "
            f"its first line must be {','.join(COLUMNS)}"
        )
    prices: dict[str, ModelPrice] = {}
    for row in reader:
        where = f"price table {path}, line {reader.line_num}"
        price = _parse(row, where)
        if price.model in prices:
            raise ConfigError(f"{where}: model {price.model!r} occurs twice; keep one row")
        prices[price.model] = price
    return list(prices.values())


def _parse(row: Mapping[str, str | None], where: str) -> ModelPrice:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    for column in ("model", "source"):
        if not cells[column]:
            raise ConfigError(f"{where}: {column} is empty")
    try:
        as_of = date.fromisoformat(cells["as_of"])
    except ValueError as error:
        raise ConfigError(
            f"{where}: as_of={cells['as_of']!r} is not a date; write it like 2024-12-01"
        ) from error
    unit = cells["unit"]
    if unit not in ("token", "cpu_s"):
        raise ConfigError(f"{where}: unit={unit!r} is neither token nor cpu_s")
    money = {c: _usd(cells[c], f"{where}: {c}") for c in COLUMNS[1:4]}
    if unit == "cpu_s":
        if any(value is not None for value in money.values()):
            raise ConfigError(f"{where}: a cpu_s row has no token prices; leave them empty")
        return ModelPrice(
            model=cells["model"], unit="cpu_s", as_of=as_of, source=cells["source"], **money
        )
    for column in ("usd_per_1m_input", "usd_per_1m_output"):
        if money[column] is None:
            raise ConfigError(f"{where}: {column} is empty; a price is never taken to be 0")
    return ModelPrice(
        model=cells["model"], unit="token", as_of=as_of, source=cells["source"], **money
    )


def _usd(cell: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise ConfigError(f"{where}={cell!r} is not a number >= 0")
    return value
