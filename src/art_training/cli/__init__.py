"""The command line: one module a command; each draws views and decides nothing."""

from art_training.cli.failing import main

__all__ = ["main"]
