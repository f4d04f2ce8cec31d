"""Which source files a module depends on, so that a changed stage, and no other, runs again."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent


def module_file(module: str) -> Path | None:
    """Return the source file of a brainmri module, or None where `module` names no such file."""
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported_modules(source: Path) -> set[str]:
    """Return the brainmri modules that a source file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            # `from brainmri.images import crop` names a module, or something inside one.
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.startswith("brainmri.")}


def code_of(module: str) -> list[Path]:
    """Return the source files that `module` runs through, itself first, in a stable order.

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
    return [start, *sorted(reached - {start})]
