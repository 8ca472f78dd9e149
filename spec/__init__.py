"""The written standard as data: `PROTOCOL.md`, `METADATA.md`, `PROMISES.md`, their CDDL and `vectors/*.json`.

Read it with `importlib.resources.files("graftwire.spec")`. There is no code in it.
"""
