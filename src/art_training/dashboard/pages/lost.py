"""What is shown at an address that is none, such as one that was cut off when it was sent."""

from typing import Any

from fastapi import Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from nicegui import Client, app, ui
from starlette.exceptions import HTTPException

from art_training.dashboard.parts.frame import Crumb, frame
from art_training.dashboard.parts.html import h, link

_OWN = ("/static/", "/_nicegui")  # of pages, and asked for by no one


def register() -> None:
    """Make known what is shown for pages that there are not."""

    async def lost(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and request.url.path.startswith(_OWN):
            return await http_exception_handler(request, error)
        crumbs = [Crumb("Projects", "/")]
        with (
            Client(ui.page(""), request=request) as client,
            frame("No such page", crumbs=crumbs),
            h("p", "", "card call"),
        ):
            h("span", f"{_why(request, error)} Begin with ")
            link("the projects", "/")
            h("span", ".")
        return client.build_response(request, 404)

    for kind in (404, RequestValidationError):
        app.add_exception_handler(kind, lost)


def _why(request: Request, error: Exception) -> str:
    if not isinstance(error, RequestValidationError):
        return f"There is no page {request.url.path}."
    wrong: list[Any] = [one["loc"][-1] for one in error.errors()]
    listed = ", ".join(str(one) for one in wrong)
    return f"The address of this page is not whole: it does not say, or not rightly, its {listed}."
