"""Credit, in bytes: what the other side may still send (clauses CREDIT-1 to CREDIT-5).

An item costs its body and `ITEM_OVERHEAD`, on its stream and on the session. It may be sent while both balances are
above 0, so that a balance goes below 0 once at the most; it is given back when the item was used or thrown away.
At any time, of the session and of each stream:

    window  =  granted  +  unreturned  +  the cost of the items that came and were not yet used
"""

from __future__ import annotations

import msgspec

from .errors import LocalProtocolError, ProtocolViolation


class Allowance(msgspec.Struct, gc=False):
    """What the other side may still send, on one stream or in all.

    `window`: what HELLO gave it; `granted`: what is left of it; `unreturned`: what was used and not yet given back.
    """

    window: int
    granted: int
    unreturned: int = 0

    def charge(self, cost: int) -> None:
        """An item came. Raises ProtocolViolation if it came without credit."""
        if self.granted <= 0:
            raise ProtocolViolation("CREDIT-2", "an ITEM came without credit")
        self.granted -= cost

    def give_back(self, cost: int) -> int:
        """An item was used; returns what is to be announced with CREDIT now, or 0: half a window is worth a frame.

        Raises LocalProtocolError for more than what came.
        """
        unreturned = self.unreturned + cost
        if self.granted + unreturned > self.window:
            raise LocalProtocolError("CREDIT-1", "more was given back than came")
        if 2 * unreturned < self.window:
            self.unreturned = unreturned
            return 0
        self.granted += unreturned
        self.unreturned = 0
        return unreturned
