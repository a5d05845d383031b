import hashlib
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from art_training.testing.history import keep_run

pytestmark = pytest.mark.slow  # starts a process

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = "pwned"</script></svg>'


def _put(store, tmp_path, name, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    return store.artifacts.put(file, name=name)


def _ask(address, **query):
    try:
        with urlopen(f"{address}/artifact?{urlencode(query)}", timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def test_only_what_a_run_left_can_be_had_and_nothing_of_it_runs(store, serve, tmp_path):
    left = {
        "plot.png": PNG,
        "rows.csv": b"a,b\n1,2\n",
        "note.txt": b"<script>1</script>",
        "page.html": b"<script>document.title = 1</script>",
        "figure.svg": SVG,
        "last.ckpt": b"weights",
        "../../evil\r\nx: y.html": b"hostile",
    }
    kept = {name: _put(store, tmp_path, name, content) for name, content in left.items()}
    elsewhere = _put(store, tmp_path, "other.txt", b"of another run")
    run = keep_run(store, "A", minute=0, artifacts=list(kept.values())).id
    other = keep_run(store, "B", minute=1, artifacts=[elsewhere]).id
    unnamed = _put(store, tmp_path, "unnamed.txt", b"no run names it")
    (tmp_path / "secret.txt").write_text("secret")
    address = serve()

    for name, artifact in kept.items():
        status, headers, body = _ask(address, run=run, digest=artifact.digest)
        assert (status, body) == (200, left[name])
        assert headers["content-security-policy"] == "sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert len(headers.get_all("content-security-policy")) == 1
        opened = headers["content-disposition"].startswith("inline")
        assert opened == (name in {"plot.png", "rows.csv", "note.txt"})
        kind = "image/png" if name == "plot.png" else "text/plain" if opened else "application/octet-stream"
        assert headers["content-type"].startswith(kind)
        assert ".." not in headers["content-disposition"]
        assert headers["x"] is None
    saved = _ask(address, run=run, digest=kept["plot.png"].digest, save="1")[1]
    assert saved["content-disposition"] == 'attachment; filename="plot.png"'

    secret = hashlib.sha256(b"secret").hexdigest()
    for digest in (
        "../secret.txt",
        "../../../../etc/passwd",
        str(tmp_path / "secret.txt"),
        "%2e%2e%2fart.db",
        elsewhere.digest,
        unnamed.digest,
        secret,
        kept["plot.png"].digest.upper(),
        f"{kept['plot.png'].digest}/../x",
        "",
    ):
        status, _, body = _ask(address, run=run, digest=digest)
        assert status == 404
        assert b"secret" not in body.replace(digest.encode(), b"")
    for strange in ("", "../B", "no such run", f"{other}' OR '1'='1"):
        assert _ask(address, run=strange, digest=elsewhere.digest)[0] == 404
    assert _ask(address, run=other, digest=elsewhere.digest)[2] == b"of another run"


def test_a_file_that_was_changed_or_freed_is_not_sent(store, serve, tmp_path):
    changed, freed = (_put(store, tmp_path, f"{text}.txt", text.encode()) for text in ("changed", "freed"))
    run = keep_run(store, "A", artifacts=[changed, freed]).id
    place = store.artifacts.fetch(changed.digest)
    place.chmod(0o644)
    place.write_bytes(b"<script>")
    store.artifacts.delete(freed.digest)
    address = serve()
    assert _ask(address, run=run, digest=changed.digest)[0] == 404
    status, _, body = _ask(address, run=run, digest=freed.digest)
    assert status == 404
    assert b"not kept any more" in body
