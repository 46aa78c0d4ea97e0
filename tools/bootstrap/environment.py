"""Makes .venv with everything the project needs, from a bare Python 3.11 and nothing else.

    python3 tools/bootstrap/environment.py [--hardware] [--office] [--technician] [--dev]

Standard library only, because it runs before anything is installed. The environment is made
without pip (Debian ships no ensurepip with `python3`); pip runs straight from the wheel beside
this file, after its SHA-256 was checked. Every package is installed from a wheel whose hash
requirements.txt or one of its sisters (-hardware, -office, -technician, -dev) names; nothing is
compiled. The project itself is installed editable, so that its console scripts and entry points
exist.

`.venv/stamp.json` says what is in the environment: a second run reads it and returns. Runs at the
same time wait for each other. An environment whose making was interrupted is made anew.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "stamp.json"
LOCK = ROOT / "build" / "environment.lock"
LOG = ROOT / "build" / "environment.log"

PIP = ROOT / "tools" / "bootstrap" / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

REQUIREMENTS = {
    "runtime": ROOT / "requirements.txt",
    "hardware": ROOT / "requirements-hardware.txt",
    "office": ROOT / "requirements-office.txt",
    "technician": ROOT / "requirements-technician.txt",
    "dev": ROOT / "requirements-dev.txt",
}
OLDEST_PYTHON = (3, 11)
DEADLINE_S = 900


class BootstrapError(Exception):
    """The environment could not be made; the text says why and what to do next."""


def say(line):
    print("environment: " + line, flush=True)


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def base_digest():
    """What the environment stands on: a change of any of it makes the environment anew."""
    where = "\n".join([str(ROOT), sys.base_prefix, sys.implementation.cache_tag])
    return sha256(where.encode(), *(path.read_bytes() for path in (PIP, *REQUIREMENTS.values())))


def project_digest():
    """What the editable install reads of pyproject.toml; tool settings do not count."""
    import tomllib

    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    read = [document["build-system"], document["project"], document["tool"]["setuptools"]]
    return sha256(json.dumps(read, sort_keys=True).encode())


def read_stamp():
    """The stamp as last written, or {} where there is none that can be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if PYTHON.exists() else {}


def write_stamp(stamp):
    temporary = STAMP.with_suffix(".new")
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    temporary.replace(STAMP)


def missing_steps(stamp, wanted):
    """The steps, in order, that lead from `stamp` to the `wanted` sets of requirements."""
    if stamp.get("base") != base_digest() or "running" in stamp:
        return ["venv", *wanted, "project"]
    steps = [name for name in wanted if name not in stamp["installed"]]
    if stamp.get("project") != project_digest():
        steps.append("project")
    return steps


def pip_install(*arguments):
    """Run pip from its wheel inside the environment; its output goes to the log.

    Raises BootstrapError with the errors of the log when pip fails or takes longer than DEADLINE_S.
    """
    if hashlib.sha256(PIP.read_bytes()).hexdigest() != PIP_SHA256:
        raise BootstrapError(f"{PIP.name} is not the file it should be; restore it from the clone")
    command = [PYTHON, PIP / "pip", "install", "--no-input", "--disable-pip-version-check"]
    with LOG.open("w", encoding="utf-8") as log:
        try:
            subprocess.run(
                [*command, "--progress-bar=off", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                timeout=DEADLINE_S,
                check=True,
                close_fds=False,  # pip keeps the lock should this process be killed
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
            cause = "\n".join([line for line in lines if "ERROR" in line] or lines[-10:])
            raise BootstrapError(
                f"pip did not finish ({type(error).__name__}):\n{cause}\nAll it said is in {LOG}. "
                "If it could not download, check the network or pip's index, and run this again."
            ) from error


def run_step(step, stamp):
    """Carry out one step and note it in `stamp`; `running` marks it until it is complete."""
    if step == "venv":
        import venv

        say(f"making {VENV} with Python {sys.version.split()[0]}")
        STAMP.unlink(missing_ok=True)
        venv.EnvBuilder(with_pip=False, clear=True, symlinks=True).create(VENV)
        stamp.clear()
        stamp.update(base=base_digest(), installed=[])
        return
    write_stamp({**stamp, "running": step})
    if step == "project":
        say("installing the project itself, editable")
        pip_install("--no-build-isolation", "--no-deps", "--no-index", "--editable", str(ROOT))
        stamp["project"] = project_digest()
    else:
        say(f"installing {REQUIREMENTS[step].name}")
        pip_install("--require-hashes", "--only-binary=:all:", "-r", str(REQUIREMENTS[step]))
        stamp["installed"].append(step)
    write_stamp(stamp)


def lock_alone():
    """Hold the lock of this working tree until the process ends; waits for another holder.

    Raises BootstrapError when the other one has not ended after DEADLINE_S.
    """
    import fcntl

    LOCK.parent.mkdir(exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, True)
    deadline = time.monotonic() + DEADLINE_S
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BootstrapError(f"another set-up holds {LOCK}; end it and run again") from None
            if not told:
                say("waiting for another set-up of this folder")
                told = True
            time.sleep(0.2)


def make_environment(wanted):
    """Bring .venv to hold the `wanted` sets of requirements and the project."""
    if not missing_steps(read_stamp(), wanted):
        return
    lock_alone()
    stamp = read_stamp()
    steps = missing_steps(stamp, wanted)
    started = time.monotonic()
    for step in steps:
        run_step(step, stamp)
    if steps:
        say(f"ready after {time.monotonic() - started:.1f} s")


def main():
    parser = argparse.ArgumentParser(description="Make .venv with everything the project needs.")
    parser.add_argument("--hardware", action="store_true", help="with what a unit's parts need")
    parser.add_argument("--office", action="store_true", help="with what a back office needs")
    parser.add_argument("--technician", action="store_true", help="with what finds terminals")
    parser.add_argument("--dev", action="store_true", help="with what the tests and checks need")
    options = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("environment: Python 3.11 or newer is needed; run make PYTHON=/path/to/python3.11")
    try:
        wanted = {
            "hardware": options.hardware or options.dev,
            "office": options.office or options.dev,
            "technician": options.technician or options.dev,
            "dev": options.dev,
        }
        make_environment(["runtime", *(name for name, is_wanted in wanted.items() if is_wanted)])
    except (BootstrapError, OSError) as error:
        sys.exit(f"environment: {error}")
    except KeyboardInterrupt:
        sys.exit("environment: stopped; the next run begins again")


if __name__ == "__main__":
    main()
