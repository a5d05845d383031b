"""The standards that ART ships, one a file."""
