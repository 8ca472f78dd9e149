"""What `graftwire demo` hosts: the invoices of a small company, in memory. It is plain Python, as any module is.

`graftwire serve graftwire.cli.demo_module:Invoices --listen tcp://127.0.0.1:7400 --auth anonymous` hosts it too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import trio

from graftwire import raises


@dataclass
class Invoice:
    """What a customer owes."""

    number: int
    customer: str
    amount: Decimal
    due: date
    paid: bool = False


class AlreadyPaid(Exception):
    """An invoice was to be paid a second time."""

    number: int

    def __init__(self, number: int) -> None:
        super().__init__(f"invoice {number} is paid")
        self.number = number


class Invoices:
    """The invoices, and what can be done with them."""

    def __init__(self) -> None:
        self._invoices = {
            invoice.number: invoice
            for invoice in (
                Invoice(1, "ACME", Decimal("1200.00"), date(2026, 12, 1)),
                Invoice(2, "ACME", Decimal("80.50"), date(2026, 12, 8)),
                Invoice(3, "Globex", Decimal("410.00"), date(2026, 12, 15), paid=True),
            )
        }
        self.audits = 0
        self.audits_cancelled = 0

    async def total(self, customer: str) -> Decimal:
        """What `customer` owes in all."""
        return sum((invoice.amount for invoice in self._of(customer) if not invoice.paid), Decimal())

    async def of(self, customer: str) -> AsyncIterator[Invoice]:
        """The invoices of `customer`, one after the other."""
        for invoice in self._of(customer):
            yield invoice

    async def remind(self, customer: str, sent: Callable[[int], Awaitable[None]]) -> int:
        """Remind `customer` of each invoice; `sent` is told its number. Returns how many there were."""
        unpaid = [invoice for invoice in self._of(customer) if not invoice.paid]
        for invoice in unpaid:
            await sent(invoice.number)
        return len(unpaid)

    @raises(AlreadyPaid)
    async def pay(self, number: int) -> Invoice:
        """Pay an invoice, once."""
        invoice = self._invoices[number]
        if invoice.paid:
            raise AlreadyPaid(number)
        invoice.paid = True
        return invoice

    async def audit(self) -> None:
        """Look through all the books, which takes longer than anybody wants to wait."""
        self.audits += 1
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            self.audits_cancelled += 1
            raise

    def _of(self, customer: str) -> list[Invoice]:
        return [invoice for invoice in self._invoices.values() if invoice.customer == customer]
