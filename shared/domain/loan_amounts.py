"""Amounts by component as four integers: quick to add, to compare and to encode.

The order is that of `Component`: penalty, fee, interest, principal. Minor units of the loan's currency throughout;
amounts of two loans are never added here, so that currencies cannot mix (trap T-23).
"""

from __future__ import annotations

from typing import Final

from shared.contract.base import Amounts, Component

Parts = tuple[int, int, int, int]
"""Minor units of penalty, fee, interest, principal."""
NOTHING: Final[Parts] = (0, 0, 0, 0)
POSITION: Final[dict[Component, int]] = {component: at for at, component in enumerate(Component)}


def parts_of(amounts: Amounts) -> Parts:
    """Return the four integers of a contract amount."""
    return (amounts.penalty_minor, amounts.fee_minor, amounts.interest_minor, amounts.principal_minor)


def amounts_of(parts: Parts) -> Amounts:
    """Return the contract's form, for events and for people."""
    penalty, fee, interest, principal = parts
    return Amounts(principal_minor=principal, interest_minor=interest, penalty_minor=penalty, fee_minor=fee)


def plus(one: Parts, other: Parts) -> Parts:
    """Return the sum, component by component."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def minus(one: Parts, other: Parts) -> Parts:
    """Return the difference, component by component; the caller knows that none falls below zero."""
    return (one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3])
