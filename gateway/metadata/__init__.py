"""The interface model: what of a hosted object may be known outside, and nothing else (promises P3, P4)."""
