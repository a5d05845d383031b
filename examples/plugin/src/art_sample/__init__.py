"""A step, a check, a rule, a tracker, a standard and a template, offered to ART by the entry points of pyproject.toml."""
