import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.dashboard.access import Access, Guard, is_loopback


def answer(access, *, path="/", query="", kind="http", method="GET", **headers):
    """The status of one request, the headers, and whether the application was reached."""
    reached, sent = [], []

    async def app(scope, receive, send):
        reached.append(scope["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    with pytest.raises(StopIteration):  # nothing in it waits
        Guard(app, access)(scope, None, send).send(None)
    first = sent[0]
    return first.get("status", first.get("code")), dict(first.get("headers", [])), bool(reached)


LOCAL = Access.to("127.0.0.1", 8642)
OPEN = Access.to("0.0.0.0", 8642)


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "localhost:8642", "[::1]:8642", "localhost"])
def test_this_machine_needs_no_token(host):
    assert LOCAL.token == ""
    assert answer(LOCAL, host=host)[::2] == (200, True)


@pytest.mark.parametrize("host", ["evil.example:8642", "127.0.0.1.evil.example", "", "[", "192.168.0.7:8642"])
def test_a_name_that_another_site_lets_point_at_this_machine_is_refused(host):
    assert answer(LOCAL, host=host)[::2] == (403, False)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999"])
def test_a_page_of_another_site_can_neither_read_nor_connect(kind, origin):
    status, _, reached = answer(LOCAL, kind=kind, host="localhost:8642", origin=origin)
    assert not reached
    assert status == (403 if kind == "http" else 1008)


def test_its_own_pages_connect():
    assert answer(LOCAL, kind="websocket", host="localhost:8642", origin="http://localhost:8642")[2]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_address_needs_the_token(kind):
    assert len(OPEN.token) >= 32
    assert not answer(OPEN, kind=kind, host="gpu7:8642")[2]
    assert not answer(OPEN, kind=kind, host="gpu7:8642", cookie=f"{OPEN.kept}=wrong")[2]
    assert answer(OPEN, kind=kind, host="gpu7:8642", cookie=f"{OPEN.kept}={OPEN.token}")[2]


def test_the_token_of_the_address_moves_into_a_cookie_and_the_rest_of_the_address_stays():
    status, headers, reached = answer(OPEN, path="/run", query=f"id=7&token={OPEN.token}&x=a%20b", host="gpu7:8642")
    assert (status, reached) == (303, False)
    assert headers[b"location"] == b"/run?id=7&x=a+b"
    assert b"HttpOnly" in headers[b"set-cookie"]
    assert OPEN.token.encode() not in headers[b"location"]


def test_a_wrong_token_in_the_address_is_refused_with_what_to_do():
    assert answer(OPEN, query="token=wrong", host="gpu7:8642")[0] == 403


@given(path=st.text(min_size=1).map(lambda text: "/" + text))
def test_the_way_back_never_leads_to_another_host(path):
    _, headers, _ = answer(OPEN, path=path, query=f"token={OPEN.token}", host="gpu7:8642")
    place = headers[b"location"].decode()
    assert place.startswith("/")
    assert not place.startswith(("//", "/\\"))
    assert "\r" not in place
    assert "\n" not in place


@given(cookie=st.text(st.characters(max_codepoint=255)), query=st.text(st.characters(max_codepoint=127)))
def test_no_cookie_and_no_query_but_the_token_opens_it(cookie, query):
    headers = [(b"host", b"gpu7:8642"), (b"cookie", cookie.encode("latin-1"))]
    scope = {"type": "http", "headers": headers, "query_string": query.encode()}
    assert OPEN.refusal(scope)
    assert not OPEN.brought(scope)


def test_every_answer_tells_the_browser_to_load_nothing_from_elsewhere():
    for headers in (answer(LOCAL, host="localhost")[1], answer(LOCAL, host="evil.example")[1]):
        policy = headers[b"content-security-policy"].decode()
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::ffff:127.0.0.1]", True),
        ("localhost", True),
        ("::ffff:10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_other_addresses(host, expected):
    assert is_loopback(host) is expected
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("10.0.0.1")
