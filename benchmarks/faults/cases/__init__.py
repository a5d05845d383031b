"""Cases that authors of rules read."""
