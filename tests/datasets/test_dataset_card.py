from pathlib import PurePosixPath

import pytest

from maskwright.datasets import DatasetCard, Download, card, cards, dataset_card
from maskwright.datasets.dataset_card import megabytes
from maskwright.errors import SettingError

RECIPES = {
    "pets-unet", "camvid-unet", "camvid-resnet34", "salt-unet", "carvana-simple", "carvana-unet", "valid-unet",
    "isbi-2015",
}  # fmt: skip


def test_the_data_sets_are_these():
    names = [card.name for card in cards()]

    assert names == ["camvid", "camvid-segnet", "carvana", "dsb-2018", "isbi-2012", "oxford-pets", "tgs-salt"]
    files = {path.stem for path in dataset_card._CATALOGUE.iterdir()}
    assert files == set(names), "a file is named after its data set"


@pytest.mark.parametrize("one", cards(), ids=lambda one: one.name)
def test_a_card_says_all_that_one_wants_to_know(one):
    assert one.homepage.startswith(("https://", "http://"))
    assert one.terms.endswith(".")
    assert one.layout.startswith(f"{one.name}/\n")
    for path in one.contains:
        assert all(part in one.layout for part in PurePosixPath(path).parts), path
    assert len(set(one.recipes)) == len(one.recipes)
    assert set(one.recipes) <= RECIPES
    assert DatasetCard.read(one.plain()) == one


@pytest.mark.parametrize("one", [card for card in cards() if card.automatic], ids=lambda one: one.name)
def test_what_is_fetched_is_fetched_over_https_and_under_different_names(one):
    urls = [url for download in one.downloads for url in (download.url, *download.mirrors)]

    assert all(url.startswith("https://") for url in urls)
    assert len({download.file for download in one.downloads}) == len(one.downloads)
    for download in one.downloads:
        assert download.file.endswith({"tar": (".tar.gz", ".tgz"), "zip": (".zip",)}[download.unpack])
        assert download.checksum or not download.mirrors, "only a checksum tells that a mirror has the same"
        assert bool(download.checksum) == bool(download.bytes)


@pytest.mark.parametrize("one", [card for card in cards() if not card.automatic], ids=lambda one: one.name)
def test_what_is_got_by_hand_says_where_it_goes(one):
    assert any("{folder}" in step for step in one.steps)


def test_every_recipe_has_one_data_set():
    assert sorted(recipe for card in cards() for recipe in card.recipes) == sorted(RECIPES)


def test_a_name_nearly_right_is_answered_with_the_right_one():
    assert card("camvid").title.startswith("CamVid")
    with pytest.raises(SettingError, match=r"no data set called 'oxford-pet'. Did you mean 'oxford-pets'\?"):
        card("oxford-pet")


def test_the_sizes_of_archives_are_added_up_if_all_are_known():
    assert card("oxford-pets").bytes == 791918971 + 19173078
    assert card("dsb-2018").bytes is None
    assert card("carvana").bytes is None


def test_a_card_has_downloads_or_steps():
    values = card("camvid").plain()

    for wrong in ({"downloads": []}, {"steps": ["Ask."]}):
        with pytest.raises(SettingError, match="either downloads or"):
            DatasetCard.read({**values, **wrong})


@pytest.mark.parametrize(
    ("key", "value"),
    [("into", "../elsewhere"), ("into", "/elsewhere"), ("md5", "short"), ("sha256", "A" * 64), ("bytes", 0)],
)
def test_a_download_that_cannot_be_is_refused(key, value):
    with pytest.raises(SettingError, match=key):
        Download.read({"url": "https://example.org/a.zip", "unpack": "zip", key: value})


def test_sha256_goes_before_md5():
    both = Download(url="https://example.org/a.zip?raw=1", unpack="zip", md5="0" * 32, sha256="1" * 64)

    assert both.checksum == "sha256:" + "1" * 64
    assert both.file == "a.zip"


@pytest.mark.parametrize(
    ("count", "said"), [(900, "1 kB"), (19_173_078, "19 MB"), (999_000_000, "999 MB"), (1_620_000_000, "1.6 GB")]
)
def test_bytes_are_said_as_a_person_says_them(count, said):
    assert megabytes(count) == said
