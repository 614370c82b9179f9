"""The order of stages: a module imports only from its own stage or earlier ones, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hofstadter"
KERNELS = ROOT / "kernels"

STAGES = [
    ("errors", "_checks", "units"),
    ("flux", "lattice"),
    ("models",),
    ("magnetic",),
    ("hamiltonian",),
    ("eigensolver",),
    ("topology",),
    ("geometry",),
    ("counting",),
    ("thermodynamics",),
    ("fits",),
    ("interactions",),
    ("tasks",),
    ("io",),
    ("sweep",),
    ("plots",),
    ("cli",),
]
STAGE_OF = {name: number for number, names in enumerate(STAGES) for name in names}


def imported_modules(source: str, package: tuple[str, ...]) -> list[tuple[int, str]]:
    """Line and dotted name of everything that `source`, a module of `package`, imports, wherever it does so.

    `from a.b import c` counts as a.b.c, since c may be a module.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def violations(source: str, module: tuple[str, ...]) -> list[str]:
    """What `source`, the module ("hofstadter", stage, ...), must not import."""
    stage = STAGE_OF.get(module[1])
    if stage is None:
        return [f"`{module[1]}` is in no stage: add it to STAGES"]
    if module[1] == "cli":
        return []
    wrong = []
    for line, name in imported_modules(source, module[:-1]):
        parts = name.split(".")
        if parts[0] != "hofstadter":
            continue
        target = STAGE_OF.get(parts[1]) if len(parts) > 1 else None
        if target is None:
            wrong.append(f"line {line}: `{name}` is no stage, import from where it is defined")
        elif target > stage:
            wrong.append(f"line {line}: `{name}` belongs to a later stage than `{module[1]}`")
    return wrong


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path, root: Path) -> tuple[str, ...]:
    """Module name as a tuple; an `__init__` keeps that name, so that its parent is the package itself."""
    return path.relative_to(root).with_suffix("").parts


MODULES = [path for path in python_files(PACKAGE) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: ".".join(dotted(path, ROOT)))
def test_no_module_imports_from_a_later_stage(path):
    assert violations(path.read_text(), dotted(path, ROOT)) == []


def test_kernels_stand_alone():
    for path in python_files(KERNELS):
        names = [name for _, name in imported_modules(path.read_text(), dotted(path, KERNELS)[:-1])]
        assert not [name for name in names if name.split(".")[0] == "hofstadter"], path


def test_the_kernels_folder_is_no_package():
    assert not (KERNELS / "__init__.py").exists()
    for folder in ("hofstadter", "kernels", "tests", "benchmarks"):
        for path in python_files(ROOT / folder):
            names = [name for _, name in imported_modules(path.read_text(), dotted(path, ROOT)[:-1])]
            assert not [name for name in names if name.split(".")[0] == "kernels"], path


def test_oracles_import_nothing_of_ours():
    for path in python_files(ROOT / "tests" / "oracles"):
        names = [name for _, name in imported_modules(path.read_text(), dotted(path, ROOT)[:-1])]
        assert not [name for name in names if name.split(".")[0] in ("hofstadter", "hofstadter_kernels", "jax")], path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hofstadter.models.square", "from hofstadter.magnetic import gauge"),
        ("hofstadter.models.square", "import hofstadter.hamiltonian.bloch"),
        ("hofstadter.flux", "def f():\n    from hofstadter import topology"),
        ("hofstadter.models.square", "from ..magnetic.gauge import peierls_area"),
        ("hofstadter.models.__init__", "from ..magnetic import gauge"),
        ("hofstadter.magnetic.gauge", "from .. import hamiltonian"),
        ("hofstadter.tasks.fan", "from hofstadter.plots import fan"),
        ("hofstadter.sweep.run", "from hofstadter.cli import main"),
        ("hofstadter.topology.berry", "import hofstadter"),
        ("hofstadter.topology.berry", "from hofstadter import at_flux"),
        ("hofstadter.mystery", "import numpy"),
    ],
)
def test_the_check_notices(module, source):
    assert violations(source, tuple(module.split(".")))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "hofstadter.models.square",
            "from hofstadter._checks import fail\nfrom hofstadter import flux, lattice",
        ),
        ("hofstadter.models.__init__", "from .square import square"),
        ("hofstadter.models.square", "from . import tight_binding\nfrom hofstadter.models import triangular"),
        ("hofstadter.topology.berry", "from hofstadter_kernels.overlap import api\nimport jax"),
        ("hofstadter.plots.fan", "from hofstadter.thermodynamics import fan"),
        ("hofstadter.cli.main", "import hofstadter\nfrom hofstadter import __version__"),
    ],
)
def test_the_check_lets_pass(module, source):
    assert not violations(source, tuple(module.split(".")))
