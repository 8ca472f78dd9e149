"""Measures Graftwire beside other systems; see `python -m graftwire.bench --help`."""
