"""The drawing of the house: a module imports only from lower floors, and rooms on one floor do not see each other."""

import ast
from pathlib import Path

import pytest

import maskwright

FLOORS = (
    {"errors", "records", "registry", "mirror", "_version"},
    {"files", "datasets"},
    {"data", "model", "losses", "metrics", "tiling", "devices", "settings", "regions"},
    {"recipes", "anysize", "runtimes"},
    {"plan", "familiar", "hub"},
    {"modelfile"},
    {"training", "inference"},
    {"evaluation", "exports", "tuning"},
    {"api"},
    {"cli", "serve"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# It leads to the whole street; whoever comes through it from inside has turned round.
FRONT_DOOR = "__init__"

PACKAGE = Path(maskwright.__file__).parent


def room_of(module):
    """`maskwright.data.labels` is in the room `data`; `maskwright` itself is the front door."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FRONT_DOOR


def imports_of(source, module, *, is_package):
    """Every module of ours that a source imports, inside functions and for type checking too, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "maskwright":
                    yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level or None] if not is_package else module.split(".")
                above = above[: len(above) - (node.level - 1)] if is_package else above
                start = ".".join([*above, start]).rstrip(".")
            if start == "maskwright":  # `from maskwright import api` means the room; `… import train` the front door
                for alias in node.names:
                    yield (f"maskwright.{alias.name}" if alias.name in FLOOR_OF else "maskwright"), node
            elif start.startswith("maskwright."):
                yield start, node


def faults(package):
    """What is wrong with the house, a sentence each."""
    found = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package).with_suffix("").parts
        is_package = inside[-1] == "__init__"
        module = ".".join(["maskwright", *(inside[:-1] if is_package else inside)])
        room = room_of(module)
        source = path.read_text("utf-8")
        if room == FRONT_DOOR:
            found += front_door_faults(source)
            continue
        if room not in FLOOR_OF:
            found.append(f"{module} is on no floor; draw it in DESIGN.md and here")
            continue
        for target, node in imports_of(source, module, is_package=is_package):
            there = room_of(target)
            if there == room or (there == "errors" and FLOOR_OF[room] == 0):  # everything on the ground can go wrong
                continue
            if there not in FLOOR_OF or FLOOR_OF[there] >= FLOOR_OF[room]:
                found.append(f"{module}:{node.lineno} on floor {FLOOR_OF[room]} imports {target}")
    return found


def front_door_faults(source):
    """The front door imports the version; all else waits in functions, or is for type checkers."""
    waiting = set()
    for node in ast.walk(ast.parse(source)):
        later = isinstance(node, ast.FunctionDef) or (
            isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        )
        if later:
            waiting |= {inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)}
    return [
        f"maskwright:{node.lineno} imports {target} before anybody asks for it"
        for target, node in imports_of(source, "maskwright", is_package=True)
        if target != "maskwright._version" and node.lineno not in waiting
    ]


def test_modules_import_only_from_lower_floors():
    assert faults(PACKAGE) == []


def test_training_and_inference_never_import_each_other():
    for room, other in (("training", "inference"), ("inference", "training")):
        for path in (PACKAGE / room).rglob("*.py"):
            targets = imports_of(path.read_text("utf-8"), f"maskwright.{room}.{path.stem}", is_package=False)
            assert other not in {room_of(target) for target, _ in targets}, path


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("errors.py", "from maskwright.records import Record"),
        ("records.py", "import maskwright.files"),
        ("files/a.py", "from maskwright.data import labels"),
        ("losses/a.py", "from maskwright.metrics import iou"),
        ("data/a.py", "from maskwright.model import UNet"),
        ("data/a.py", "from ..model import UNet"),
        ("data/deep/a.py", "from ...model import UNet"),
        ("data/deep/__init__.py", "from ...model import UNet"),
        ("data/a.py", "from .. import model"),
        ("tiling.py", "from maskwright import model"),
        ("plan.py", "from maskwright.modelfile import Model"),
        ("training/a.py", "from maskwright.inference import Predictor"),
        ("inference/a.py", "from maskwright.training.loop import fit"),
        ("evaluation/a.py", "import maskwright.api as street"),
        ("evaluation/a.py", "from maskwright import train"),
        ("cli/a.py", "import maskwright"),
        ("data/a.py", "def f():\n    from maskwright.training import loop"),
        ("data/a.py", "if TYPE_CHECKING:\n    from maskwright.plan import Plan"),
        ("helpers.py", ""),
        ("helpers/__init__.py", ""),
        ("__init__.py", "from maskwright import api"),
        ("__init__.py", "import maskwright.model"),
    ],
)
def test_a_planted_fault_is_found(path, line, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(line)

    assert len(faults(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("data/a.py", "from maskwright.data.labels import Labels"),
        ("data/a.py", "from .labels import Labels"),
        ("data/deep/a.py", "from ..labels import Labels"),
        ("cli/a.py", "def f():\n    from maskwright import api"),
        ("training/a.py", "from maskwright import modelfile\nimport torch"),
        ("__init__.py", "from maskwright._version import __version__\ndef f():\n    from maskwright import api"),
        ("__init__.py", "if TYPE_CHECKING:\n    from maskwright.api import train"),
    ],
)
def test_an_import_from_below_is_no_fault(path, line, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(line)

    assert faults(tmp_path) == []
