"""A number of things in words."""


def counted(number: int | str, what: str) -> str:
    """A number of things, as it is or as it is written: `1 run`, `2 runs`, `1,200 runs`."""
    return f"{number} {what}" if str(number) == "1" else f"{number} {what}s"
