"""The reference target: Graftwire itself behind the launch protocol of TARGETS.md, in both roles.

It uses the public face of the library alone, as anybody's target would.
"""
