"""Amounts are written with the digits of their currency, and ids follow from their parts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.ids import derive_id
from shared.kernel.money import EXPONENTS, format_money


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (123_450, "CNY", "CNY 1,234.50"),
        (1_200, "JPY", "JPY 1,200"),
        (-5, "KWD", "KWD -0.005"),
        (0, "USD", "USD 0.00"),
        (-100, "USD", "USD -1.00"),
    ],
)
def test_money_is_written_with_its_currencys_digits(amount_minor: int, currency: str, text: str) -> None:
    """No, two or three digits behind the point, and the sign before the number."""
    assert format_money(amount_minor, currency) == text


@given(amount_minor=st.integers(-(10**15), 10**15), currency=st.sampled_from(sorted(EXPONENTS)))
def test_no_unit_is_lost_in_writing(amount_minor: int, currency: str) -> None:
    """Read back as a decimal number, the text is the amount."""
    number = Decimal(format_money(amount_minor, currency).split(" ")[1].replace(",", ""))
    assert int(number.scaleb(EXPONENTS[currency])) == amount_minor


@given(parts=st.lists(st.text("ab", max_size=3), min_size=1, max_size=3))
def test_ids_keep_their_parts_apart(parts: list[str]) -> None:
    """The same parts give the same id, and parts run together give another one."""
    assert derive_id(*parts) == derive_id(*parts)
    assert (derive_id(*parts) == derive_id("".join(parts))) is (len(parts) == 1)


def test_ids_are_the_same_on_every_machine() -> None:
    """A known id: what ids derive from is part of the contract with consumers, who drop duplicates by them."""
    assert derive_id("cause", "kind", 0) == "cc7e99a2-cbe2-5f1f-a041-fda4b7618d74"
