"""Projects that ART ships, and how a project is made of a template."""

from art_training.templates.template import Template

__all__ = ["Template"]
