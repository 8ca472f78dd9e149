"""Links that move bytes, and the sessions that run on them."""
