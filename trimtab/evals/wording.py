"""Figures in words: one spelling for the terminal and for the page."""

from __future__ import annotations

from trimtab.stats import Estimate


def money(usd: float) -> str:
    """Return US dollars to three digits, without an exponent down to a millionth.

    >>> money(1234.5), money(0.00123456), money(-2.5), money(0.0)
    ('$1,234', '$0.00123', '-$2.50', '$0')
    """
    sign, size = ("-" if usd < 0 else ""), abs(usd)
    if size == 0:
        return "$0"
    if size >= 100:
        return f"{sign}${size:,.0f}"
    if size >= 1:
        return f"{sign}${size:.2f}"
    return f"{sign}${_digits(size)}"


def duration(seconds: float) -> str:
    """Return a time to three digits in the unit that suits it.

    >>> duration(0.000123), duration(0.25), duration(3.0), duration(0.0)
    ('0.123 ms', '250 ms', '3 s', '0 s')
    """
    if seconds == 0:
        return "0 s"
    if abs(seconds) < 1:
        return f"{_digits(seconds * 1000)} ms"
    return f"{_digits(seconds)} s"


def percent(fraction: float) -> str:
    """Return a fraction in per cent to one decimal; what is not all never reads 100 %.

    >>> percent(0.5), percent(0.99999), percent(1.0), percent(0.00001)
    ('50.0 %', '>99.9 %', '100 %', '<0.1 %')
    """
    if fraction in (0.0, 1.0):
        return f"{fraction:.0%}".replace("%", " %")
    if 0.9995 <= fraction < 1.0:
        return ">99.9 %"
    if 0.0 < fraction < 0.0005:
        return "<0.1 %"
    return f"{fraction * 100:.1f} %"


def points(difference: float) -> str:
    """Return a difference of two fractions in points, with its sign.

    >>> points(-0.0234), points(0.01)
    ('-2.3 points', '+1.0 points')
    """
    return f"{difference * 100:+.1f} points"


def span(estimate: Estimate, word: str = "money") -> str:
    """Return the interval of an estimate, ``–`` for a limit that n cannot bound.

    Args:
        estimate: the figure.
        word: ``money``, ``duration``, ``percent`` or ``points``.

    >>> span(Estimate(value=0.5, low=0.4, high=0.6, n=99), "percent")
    '40.0 to 60.0 %'
    """
    spell = {"money": money, "duration": duration, "percent": percent, "points": points}[word]
    if estimate.low is None and estimate.high is None:
        return ""
    low = "–" if estimate.low is None else spell(estimate.low)
    high = "–" if estimate.high is None else spell(estimate.high)
    number, space, unit = low.partition(" ")
    if space and high.endswith(space + unit):
        low = number
    return f"{low} to {high}"


def saving(fraction: Estimate) -> str:
    """Return in words how a bill compares with that of always asking the LLM.

    >>> saving(Estimate(value=-0.12, low=-0.15, high=-0.1, n=40))
    'costs 12 % more than always asking the LLM (95 %: 10 % to 15 % more)'
    """
    return (
        f"costs {_against(fraction.value)} than always asking the LLM "
        f"(95 %: {_range(fraction.low, fraction.high)})"
    )


def monthly(usd: Estimate, volume: int) -> str:
    """Return in words what routing saves or costs in a month.

    >>> lost = monthly(Estimate(value=-3.0, low=-4.0, high=-2.0, n=40), 1000)
    >>> lost.removeprefix("at 1,000 decisions a month ")
    'routing costs $3.00 more than always asking the LLM ($2.00 to $4.00 more)'
    >>> saved = monthly(Estimate(value=3.0, low=-1.0, high=7.0, n=40), 1000)
    >>> saved.removeprefix("at 1,000 decisions a month ")
    'routing saves $3.00 against always asking the LLM ($1.00 more cost to $7.00 saved)'
    """
    verb, than = ("saves", "against") if usd.value >= 0 else ("costs", "more than")
    head = (
        f"at {volume:,} decisions a month routing {verb} {money(abs(usd.value))} {than} always "
        "asking the LLM"
    )
    if usd.low is None or usd.high is None:
        return head
    if usd.low >= 0:
        return f"{head} ({money(usd.low)} to {money(usd.high)} saved)"
    if usd.high <= 0:
        return f"{head} ({money(-usd.high)} to {money(-usd.low)} more)"
    return f"{head} ({money(-usd.low)} more cost to {money(usd.high)} saved)"


def _against(fraction: float) -> str:
    return f"{_whole(fraction)} % {'less' if fraction >= 0 else 'more'}"


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not bounded"
    near, far = sorted((low, high), key=abs)
    if _against(low) == _against(high):
        return _against(low)
    if low * high >= 0:
        return f"{_whole(near)} % to {_against(far)}"
    return f"{_against(low)} to {_against(high)}"


def _whole(fraction: float) -> str:
    """Return per cent without decimals, and below 1 % with one."""
    size = abs(fraction) * 100
    return f"{size:.1f}" if 0.0 < size < 0.95 else f"{size:.0f}"


def _digits(value: float) -> str:
    """Return three significant digits, without an exponent from a millionth up."""
    if abs(value) < 1e-6:
        return f"{value:.2e}"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    return f"{value:.8f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:,.0f}"
