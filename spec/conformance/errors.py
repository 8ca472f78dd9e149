"""What can go wrong at the runner's end, as opposed to what a target does."""

from __future__ import annotations


class HarnessError(Exception):
    """The run can't go on, or a case can't be played, for a reason that is not the target's: one sentence."""


class Flooded(Exception):
    """The target wrote more over one link than it can have been asked for: one sentence."""


class TargetEnded(Exception):
    """The target's process has ended, or does not answer: one sentence."""


class TargetSilent(TargetEnded):
    """The target was started, and did not answer the opening in its time."""
