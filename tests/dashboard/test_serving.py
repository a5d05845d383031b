import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from art_training.dashboard.serving import listening
from art_training.errors import UsageError
from art_training.testing.history import keep_run, verdict


def art(*arguments):
    command = [sys.executable, "-m", "art_training", "dashboard", "--no-open", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_another_address_than_loopback_needs_the_token_that_is_printed(store, serve, context):
    keep_run(store, "A", verdicts=[verdict("a")])
    printed = urlsplit(serve("--host", "0.0.0.0"))
    here = f"http://127.0.0.1:{printed.port}"
    page = context.new_page()
    answer = page.goto(f"{here}/project?name=toy")
    assert answer.status == 403
    assert "needs its token" in answer.text()
    for path in ("/static/art.css", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/openapi.json"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(here + path)
    page.goto(f"{here}/project?name=toy&{printed.query}")
    expect(page.locator("ol.timeline > li")).to_have_count(1)
    assert "token" not in page.url
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])  # comes over the websocket
    expect(page.locator("ol.timeline > li")).to_have_count(2)


@pytest.mark.slow
def test_loopback_needs_no_token_and_refuses_a_foreign_name(store, serve):
    keep_run(store, "A", verdicts=[verdict("a")])
    address = serve()
    assert "token" not in address
    request = urllib.request.Request(address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


@pytest.mark.slow
def test_the_process_imports_nothing_that_trains_and_leaves_nothing_where_it_was_started(store, serve, page, tmp_path):
    keep_run(store, "A", verdicts=[verdict("a")])
    before = {one.name for one in tmp_path.iterdir()}
    address = serve()
    page.goto(f"{address}/project?name=toy")
    expect(page.locator("ol.timeline > li")).to_have_count(1)
    assert {one.name for one in tmp_path.iterdir()} == before
    maps = Path(f"/proc/{serve.processes[-1].pid}/maps").read_text()
    assert "nicegui" in maps or "orjson" in maps
    assert not re.search(r"/(torch|sklearn|scipy|lightning)/", maps)


@pytest.mark.slow
def test_a_port_that_is_taken_and_one_that_is_none_are_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = art("--port", str(taken.getsockname()[1]), "--store", "art.db")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.fullmatch(
        r"Error: the dashboard cannot listen at 127.0.0.1, port \d+: .*; name another.*\n", answer.stderr
    )
    answer = art("--port", "70000", "--store", "art.db")
    assert answer.returncode == 2
    assert "--port 70000 is no port" in answer.stderr
    answer = art("--host", "203.0.113.7", "--store", "art.db")
    assert answer.returncode == 2
    assert "is it this machine's?" in answer.stderr


@pytest.mark.slow
def test_what_is_no_store_is_said_at_once_and_what_is_not_there_yet_beside_the_address(store, serve, page, tmp_path):
    wrong = tmp_path / "art_project.py"
    wrong.write_text("project = None\n")
    answer = art("--port", "0", "--store", str(wrong))
    assert (answer.returncode, answer.stdout) == (3, "")
    assert re.fullmatch(rf"Error: .*{re.escape(str(wrong))}.*\n", answer.stderr)
    keep_run(store, "A")
    address = serve("--project", "nope")
    assert "Project 'nope' has no runs in" in serve.said[-1]
    assert "it holds: toy" in serve.said[-1]
    page.goto(address)
    expect(page.locator(".call")).to_have_text(re.compile("'nope' .* it holds: toy"))
    expect(page.locator("main")).not_to_contain_text("0 of 0")
    (tmp_path / "art.db").unlink()
    serve()
    assert "There is no store at" in serve.said[-1]


def test_who_starts_second_gets_another_port_or_a_sentence():
    with listening("127.0.0.1", None) as first, listening("127.0.0.1", None) as second:
        ports = [one.getsockname()[1] for one in (first, second)]
        assert len(set(ports)) == 2
        with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1, port {ports[0]}: .*; name another"):
            listening("127.0.0.1", ports[0])


@pytest.mark.slow
@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", "::1", "localhost"])
def test_it_answers_at_any_address_of_this_machine(store, serve, host):
    keep_run(store, "A", verdicts=[verdict("a")])
    read = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    address = serve("--host", host)
    answer = subprocess.run([sys.executable, "-c", read, address], capture_output=True, text=True, check=True)
    assert "Projects" in answer.stdout
