import sys
import threading
from textwrap import dedent

import pytest

from maskwright.errors import SettingError


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """Writes a package of parts and gives its list: `package(oak="...source of oak.py...")`."""
    name = f"parts_{abs(hash(request.node.name))}"

    def write(**modules):
        (tmp_path / name).mkdir()
        head = "from maskwright.registry import Registry\n"
        (tmp_path / name / "__init__.py").write_text(f"{head}trees = Registry('tree', {name!r})\n")
        for module, source in modules.items():
            (tmp_path / name / f"{module}.py").write_text(f"from {name} import trees\n{dedent(source)}")
        monkeypatch.syspath_prepend(tmp_path)
        return __import__(name).trees

    yield write
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


REGISTERED = "trees.register(__name__.split('.')[-1])(object())\n"


def test_every_module_of_the_package_is_on_the_list_in_order(package):
    trees = package(pine=REGISTERED, birch=REGISTERED, _oak="trees.register('oak')(4)\n")
    assert trees.names() == list(trees) == ["birch", "oak", "pine"]
    assert trees["oak"] == 4
    assert [name for name, _ in trees.items()] == ["birch", "oak", "pine"]


def test_nothing_is_imported_before_the_first_look_up(package):
    trees = package(oak="raise AssertionError('imported')\n")
    trees.register("fir")(1)
    with pytest.raises(AssertionError, match="imported"):
        trees.names()


def test_a_part_that_a_user_registers_is_on_the_list(package):
    trees = package(pine=REGISTERED)

    @trees.register("palm")
    class Palm:
        pass

    assert trees["palm"] is Palm
    assert "palm" in trees


def test_an_installed_plug_in_is_found_by_its_entry_point(package, tmp_path):
    about = tmp_path / "palms-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: palms\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[maskwright.tree]\npalms = palms_plugin\n")
    trees = package(pine=REGISTERED)
    (tmp_path / "palms_plugin.py").write_text(f"from {trees._package} import trees\ntrees.register('palm')(7)\n")

    assert trees.names() == ["palm", "pine"]
    assert trees["palm"] == 7
    del sys.modules["palms_plugin"]


def test_a_name_is_given_once(package):
    trees = package(pine=REGISTERED)
    part = trees["pine"]
    assert trees.register("pine")(part) is part
    with pytest.raises(SettingError, match="already a tree called 'pine'"):
        trees.register("pine")(object())
    assert trees["pine"] is part


def test_an_unknown_name_is_answered_with_the_nearest(package):
    trees = package(pine=REGISTERED, oak=REGISTERED)
    with pytest.raises(SettingError, match=r"no tree called 'pien'\. Did you mean 'pine'"):
        trees["pien"]


def test_threads_that_look_at_once_all_see_the_whole_list(package):
    trees = package(ash=REGISTERED, oak=f"import time\ntime.sleep(0.1)\n{REGISTERED}", pine=REGISTERED)
    start, seen = threading.Barrier(8), []

    def look():
        start.wait()
        seen.append(trees.names())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert seen == [["ash", "oak", "pine"]] * 8


def test_a_part_may_look_at_the_list_while_it_is_imported(package):
    trees = package(ash=REGISTERED, oak=f"known = trees.names()\n{REGISTERED}")
    assert trees.names() == ["ash", "oak"]


def test_a_look_up_that_failed_is_made_again(package, tmp_path):
    trees = package(oak=f"import builtins\nbuiltins.fallen_tree\n{REGISTERED}")
    with pytest.raises(AttributeError):
        trees.names()
    next(tmp_path.glob("parts_*/oak.py")).write_text(f"from {trees._package} import trees\n{REGISTERED}# mended\n")
    assert trees.names() == ["oak"]
