"""Which source files a module depends on, so that a changed stage, and no other, runs again."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parent
NAME = re.compile(r"brainmri(\.\w+)+")


def module_file(module: str) -> Path | None:
    """Return the source file of a brainmri module, or None where `module` names no such file."""
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported_modules(source: Path) -> set[str]:
    """Return the brainmri modules that a source file imports, inside functions too, or names in a text."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            # `from brainmri.images import crop` names a module, or something inside one.
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A package whose data files are read, as by `files("brainmri.models")`.
            found.add(node.value)
    return {name for name in found if NAME.fullmatch(name)}


def code_of(module: str) -> list[Path]:
    """Return the files that `module` runs through, itself first, in a stable order.

    They are its source, the sources of all that it imports, and the data files (templates, tables) of the
    packages that one of these names. Paths below the working directory are relative to it, so that they are
    the same in every clone.

    Parameters
    ----------
    module
        A dotted name such as ``"brainmri.splits.split"``.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    start = module_file(module)
    if start is None:
        raise ValueError(f"no module {module} under {PACKAGE}")
    reached, waiting = {start}, [start]
    while waiting:
        for name in imported_modules(waiting.pop()):
            file = module_file(name)
            if file is not None and file not in reached:
                reached.add(file)
                waiting.append(file)
    packages = {file.parent for file in reached if file.name == "__init__.py"} - {PACKAGE}
    data = {file for package in packages for file in package.rglob("*") if is_data(file)}
    return [relative_where_possible(file) for file in [start, *sorted((reached | data) - {start})]]


def is_data(file: Path) -> bool:
    """Tell whether a file of a package is neither Python source nor compiled from it."""
    return file.is_file() and file.suffix not in (".py", ".pyc")


def relative_where_possible(file: Path) -> Path:
    """Return the path relative to the working directory where it lies below that."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
