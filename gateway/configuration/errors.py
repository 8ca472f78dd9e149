"""What can be wrong with the configuration of a gateway, in sentences for whoever wrote it."""

from __future__ import annotations

from graftwire.protocol.errors import Error


class ConfigurationError(Error):
    """A configuration can't be used; the text names the place, what is wrong and the remedy, never a secret."""
