"""The written standard as data: `PROTOCOL.md`, `PROMISES.md`, `frames.cddl` and `vectors/*.json`.

Read it with `importlib.resources.files("graftwire.spec")`. There is no code in it.
"""
