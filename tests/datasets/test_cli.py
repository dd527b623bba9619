"""The verb `datasets`, from the command line's main on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import maskwright
from maskwright.cli import datasets as verb
from maskwright.cli import main
from maskwright.datasets import cards, dataset_card


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line with these words; gives exit status, output and errors."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["maskwright", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return call


@pytest.fixture
def tiny_card(card_of, archives, monkeypatch):
    card = card_of(archives.tar(archives.files), published=False)
    monkeypatch.setattr(dataset_card, "_cards", lambda: {"tiny": card})
    return card


@pytest.fixture
def person(monkeypatch):
    """Somebody at the keyboard, who answers with these words."""

    def answer(word):
        monkeypatch.setattr(verb.sys, "stdin", type("Keyboard", (), {"isatty": lambda self: True})())
        monkeypatch.setattr(verb.typer, "confirm", lambda question: word == "y")

    return answer


def test_called_bare_it_lists_all_data_sets_with_their_recipes(run):
    status, out, _ = run("datasets")

    assert status == 0
    for card in cards():
        assert card.name in out
        assert all(recipe in out for recipe in card.recipes)


@pytest.mark.parametrize("one", cards(), ids=lambda one: one.name)
def test_show_prints_the_whole_card(run, one):
    status, out, _ = run("datasets", "show", one.name)

    assert status == 0
    for text in (one.title, one.terms, one.homepage, one.citation, one.layout.rstrip(), *one.recipes):
        assert text in out
    for download in one.downloads:
        assert download.url in out
        assert (download.checksum or "no published checksum") in out
    for step in one.steps:
        assert step.replace("{folder}", str(Path("data") / one.name)) in out


def test_get_with_yes_prints_the_terms_and_fetches(run, tiny_card, tmp_path):
    status, out, err = run("datasets", "get", "tiny", "--to", tmp_path, "--yes")

    assert (status, err) == (0, "")
    assert "Public domain." in out
    assert f"{tmp_path / 'tiny'}.sha256" in out
    assert (tmp_path / "tiny" / "images" / "a.png").is_file()

    status, out, _ = run("datasets", "get", "tiny", "--to", tmp_path)
    assert (status, out) == (0, f"{tmp_path / 'tiny'} is already there\n")


def test_get_asks_a_person(run, tiny_card, person, publisher, tmp_path):
    person("n")
    status, out, err = run("datasets", "get", "tiny", "--to", tmp_path)
    assert status == 2
    assert "Public domain." in out
    assert "were not agreed to" in err
    assert publisher.asked == []

    person("y")
    status, _, _ = run("datasets", "get", "tiny", "--to", tmp_path)
    assert status == 0
    assert (tmp_path / "tiny").is_dir()


def test_get_with_nobody_there_wants_yes(run, tiny_card, publisher, tmp_path):
    status, out, err = run("datasets", "get", "tiny", "--to", tmp_path)

    assert status == 2
    assert "--yes" in err
    assert "Public domain." in out
    assert publisher.asked == []


def test_get_by_hand_prints_the_steps_and_ends_with_2(run, tmp_path):
    status, _, err = run("datasets", "get", "carvana", "--to", tmp_path, "--yes")

    assert status == 2
    assert f"-f train_hq.zip -p {tmp_path / 'carvana'}" in err


def test_a_terminal_sees_a_bar_an_archive(run, tiny_card, tmp_path, monkeypatch):
    monkeypatch.setattr(verb.console, "_force_terminal", True)

    status, out, _ = run("datasets", "get", "tiny", "--to", tmp_path, "--yes")

    assert status == 0
    assert "set.tar.gz" in out
    assert "unpacking set.tar.gz" in out


@pytest.mark.parametrize("words", [(), ("show", "camvid"), ("get", "--help")])
def test_nobody_waits_for_torch_or_pooch_to_see_a_list(words):
    code = f"""
import sys
from maskwright.cli import main
sys.argv = ["maskwright", "datasets", *{words!r}]
try:
    main()
finally:
    assert not {{"torch", "pooch", "requests", "numpy"}} & set(sys.modules)
"""
    path = os.pathsep.join([str(Path(maskwright.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
