"""Projects that ART ships."""
