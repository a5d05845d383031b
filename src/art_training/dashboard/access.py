"""Who may see the dashboard: this machine, or whoever holds the token; and what a page may load."""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_COOKIE = "art_token"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]@/\\]+)(?::\d+)?")  # a name or an address, and a port
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "  # Vue compiles its templates in the browser
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_OPENS = "the address that `art dashboard` printed opens it: it ends in ?token=..."


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server at this address."""
    try:
        address = ip_address(host.strip("[]"))
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Access:
    """Lets in who may see the dashboard.

    A page of another site, open in the same browser, must neither read it nor connect to it: by a name of its own that
    resolves to this machine, nor across origins.

    Attributes:
        token: what a visitor must bring; empty on loopback, where the machine's users are trusted.
        kept: the cookie that carries it; it has the port in it, since browsers share cookies between ports.
    """

    token: str = ""
    kept: str = _COOKIE

    @classmethod
    def to(cls, host: str, port: int) -> "Access":
        """What an address asks for."""
        return cls("" if is_loopback(host) else secrets.token_urlsafe(24), f"{_COOKIE}_{port}")

    def refusal(self, scope: Scope) -> str:
        """Why a request is refused, in a sentence; empty where it is not."""
        headers = _headers(scope)
        host = headers.get("host", "")
        named = _HOST.fullmatch(host)
        if not self.token and not (named and is_loopback(named[1])):
            return f"this dashboard answers to this machine only, not to {host!r}"
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
            return "another site asked for it"
        if self.token and not self._is_known(headers):
            return f"this dashboard needs its token; {_OPENS}"
        return ""

    def brought(self, scope: Scope) -> bool:
        """Whether the address carries the right token."""
        given = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token", "")
        return bool(self.token) and _same(given, self.token)

    def _is_known(self, headers: dict[str, str]) -> bool:
        cookies = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.kept in cookies and _same(cookies[self.kept].value, self.token)


@dataclass(frozen=True)
class Guard:
    """The application behind its access, websockets included.

    Attributes:
        app: what is guarded.
        access: who may see it.
    """

    app: App
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "GET" and self.access.brought(scope):
            await _let_in(self.access, scope, send)
            return
        if refusal := self.access.refusal(scope):
            await _refuse(refusal, scope, send)
            return
        await self.app(scope, receive, _with_headers(send))


async def _let_in(access: Access, scope: Scope, send: Send) -> None:
    """Keep the token in a cookie, and out of the address, which lands in histories and is sent to colleagues."""
    rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
    path = "/" + quote(scope["path"].lstrip("/"))  # never another host's, as //elsewhere would be
    place = path + (f"?{urlencode(rest)}" if rest else "")
    cookie = f"{access.kept}={access.token}; Path=/; HttpOnly; SameSite=Lax"  # a colleague follows a link
    await _answer(303, "", send, [(b"location", place.encode()), (b"set-cookie", cookie.encode())])


async def _refuse(why: str, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    await _answer(403, f"Refused: {why}.\n", send)


async def _answer(status: int, text: str, send: Send, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *_HEADERS, *(headers or [])]})
    await send({"type": "http.response.body", "body": text.encode()})


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", [])}
            message["headers"] = [*message.get("headers", []), *(one for one in _HEADERS if one[0] not in own)]
        await send(message)

    return sending


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())
