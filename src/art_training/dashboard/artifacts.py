"""The files that runs left, to be looked at or saved. None of them can script a page, whatever is in it."""

from pathlib import PurePosixPath

from fastapi import Response
from fastapi.responses import FileResponse, PlainTextResponse

from art_training.dashboard.parts.frame import Desk
from art_training.dashboard.parts.html import url
from art_training.errors import ARTError
from art_training.stores import Store
from art_training.views.artifacts import ArtifactRow, artifact_of

_PATH = "/artifact"
_TEXT = "text/plain; charset=utf-8"  # a table, too: browsers would save a text/csv and not show it
_HEADERS = {
    "content-security-policy": "sandbox",  # no script, no form, and an origin of its own
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=3600",  # a digest never stands for other bytes
}


def register(desk: Desk) -> None:
    """Make `/artifact` known: only files that the run's outcome names, by their digests; there are no paths to give."""
    from nicegui import app

    @app.get(_PATH)
    async def artifact(run: str, digest: str, save: bool = False) -> Response:  # pyright: ignore[reportUnusedFunction]
        def question(store: Store) -> Response:
            row, path = artifact_of(store, run, digest)
            opened = row.shown != "download" and not save
            return FileResponse(
                path,
                media_type=row.media_type if row.shown in {"picture", "download"} else _TEXT,
                headers=_HEADERS,
                filename=PurePosixPath(row.name.replace("\\", "/")).name or "file",
                content_disposition_type="inline" if opened else "attachment",
            )

        try:
            answer = await desk.source.ask(question)
        except ARTError as error:
            return PlainTextResponse(f"{error}\n", status_code=404, headers=_HEADERS | {"cache-control": "no-store"})
        return answer or PlainTextResponse("There is no store yet.\n", status_code=404, headers=_HEADERS)


def artifact_url(run: str, row: ArtifactRow, *, save: bool = False) -> str:
    """Where a file of a run is opened, or saved."""
    return url(_PATH, {"run": run, "digest": row.digest} | ({"save": "1"} if save else {}))
