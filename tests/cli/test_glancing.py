import pytest

from art_training.cli.glancing import glance


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('project = art.ArtProject("digits", setup, steps=[])', "digits"),
        ('from art_training import ArtProject\nmine = ArtProject("digits", Setup(a, b))\nother = 3', "digits"),
        ('project = art.ArtProject("digits", setup, store="x.db")', None),
        ('project = art.ArtProject("digits", setup, folder=here)', None),
        ('project = art.ArtProject("digits", setup, **more)', None),
        ("project = art.ArtProject(NAME, setup)", None),
        ("project = art.ArtProject(name='digits', setup=setup)", None),
        ('a = art.ArtProject("a", setup)\nb = art.ArtProject("b", setup)', None),
        ('def make():\n    return art.ArtProject("digits", setup)', "digits"),
        ("from elsewhere import project", None),
        ("this is not Python", None),
    ],
)
def test_a_source_that_says_plainly_what_the_project_is_called_need_not_run(tmp_path, source, name):
    file = tmp_path / "art_project.py"
    file.write_text(source)
    assert glance(file) == name


def test_another_variable_is_another_project(tmp_path):
    file = tmp_path / "art_project.py"
    file.write_text('project = art.ArtProject("digits", setup)')
    assert glance(file, "project") == "digits"
    assert glance(file, "other") is None


def test_a_missing_file_is_not_guessed(tmp_path):
    assert glance(tmp_path / "nothing.py") is None
