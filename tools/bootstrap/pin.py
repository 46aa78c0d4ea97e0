"""Writes the requirements files anew from pyproject.toml, every file hashed.

    make requirements

What is wanted stands in pyproject.toml alone: `project.dependencies` and the build backend go to
requirements.txt, the extras `hardware`, `office` and `technician` to files of their own
(requirements-hardware.txt and so on), the dependency group `dev` to requirements-dev.txt. The
resolver (uv) runs in an environment of its own that is thrown away; the pins hold for every
platform and for Python 3.11 and later, and only packages that come as wheels are taken.
"""

import subprocess
import tempfile
import tomllib
import venv
from pathlib import Path

from tools.bootstrap.environment import PIP, REQUIREMENTS, ROOT

HEADER = "# Written by `make requirements` from pyproject.toml; do not edit.\n"
DEADLINE_S = 600


def compile_pins(uv, wanted, output, *options):
    """Resolve the requirement lines `wanted` into the hashed pins of the file `output`."""
    command = [uv, "pip", "compile", "-", "--quiet", "--universal", "--python-version=3.11"]
    command += ["--only-binary=:all:", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", *options]
    pins = subprocess.run(
        command,
        input="\n".join(wanted),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=DEADLINE_S,
        check=True,
    )
    output.write_text(HEADER + pins.stdout, encoding="utf-8")
    print(f"{output.name}: {pins.stdout.count('==')} packages")


def main():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = document["project"]["dependencies"] + document["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        venv.EnvBuilder(with_pip=False).create(folder)
        python = Path(folder) / "bin" / "python"
        install = [python, PIP / "pip", "install", "--quiet", "uv"]
        subprocess.run(install, timeout=DEADLINE_S, check=True)
        uv = Path(folder) / "bin" / "uv"
        compile_pins(uv, runtime, REQUIREMENTS["runtime"])
        constraints = [f"--constraint={REQUIREMENTS['runtime']}"]
        for extra in ("hardware", "office", "technician"):
            wanted = document["project"]["optional-dependencies"][extra]
            compile_pins(uv, wanted, REQUIREMENTS[extra], *constraints)
            constraints.append(f"--constraint={REQUIREMENTS[extra]}")
        compile_pins(uv, document["dependency-groups"]["dev"], REQUIREMENTS["dev"], *constraints)


if __name__ == "__main__":
    main()
