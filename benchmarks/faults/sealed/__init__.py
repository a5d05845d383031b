"""Cases that nobody who writes rules or probes opens, and of which misses are told by kind alone."""
