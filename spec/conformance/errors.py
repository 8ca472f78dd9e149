"""What can go wrong at the runner's end, as opposed to what a target does."""

from __future__ import annotations


class HarnessError(Exception):
    """The run can't go on, or a case can't be played, for a reason that is not the target's: one sentence."""


class Flooded(Exception):
    """The target wrote more over one link than it can have been asked for: one sentence."""


class TargetEnded(Exception):
    """The target's process has ended, or does not answer: one sentence.

    `last_words` are its last lines on standard error, without a secret; empty: there are none.
    """

    def __init__(self, sentence: str, last_words: str = "") -> None:
        super().__init__(sentence)
        self.last_words = last_words


class TargetSilent(TargetEnded):
    """The target was started, and did not answer the opening in its time."""
