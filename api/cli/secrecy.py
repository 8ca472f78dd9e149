"""What looks like a secret on the command line, where every user of the machine can read it, is not taken."""

from __future__ import annotations

import os
import re
from typing import Final

from .failure import Failure

_KEY_OR_TOKEN: Final = re.compile(r"gw_[a-z2-7]{12}_|eyJ[A-Za-z0-9_-]{8}")  # an API key, a signed token
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/_-]{43,}={0,2}")  # 32 bytes or more in base64


def refuse_secret(option: str, text: str) -> None:
    """Raises Failure, which does not repeat it, if the text of an option holds what looks like a secret.

    Otherwise a later sentence could, taking it for the name of a file.
    """
    if _KEY_OR_TOKEN.search(text) or any(_random(part) for part in text.split(":")):
        raise Failure(
            f"{option}: this looks like a secret itself, not like where it is; put it in a file or in a variable of "
            "the environment, name that, and replace it: whoever lists processes could read it",
            kind="security",
        )


def _random(text: str) -> bool:
    """Whether it is as random bytes in base64 are, and no path: three kinds of characters, few slashes, no file."""
    if not _RANDOM.fullmatch(text) or text.count("/") > 3 or os.path.lexists(text):
        return False
    return all(re.search(kind, text) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
