"""How long one waits before anything happens."""
