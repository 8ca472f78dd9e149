"""Worker processes: where a hosted module runs in a process of its own, behind the gateway (promise P6)."""
