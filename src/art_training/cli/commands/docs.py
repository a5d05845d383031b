"""`art docs`: the pages that come with ART, in the terminal."""

from typing import Annotated

import typer

from art_training.cli.completing import complete_pages


def docs(
    page: Annotated[
        str | None,
        typer.Argument(metavar="PAGE", help="Which one; without it, they are listed.", autocompletion=complete_pages),
    ] = None,
) -> None:
    """Read a page of the documentation in the terminal."""
    from rich.markdown import Markdown
    from rich.text import Text

    from art_training.cli.output import console, table
    from art_training.cli.pages import SECTIONS, page_called, pages, text_of

    shown = console()
    if page is not None:
        text = text_of(page_called(page))
        shown.print(Markdown(text) if shown.is_terminal else Text(text.rstrip()))
        return
    width = max(map(len, pages()))
    for section, title in SECTIONS.items():
        shown.print(Text(title, "bold"))
        drawn = table("page", "answers")
        drawn.show_header = False
        drawn.columns[0].min_width = width
        for one in pages().values():
            if one.section == section:
                drawn.add_row(one.name, one.title)
        shown.print(drawn)
        shown.print()
    shown.print(Text("`art docs PAGE` shows one.", "dim"))
