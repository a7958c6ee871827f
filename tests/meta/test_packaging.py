"""The lists of pyproject.toml match the disk, layers import downwards only, dependencies are pinned.

An editable install sees every folder of the checkout, so a package or template that the lists forget is
missing from the wheel alone. Imports are read off syntax trees, so that those inside functions count too.
"""

import ast
import os
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
FOLDERS = {package: ROOT / folder for package, folder in SETUPTOOLS["package-dir"].items()}

# What each layer may import of the project; the parent package and the shipped checks may import all.
LAYERS = {
    "depthlimit.theory": {"depthlimit.theory"},
    "depthlimit.models": {"depthlimit.models", "depthlimit.theory"},
    "depthlimit.reports": {"depthlimit.reports", "depthlimit.theory"},
}
THEORY_LIBRARIES = {"flint", "mpmath", "numpy", "sympy"}
BARE_NAMES = {package.removeprefix("depthlimit.") for package in FOLDERS if "." in package}


def modules(package: str) -> dict[str, Path]:
    """The modules of an entry of package-dir, {import name: file}."""
    folder = FOLDERS[package]
    return {
        ".".join([package, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in sorted(folder.rglob("*.py"))
    }


def imported_names(source: str) -> Iterator[str]:
    """Every name that the source imports: `from a import b` gives a.b, a relative import a leading dot."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def imports(path: Path) -> set[str]:
    return set(imported_names(path.read_text(encoding="utf-8")))


def below(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def requirements() -> list[Requirement]:
    """What the project depends on, extras included and its own name left out."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    listed = [Requirement(text) for group in (project["dependencies"], *extras) for text in group]
    return [requirement for requirement in listed if requirement.name != project["name"]]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_imports_that_these_tests_look_for_are_found() -> None:
    source = "import a.b, c\ndef f():\n    from d.e import g, h\n    from . import i\nimportlib.import_module('j.k')\n__import__('l')\n"
    assert set(imported_names(source)) == {"a.b", "c", "d.e.g", "d.e.h", "..i", "j.k", "l"}


def test_the_package_list_is_the_folders_that_hold_python_files() -> None:
    on_disk = {
        ".".join([package, *path.parent.relative_to(folder).parts]) for package, folder in FOLDERS.items() for path in folder.rglob("*.py")
    }
    assert sorted(SETUPTOOLS["packages"]) == sorted(on_disk)
    without_init = on_disk - {module for package in FOLDERS for module in modules(package)}
    assert not without_init, f"packages without __init__.py: {sorted(without_init)}"


def test_every_other_file_of_a_package_is_package_data() -> None:
    for package, folder in FOLDERS.items():
        patterns = SETUPTOOLS["package-data"].get(package, [])
        listed = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
        on_disk = {
            path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
        }
        forgotten = sorted(str(path.relative_to(ROOT)) for path in on_disk - listed)
        assert not forgotten, f"[tool.setuptools.package-data] forgets {forgotten} of {package}"


def test_no_folder_is_a_package_under_a_second_name() -> None:
    # tests/__init__.py, or folders and links in depthlimit/, would have pytest's default import mode put the
    # checkout first on the import path of another project's run, whose `import models` would then find ours.
    assert not (ROOT / "tests" / "__init__.py").exists()
    folders = {path.name for path in (ROOT / "depthlimit").iterdir() if path.is_dir()}
    assert folders <= {"__pycache__"}


def test_type_checkers_see_the_package_as_it_is_installed() -> None:
    typing = ROOT / ".typing" / "depthlimit"
    expected = {package.removeprefix("depthlimit."): f for package, f in FOLDERS.items() if "." in package}
    expected |= {path.name: path for path in (ROOT / "depthlimit").iterdir() if path.name != "__pycache__"}
    # A checkout without symbolic links holds the link's text in a file.
    links = {path.name: os.readlink(path) if path.is_symlink() else path.read_text(encoding="utf-8").strip() for path in typing.iterdir()}
    assert {name: (typing / link).resolve() for name, link in links.items()} == expected


@pytest.mark.parametrize("package", LAYERS)
def test_a_layer_imports_only_the_layers_below_it(package: str) -> None:
    allowed = LAYERS[package] | {"depthlimit.__version__"}
    for module, path in modules(package).items():
        above = {name for name in imports(path) if below(name, {"depthlimit"}) and not below(name, allowed)}
        assert not above, f"{module} imports {sorted(above)}, of this project it may {sorted(allowed)}"


def test_theory_imports_symbols_and_enclosures_only() -> None:
    allowed = THEORY_LIBRARIES | set(sys.stdlib_module_names) | {"depthlimit"}
    for module, path in modules("depthlimit.theory").items():
        others = {name for name in imports(path) if not below(name, allowed)}
        assert not others, f"{module} imports {sorted(others)}, of libraries it may {sorted(THEORY_LIBRARIES)}"


def test_hypothesis_is_imported_by_strategies_and_tests_only() -> None:
    users = {
        module
        for package in FOLDERS
        if package != "depthlimit.conformance"
        for module, path in modules(package).items()
        if any(below(name, {"hypothesis"}) for name in imports(path))
    }
    assert users <= {"depthlimit.models.strategies"}


def test_every_import_names_the_project_and_none_is_relative() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("depthlimit", "models", "reports", "tests", "theory")
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if below(name, BARE_NAMES) or name.startswith(".")
    }
    assert not wrong, "write depthlimit.theory and so on: a bare name may be another project's"


def test_every_library_that_the_package_imports_is_declared() -> None:
    installed_by = packages_distributions()
    imported = {name.partition(".")[0] for package in FOLDERS for path in modules(package).values() for name in imports(path)}
    libraries = imported - {"depthlimit"} - set(sys.stdlib_module_names)
    project = PYPROJECT["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["data"]]
    declared = {canonicalize_name(Requirement(text).name) for text in listed}
    undeclared = {
        library for library in libraries if declared.isdisjoint(canonicalize_name(name) for name in installed_by.get(library, [library]))
    }
    assert not undeclared


def test_every_dependency_is_pinned_to_a_version_that_the_project_accepts() -> None:
    pinned = pins()
    for requirement in requirements():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"constraints.txt does not pin {requirement.name}"
        assert version in requirement.specifier, f"constraints.txt pins {version}, pyproject.toml says {requirement}"
