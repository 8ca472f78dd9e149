"""A gateway from a file: what an operator can say, where, and what becomes of it."""
