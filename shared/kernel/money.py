"""Money is an integer of minor units and a currency code; nothing here knows a float."""

from __future__ import annotations

from typing import Final

EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(("CNY", "USD", "EUR", "GBP", "INR", "AUD", "CAD", "CHF", "HKD", "SGD", "BRL", "MXN", "RUB"), 2),
    **dict.fromkeys(("ZAR", "SEK", "NOK", "DKK", "PLN", "THB", "MYR", "PHP", "IDR", "AED", "SAR", "NZD", "TWD"), 2),
    **dict.fromkeys(("JPY", "KRW", "VND", "CLP"), 0),
    **dict.fromkeys(("KWD", "BHD", "OMR", "JOD", "TND"), 3),
}
"""Digits behind the point per ISO 4217 currency that a deployment may lend in (trap T-23)."""


def format_money(amount_minor: int, currency: str) -> str:
    """Return e.g. `CNY 1,234.50`, `JPY 1,200`, `KWD -0.005`; the currency must be in `EXPONENTS`."""
    exponent = EXPONENTS[currency]
    whole, part = divmod(abs(amount_minor), 10**exponent)
    sign = "-" if amount_minor < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{part:0{exponent}d}" if exponent else "")
