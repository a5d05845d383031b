from pathlib import Path

import pytest

from art_training import plugins
from art_training.testing.fake_engine import FakeEngine
from art_training.testing.trackers import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project whose engine trains in milliseconds."""
    installed = plugins.load

    def load(group, name):
        return FakeEngine if (group, name) == ("engines", "fake") else installed(group, name)

    for module in ("art_training.plugins", "art_training.runner.identity"):
        monkeypatch.setattr(f"{module}.load", load)
    (tmp_path / "project").mkdir()
    return World(tmp_path / "project")
