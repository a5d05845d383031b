"""Cases that authors of rules do not read."""
