"""Learning by doing: projects in which something is silently wrong, dealt and marked."""
