"""The page of a data set: whole, safe, and about what is there."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import fingerprint
from maskwright.data.survey import survey
from maskwright.evaluation.data_page import LISTED, SHOWN, write_data_page


@pytest.fixture
def folder(tmp_path):
    """Ten pairs of noise and half-filled masks."""
    rng = np.random.default_rng(1)
    for name in range(10):
        for kind in ("images", "masks"):
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
            picture = rng.integers(0, 255, (20, 30), np.uint8)
            if kind == "masks":
                picture = np.where(np.arange(30) < 15, 0, 255).astype(np.uint8)[None].repeat(20, 0)
            Image.fromarray(picture).save(tmp_path / "data" / kind / f"img_{name}.png")
    return tmp_path / "data"


def finding(**values):
    usual = {"code": "odd", "severity": "warning", "title": "Odd", "why": "It hurts.", "remedy": "Mend it."}
    return Finding(**{**usual, **values})


def written(folder, findings, **options):
    found = survey(folder, **options)
    seen = fingerprint(found.samples) if found.samples else None
    return write_data_page(found, findings, seen, folder.parent / "page.html").read_text("utf-8")


def test_the_page_needs_nothing_else_and_closes_what_it_opens(folder):
    page = written(folder, [finding(files=["images/img_1.png"])])
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    opened = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "img", "br", "link", "path", "use"}:
                opened.append(tag)

        def handle_endtag(self, tag):
            if tag not in {"path", "use"}:
                assert opened.pop() == tag

    Parser().feed(page)
    assert not opened


def test_a_healthy_set_says_so_and_shows_its_classes(folder):
    page = written(folder, [])
    assert "nothing was found that would harm" in page
    assert "foreground" in page
    assert page.count("data:image/") >= 8


def test_each_finding_is_told_with_its_files_and_pictures(folder):
    many = [f"images/img_{n}.png" for n in range(10)] + [f"more_{n}.png" for n in range(30)]
    page = written(folder, [finding(title="Forty are odd", files=many, details=["1 of 2"]), finding(severity="error")])
    for text in ("Forty are odd", "It hurts.", "Mend it.", "40 files", f"and {40 - LISTED} more", "1 of 2"):
        assert text in page, text
    assert len(re.findall(r'alt="img_\d beside its mask"', page)) == SHOWN
    assert "would be refused" in page


def test_what_users_write_is_escaped(folder):
    page = written(folder, [finding(title="<script>alert(1)</script>", files=['"><img src=x>'])])
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_a_set_that_is_refused_still_gets_a_page_with_its_masks(folder):
    (folder / "images" / "img_3.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    grey = np.arange(600, dtype=np.uint8).reshape(20, 30)
    Image.fromarray(grey).save(folder / "masks" / "img_4.png")
    page = written(folder, [finding(severity="error", files=["images/img_3.png", "masks/img_4.png"])])
    assert "once the errors are mended" in page
    assert 'alt="img_4 beside its mask"' in page
    assert 'alt="img_3' not in page, "what does not open has no picture"
