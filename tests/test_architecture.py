"""The shape of the package: who may import whom, what must wait until it is used, and what `%load_ext` brings in."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "kaggle_magics"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 450

LEAVES = {"errors", "wording", "interpolation", "extras", "environment", "memory", "credentials", "file_lock"}
# Room -> the rooms it may import, besides itself and the leaves.
MAY_IMPORT: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "models": set(),
    "generation": {"models"},
    "rag": {"generation", "models"},
    "code": {"generation", "models"},
    "compare": {"generation", "models"},
    "chains": {"rag", "code", "generation", "models"},
    "interop": {"chains", "rag", "code", "generation", "models"},
    "session": {"compare", "chains", "rag", "code", "generation", "models", "interop"},
    "testing": {"session", "generation", "models"},
    "display": {"compare", "chains", "rag", "code", "generation", "models"},
    "widgets": {"display", "session", "interop", "chains", "rag", "code", "generation", "models"},
    "magics": {"widgets", "display", "session", "interop", "compare", "chains", "rag", "code", "generation", "models"},
    "__init__": {"magics", "session", "generation"},
}
HEAVY = {
    "bitsandbytes",
    "chromadb",
    "faiss",
    "ipywidgets",
    "langchain_core",
    "llama_cpp",
    "pandas",
    "peft",
    "sentence_transformers",
    "torch",
    "transformers",
}
# Modules that derive a class from a heavy library's own: they are imported where they are used, as a whole.
LOADED_ON_USE = {"kaggle_magics.interop.langchain", "kaggle_magics.interop.langchain_collections"}
MAY_KNOW_IPYTHON = {"__init__", "magics", "display", "widgets"}


@dataclass(frozen=True)
class Import:
    """One imported module, where it stands, and when it happens."""

    name: str
    line: int
    when: str
    """"load": with the module; "use": inside a function; "types": only for a type checker."""


def is_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(node: ast.AST, when: str) -> Iterator[tuple[ast.stmt, str]]:
    for child in ast.iter_child_nodes(node):
        inner = when
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and when == "load":
            inner = "use"
        elif is_types_only(child):
            inner = "types"
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        yield from walk(child, inner)


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    found: list[Import] = []
    for node, when in walk(ast.parse(path.read_text(encoding="utf-8")), "load"):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno, when) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where it leads"
            # `from package import module` names a module too; which of the two it is does not matter to the rules.
            found += [Import(f"{node.module}.{alias.name}", node.lineno, when) for alias in node.names]
    return tuple(found)


def room_of(module: str) -> str:
    """The room of a dotted name inside the package: `kaggle_magics.rag.storing.records` -> `rag`."""
    parts = module.split(".")
    known = parts[1] if len(parts) > 1 else "__init__"
    return known if known in MAY_IMPORT else "__init__"


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_arrows_run_down(path: Path) -> None:
    room = room_of(module_of(path))
    for found in imports_of(path):
        if found.when == "types" or not found.name.startswith("kaggle_magics."):
            continue
        if found.name == "kaggle_magics.__version__":
            continue
        target = room_of(found.name)
        assert target in MAY_IMPORT[room] | LEAVES | {room}, (
            f"{shown(path)}:{found.line}: {room} must not import {target} ({found.name})"
        )


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_heavy_libraries_wait_until_they_are_used(path: Path) -> None:
    if module_of(path) in LOADED_ON_USE:
        return
    for found in imports_of(path):
        if found.when != "load":
            continue
        heavy = found.name.split(".")[0] in HEAVY or any(found.name.startswith(module) for module in LOADED_ON_USE)
        assert not heavy, f"{shown(path)}:{found.line}: imports {found.name} when it is loaded"


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_only_the_surface_knows_ipython(path: Path) -> None:
    if room_of(module_of(path)) in MAY_KNOW_IPYTHON:
        return
    for found in imports_of(path):
        assert found.name.split(".")[0] != "IPython", f"{shown(path)}:{found.line}: imports {found.name}"


def test_no_circles() -> None:
    known = {module_of(path): path for path in MODULES}

    def targets(module: str) -> set[str]:
        names = {found.name for found in imports_of(known[module]) if found.when == "load"}
        names |= {name.rpartition(".")[0] for name in names}
        return {name for name in names if name in known and name != module}

    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            pytest.fail("a circle: " + " -> ".join((*way[way.index(module) :], module)))
        if module in done:
            return
        for target in sorted(targets(module)):
            # Every module names its package when it asks for the version; the package imports nothing in return.
            if target != "kaggle_magics":
                visit(target, (*way, module))
        done.add(module)

    assert not targets("kaggle_magics"), "the package itself imports nothing of its own when it is loaded"
    for module in known:
        visit(module, ())


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{shown(path)} has {lines} lines"


def test_every_room_is_on_the_map() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    rooms |= {path.stem for path in PACKAGE.glob("*.py")}
    assert rooms <= set(MAY_IMPORT), f"say in MAY_IMPORT what {rooms - set(MAY_IMPORT)} may import"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_loading_the_extension_imports_nothing_heavy() -> None:
    brought = run_python(
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'kaggle_magics')\n"
        "assert 'prompt' in shell.magics_manager.magics['cell'], 'the extension did not load'\n"
        "print(*sorted(name for name in set(sys.modules) - before if '.' not in name))"
    )
    assert not HEAVY & set(brought.split())


def test_importing_the_package_does_not_import_ipython() -> None:
    brought = run_python("import sys, kaggle_magics; kaggle_magics.get_session(); print(*sys.modules)").split()
    assert "IPython" not in brought
    assert not HEAVY & set(brought)
