"""The executable half of the standard: the conformance suite, which can be run against any peer, will live here."""
