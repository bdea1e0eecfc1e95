"""The dissector is a program of its own under a licence of its own: what its files say, and what they import."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import netcrier

TITLE = ["GNU", "GENERAL", "PUBLIC", "LICENSE", "Version", "2,", "June"]
FOLDER = Path(netcrier.__file__).parent / "analyzerd/dissector"


def imported(tree: ast.AST) -> set[str]:
    """The first parts of the names that a module imports, those given to import_module included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or ".").partition(".")[0] if node.level == 0 else ".")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            (name,) = node.args
            first = name.values[0] if isinstance(name, ast.JoinedStr) else name
            assert isinstance(first, ast.Constant)
            found.add(str(first.value).partition(".")[0])
    return found


def test_every_file_bears_its_licence() -> None:
    modules = sorted(FOLDER.glob("*.py"))
    assert len(modules) == 2
    assert {module.read_text().splitlines()[0] for module in modules} == {"# SPDX-License-Identifier: GPL-2.0-only"}
    assert FOLDER.joinpath("LICENSE").read_text().split()[:7] == [
        "GNU",
        "GENERAL",
        "PUBLIC",
        "LICENSE",
        "Version",
        "2,",
        "June",
    ]


def test_it_imports_scapy_and_the_standard_library_only() -> None:
    names = set().union(*(imported(ast.parse(module.read_text())) for module in FOLDER.glob("*.py")))
    assert "scapy" in names
    assert names - set(sys.stdlib_module_names) == {"scapy"}


def test_nothing_else_names_scapy_or_imports_the_dissector() -> None:
    ours = [path for path in FOLDER.parents[1].rglob("*.py") if path.parent != FOLDER]
    assert len(ours) > 50
    for path in ours:
        assert "scapy" not in imported(ast.parse(path.read_text())), path
        assert "import netcrier.analyzerd.dissector" not in path.read_text(), path
        assert "from netcrier.analyzerd.dissector" not in path.read_text(), path
