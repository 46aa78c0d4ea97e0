"""Who may import whom, held against every module of the project.

    python -m tools.import_rule [FOLDER]

Reads the source, runs none of it: import statements wherever they stand (inside functions and
under TYPE_CHECKING too), relative ones, and `importlib.import_module("...")` with a literal name.
Prints one line for each breach; exit status 1 if there is one. The rule is docs/architecture.md's.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

# A unit is a module of firmware/ or a package in it. It may import what stands on a lower floor
# named in BELOW, and inside itself.
FLOORS = {
    "0": {"apdu", "tlv", "outcome", "secret", "clock", "board", "worker", "supervise"},
    "1": {"drivers"},
    "1c": {"channel"},
    "2": {"card", "bank", "psam", "journal"},
    "3": {"authorize", "uplink", "display"},
    "4": {"terminal", "menu", "host", "attached", "identity", "offspring", "selftest"},
    "5": {"parts"},
    "6": {"__main__"},
}
BELOW = {
    "0": (),
    "1": ("0",),
    "1c": ("0",),
    "2": ("1c", "0"),
    "3": ("2", "1c", "0"),
    "4": ("3", "2", "1c", "0"),
    "5": ("3", "2", "1", "1c", "0"),
    "6": ("5", "4", "3", "2", "1", "1c", "0"),
}

# A top-level folder other than firmware/ may import itself and these.
MAY_USE = {
    "office": {
        "firmware.outcome",
        "firmware.journal",
        "firmware.uplink.backoff",
        "firmware.uplink.frame",
        "firmware.uplink.nkey",
        "firmware.uplink.subjects",
        "firmware.psam.keys",
        "firmware.psam.cipher",
        "firmware.tlv",
        "firmware.card.checks",
    },
    "tools": {"firmware.board", "firmware.board_parts", "firmware.journal"},
    "simulator": {
        "firmware.apdu",
        "firmware.tlv",
        "firmware.outcome",
        "firmware.card.files",
        "firmware.psam.keys",
        "firmware.psam.cipher",
    },
}

# One vendor package, one module for each use of it.
VENDORS = {
    "RPi": {"firmware.drivers.gpio"},
    "luma": {"firmware.drivers.luma_panel"},
    "RPLCD": {"firmware.drivers.hd44780"},
    "smbus2": {"firmware.drivers.i2c"},
    "escpos": {"firmware.drivers.thermal"},
    "serial": {"firmware.drivers.uart", "office.line", "tools.technician.finding"},
    "cryptography": {
        "firmware.psam.cipher",
        "firmware.journal.algorithms",
        "firmware.journal.sealed",
        "firmware.journal.tlskey",
        "office.ca",
        "tools.verify_records",
    },
    "pkcs11": {"firmware.journal.pkcs11"},
    "cbor2": {"firmware.journal.cose", "firmware.uplink.frame"},
    "aiohttp": {"office.collector", "office.dashboard.pages", "office.serve"},
    "prometheus_client": {"office.metrics"},
    "zeroconf": {"tools.technician.lan"},
    "nats": {"firmware.uplink.nats", "office.nats", "office.streams"},
    "pyarrow": {"office.parquet"},
    "cobs": {"firmware.uplink.frame"},
    "psycopg": {"office.postgres"},
    "PIL": {"firmware.display.panel"},
    # Not vendors: MicroPython's own modules, which CPython does not have.
    "ffi": {"firmware.drivers.smartcard"},
    "uctypes": {"firmware.drivers.smartcard"},
}

TOP = ("firmware", *MAY_USE)
NO_FLOOR = "has no floor in tools/import_rule.py"


class Import(NamedTuple):
    """One module named by one import statement."""

    line: int
    name: str


def inside(name: str, package: str) -> bool:
    """Whether the dotted `name` is `package` or lies in it."""
    return name == package or name.startswith(package + ".")


def module_name(path: Path) -> str:
    """The dotted name of a source file, its path given relative to the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def absolute(name: str, package: str) -> str:
    """`name` with its leading dots resolved; unchanged if they climb out of the root."""
    try:
        return resolve_name(name, package)
    except ImportError:
        return name


def literal_names(call: ast.Call) -> list[str]:
    """The string literals handed to importlib.import_module or __import__, else []."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else None
    called = call.func.id if isinstance(call.func, ast.Name) else called
    if called not in ("import_module", "__import__"):
        return []
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    values = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def imports_of(root: Path, path: Path) -> Iterator[Import]:
    """Every module that the file `path` under `root` names in an import, made absolute.

    `from package import name` names `package.name` where that is a module, else `package`.
    """
    relative = path.relative_to(root)
    package = ".".join(relative.parts[:-1])
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = absolute("." * node.level + (node.module or ""), package)
            for alias in node.names:
                longer = f"{base}.{alias.name}"
                yield Import(node.lineno, longer if is_module(root, longer) else base)
        elif isinstance(node, ast.Call) and (names := literal_names(node)):
            outer = names[1] if len(names) > 1 else package
            yield Import(node.lineno, absolute(names[0], outer))


def unit_of(name: str) -> str:
    """The unit of firmware/ that the dotted `name` lies in; "" for the package itself."""
    unit = name.removeprefix("firmware").removeprefix(".").split(".")[0]
    return "board" if unit.startswith("board_") else unit  # board.py in several files


def floor_of(unit: str) -> str | None:
    return next((floor for floor, units in FLOORS.items() if unit in units), None)


def firmware_breach(module: str, name: str) -> str | None:
    """Why the firmware module `module` may not import `name` of firmware; None if it may."""
    unit, wanted = unit_of(module), unit_of(name)
    if unit == wanted or not wanted:  # the package itself holds the version, no more
        return None
    floor, below = floor_of(unit), floor_of(wanted)
    if floor is None or below is None:
        return NO_FLOOR
    if below in BELOW[floor]:
        return None
    return f"floor {floor} may not import floor {below}"


def breach(module: str, name: str) -> str | None:
    """Why `module` may not import `name`; None if it may."""
    home, top = module.split(".")[0], name.split(".")[0]
    if top == "__future__" or top in sys.stdlib_module_names:
        return None
    if top in VENDORS:
        if any(inside(module, place) for place in VENDORS[top]):
            return None
        return f"{top} belongs in " + " or ".join(sorted(VENDORS[top]))
    if top not in TOP:
        return f"{top} is no package of this project, of the standard library or of the table"
    if home == top:
        return firmware_breach(module, name) if home == "firmware" else None
    if home == "firmware":
        return f"nothing in firmware names {top}"
    if any(inside(name, allowed) for allowed in MAY_USE[home]):
        return None
    return f"{home} may not use it"


def breaches(root: Path) -> list[str]:
    """One line for each breach of the rule in the source under `root`, in the order of files."""
    found = []
    for path in sorted(path for top in TOP for path in (root / top).rglob("*.py")):
        relative = path.relative_to(root)
        module = module_name(relative)
        if module.startswith("firmware.") and floor_of(unit_of(module)) is None:
            found.append(f"{relative}: {NO_FLOOR}")
        for line, name in sorted(set(imports_of(root, path))):
            if reason := breach(module, name):
                found.append(f"{relative}:{line}: imports {name}: {reason}")
    return found


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    found = breaches(root)
    print("\n".join(found) or "import rule: kept")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
