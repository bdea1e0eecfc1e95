"""setup.cfg against the tree, and what setuptools cannot say."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = {"netcrier": ROOT / "daemons", "netcrier_ctl": ROOT / "ctl"}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def words(section: str, key: str) -> list[str]:
    return setup_cfg()[section][key].split()


def test_the_package_list_equals_the_tree() -> None:
    tree = {
        ".".join(init.parent.relative_to(source).parts)
        for source in SOURCES.values()
        for init in source.rglob("__init__.py")
    }
    assert sorted(words("options", "packages")) == sorted(tree)


def test_every_folder_with_a_module_is_a_package() -> None:
    folders = {module.parent for source in SOURCES.values() for module in source.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_entry_point_exists() -> None:
    lines = setup_cfg()["options.entry_points"]["console_scripts"].split("\n")
    targets = {name.strip(): target.strip() for name, _, target in (line.partition("=") for line in lines if line)}
    assert set(targets) == {"masterd", "noded", "analyzerd", "netctl"}
    for target in targets.values():
        module, _, function = target.partition(":")
        path = SOURCES[module.split(".")[0]].joinpath(*module.split(".")).with_suffix(".py")
        assert f"def {function}(" in path.read_text(), target


def test_packaging_and_systemd_hold_no_package() -> None:
    assert list((ROOT / "packaging").rglob("__init__.py")) + list((ROOT / "systemd").rglob("__init__.py")) == []


def test_no_module_imports_the_name_systemd() -> None:
    """From the root it resolves to the folder of unit files."""
    offenders = [
        str(module)
        for source in (*SOURCES.values(), ROOT / "tests")
        for module in source.rglob("*.py")
        if any(
            line.split()[:2] in (["import", "systemd"], ["from", "systemd"]) for line in module.read_text().splitlines()
        )
    ]
    assert offenders == []
