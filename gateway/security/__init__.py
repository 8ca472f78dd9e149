"""Security plugins: who calls, and may they. What no plugin decides is refused (promises P7, P8, P11)."""
