"""What the image is made of, as CycloneDX 1.5 (JSON): Debian's packages and the wheels.

Read from the root itself: its dpkg status and the wheels' own metadata.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from tools.image.deb import HOME
from tools.image.disk import identity


def packages(root: Path) -> list[dict[str, Any]]:
    """The installed Debian packages, by name."""
    found = []
    for paragraph in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields.get("Status") != "install ok installed":
            continue
        name, version, machine = (fields[key] for key in ("Package", "Version", "Architecture"))
        found.append(
            _component(
                name, version, f"pkg:deb/debian/{name}@{version}?arch={machine}&distro=bookworm"
            )
        )
    return sorted(found, key=lambda each: each["name"])


def wheels(root: Path) -> list[dict[str, Any]]:
    """The Python packages of the firmware's folder, by name."""
    found = []
    for path in sorted((root / HOME).glob("*.dist-info/METADATA")):
        fields = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
        name, version = fields["Name"], fields["Version"]
        part = _component(name, version, f"pkg:pypi/{name.lower()}@{version}")
        if licence := fields.get("License-Expression"):
            part["licenses"] = [{"expression": licence}]
        found.append(part)
    return found


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {
        "type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl,
    }  # fmt: skip


def text(root: Path, version: str, image_sha256: str) -> str:
    """The document, the same for the same root."""
    components = packages(root) + wheels(root)
    digest = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    serial: uuid.UUID = identity("sbom", version, digest)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware", "name": "sscterm", "version": version,
                "hashes": [{"alg": "SHA-256", "content": image_sha256}],
            }
        },
        "components": components,
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"
