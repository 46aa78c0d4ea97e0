"""Issue E.1: the .deb holds firmware, dependencies and units, and is the same twice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from tools.image import deb, sbom
from tools.image.disk import ImageError, run

EPOCH = 1_767_225_600


def wheel(folder: Path, name: str) -> Path:
    """A wheel of one module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"NAME = {name!r}\n")
        archive.writestr("tests/test_it.py", "")
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA", meta)
    return path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return [wheel(folder, each) for each in ("one", "two")]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, wheels: list[Path]) -> Path:
    return built(tmp_path_factory.mktemp("package"), wheels)


def built(folder: Path, wheels: list[Path]) -> Path:
    """These wheels are nobody's, and their hashes in no requirements file."""
    target = folder / "sscterm.deb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deb, "unpinned", lambda wheels: [])
        deb.build(target, wheels, EPOCH)
    return target


def unpacked(package: Path, folder: Path) -> Path:
    run("dpkg-deb", "--raw-extract", package, folder)
    return folder


def test_two_packages_are_the_same(tmp_path: Path, wheels: list[Path], package: Path) -> None:
    time.sleep(1.1)  # an ar archive and a tar count in seconds
    assert built(tmp_path, wheels).read_bytes() == package.read_bytes()


def test_the_package_holds_what_a_unit_runs(tmp_path: Path, package: Path) -> None:
    tree = unpacked(package, tmp_path / "tree")
    home = tree / deb.HOME
    assert (home / "one.py").exists()
    assert (home / "firmware" / "__main__.py").exists()
    assert not (home / "tests").exists()
    assert not list(tree.rglob("__pycache__"))
    units = tree / "usr/lib/systemd/system"
    for name in deb.ENABLED:
        for target in deb.targets(units / name):
            assert (units / f"{target}.wants" / name).resolve() == (units / name).resolve()
    assert (units / "emergency.target.wants" / "sscterm-fallback.service").exists()
    assert {"sscterm-first.service", "sscterm-keep.service"} < set(deb.ENABLED)
    for each in (home / "tools/update/handlers").iterdir():  # RAUC and systemd start them
        assert each.stat().st_mode & 0o111 == 0o111
    assert (tree / "usr/local/sbin/ssc-drop.sh").stat().st_mode & 0o111 == 0o111
    started = {
        line for each in units.glob("*.service")
        for line in re.findall(r"(?m)^ExecStart=(/usr/lib/sscterm/\S+)", each.read_text())
    }  # fmt: skip
    assert "/usr/lib/sscterm/bin/python" in started
    assert all((tree / each[1:]).stat().st_mode & 0o111 == 0o111 for each in started)
    assert (
        tree / "usr/share/sscterm/board.toml"
    ).exists()  # /usr/share/doc is left out of an image
    program = home / "bin" / "python"
    assert program.stat().st_mode & 0o777 == 0o755
    assert run("dpkg-deb", "-f", package, "Package").strip() == "sscterm"
    assert owners(package) == {(0, 0)}


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd-sysusers")
def test_the_users_of_the_package_can_be_made(tmp_path: Path, package: Path) -> None:
    """As its postinst does; a unit names each of them."""
    tree = unpacked(package, tmp_path / "tree")
    (tree / "etc").mkdir()
    run("systemd-sysusers", f"--root={tree}", "sscterm.conf")
    made = {line.split(":")[0] for line in (tree / "etc/passwd").read_text().splitlines()}
    named = {
        name for each in (tree / deb.SYSTEM).glob("*.service")
        for name in re.findall(r"(?m)^User=(\S+)", each.read_text())
    }  # fmt: skip
    assert {"sscterm", "sscterm-host"} == named == made


def owners(package: Path) -> set[tuple[int, int]]:
    data = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True, timeout=60
    ).stdout
    place = package.with_suffix(".tar")
    place.write_bytes(data)
    with tarfile.open(place) as archive:
        return {(each.uid, each.gid) for each in archive}


def test_the_unpacked_firmware_runs_by_its_own_folder_alone(tmp_path: Path, package: Path) -> None:
    home = unpacked(package, tmp_path / "tree") / deb.HOME
    command = "import firmware, importlib.metadata as m; print(firmware.__file__)\n"
    command += "print(*sorted(e.name for e in m.entry_points(group='sscterm.readers')))"
    told = run(sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(home)!r}]\n{command}")
    path, names = told.splitlines()
    assert path.startswith(str(home))
    assert "sim" in names.split()


def test_what_the_units_start_is_in_the_package(tmp_path: Path, package: Path) -> None:
    """Each module that a unit or a handler names imports what is shipped, and nothing beside it."""
    tree = unpacked(package, tmp_path / "tree")
    home = tree / deb.HOME
    programs = [*(tree / deb.SYSTEM).glob("*.service"), *home.glob("tools/update/handlers/*")]
    named = {
        name for each in programs for name in re.findall(r" -m (tools[\w.]+)", each.read_text())
    }
    assert {"tools.image.first", "tools.update.keep", "tools.update.slots"} <= named
    named.add("tools.technician.firststart")  # by first.py, only when an identity waits
    command = f"import sys, importlib; sys.path[:0] = [{str(home)!r}]\n"
    command += f"for each in {sorted(named)!r}: importlib.import_module(each)\n"
    command += "for each in list(sys.modules.values()):\n"
    command += "    if each.__name__.split('.')[0] in ('tools', 'firmware') and each.__file__:\n"
    command += "        print(each.__file__)"
    told = run(sys.executable, "-I", "-c", command).splitlines()
    assert [each for each in told if not each.startswith(str(home))] == []


def test_a_wheel_that_no_requirements_file_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="foreign"):
        deb.build(tmp_path / "a.deb", [wheel(tmp_path, "foreign")], EPOCH)


def test_the_sbom_names_packages_of_both_kinds(tmp_path: Path, wheels: list[Path]) -> None:
    status = tmp_path / "root/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: zlib\nStatus: install ok installed\nVersion: 1.2\nArchitecture: arm64\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: arm64\n"
    )
    home = tmp_path / "root" / deb.HOME
    home.mkdir(parents=True)
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(home)
    text = sbom.text(tmp_path / "root", "1.0.0", "00" * 32)
    assert text == sbom.text(tmp_path / "root", "1.0.0", "00" * 32)
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    assert [each["purl"] for each in document["components"]] == [
        "pkg:deb/debian/zlib@1.2?arch=arm64&distro=bookworm",
        "pkg:pypi/one@1.0",
    ]
    assert document["components"][1]["licenses"] == [{"expression": "MIT"}]


def test_no_socket_waits_for_a_service() -> None:
    """It would be a circle, for services wait for all sockets: systemd drops every socket then."""
    sockets = [each for folder in deb.UNITS for each in (deb.ROOT / folder).glob("*.socket")]
    assert sockets
    for each in sockets:
        assert ".service" not in "".join(re.findall(r"(?m)^After=(.*)$", each.read_text())), each
