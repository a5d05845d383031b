"""A live look at a store in the browser. Needs the extra `dashboard`."""

from art_training.dashboard.serving import serve

__all__ = ["serve"]
