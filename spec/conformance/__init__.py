"""The executable half of the standard: the conformance suite, which can be run against any peer.

`graftwire conform` runs it; TARGETS.md says what a program has to do that is to be tested. The way of a case:

    cases/       the cases, as data (case.py, parts.py, setups.py; writing.py has the helpers)
    selecting    which of them, on which links, in which roles
    running      so many at a time, each against a target that is started when it is needed (targets.py, launch.py)
    playing      one case: its link (links/), its steps (conversation.py), its verdict (results.py)
    reading      what the target wrote, against the grammar
    reference/   Graftwire itself as a target
"""
