"""The protocol sheet of one card: what was done, when, by whom, to be signed and kept.  HTML."""

from __future__ import annotations

import html
import re
import tempfile
from pathlib import Path

_STYLE = """
@page { size: A4; margin: 18mm }
body { font: 11pt/1.5 "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", sans-serif;
       color: #111; max-width: 170mm; margin: 10mm auto }
h1 { font-size: 17pt; margin: 0 }
p.sub { color: #555; margin: 0 0 6mm }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #999; padding: 1.6mm 3mm; text-align: left; vertical-align: top }
th { background: #f1f1f1; width: 42%; font-weight: normal }
td { font-family: "DejaVu Sans Mono", monospace; font-size: 10pt; overflow-wrap: anywhere }
.verdict { margin: 6mm 0; padding: 3mm 4mm; border: 2px solid; font-size: 13pt; font-weight: bold }
.good { color: #0a6b2d } .bad { color: #b00020 }
.sign { display: flex; gap: 12mm; margin-top: 20mm }
.sign div { flex: 1; border-top: 1px solid #333; padding-top: 1mm; color: #555; font-size: 9pt }
"""

MOST_ALIKE = 100

GOOD = ("完成：已写入并校验，可安全取出", "Done: written, read back and compared; safe to remove")
UNREAD = ("已写入，未校验", "Written, not read back")


def render(rows: list[tuple[str, str, str]], verdict: tuple[str, str], is_good: bool) -> str:
    """rows: (Chinese, English, value), values are text and are escaped here."""
    body = "\n".join(
        f"<tr><th>{html.escape(zh)} · {html.escape(en)}</th><td>{html.escape(value)}</td></tr>"
        for zh, en, value in rows
    )
    zh, en = (html.escape(each) for each in verdict)
    return (
        '<!doctype html>\n<html lang="zh">\n<head>\n<meta charset="utf-8">\n'
        f"<title>写卡记录单 · protocol sheet</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        '<h1>终端写卡记录单</h1>\n<p class="sub">Terminal card: protocol sheet</p>\n'
        f"<table>\n{body}\n</table>\n"
        f'<p class="verdict {"good" if is_good else "bad"}">{zh}<br>{en}</p>\n'
        '<div class="sign"><div>技术员签字 · technician</div><div>日期 · date</div>'
        "<div>复核 · checked by</div></div>\n</body>\n</html>\n"
    )


def rows_of(result: dict, when: str, unit: str = "") -> list[tuple[str, str, str]]:
    """Of what `write` told (writing.Written.told, or target and an error)."""
    target = result["target"]
    rows = [
        ("时间", "time", when),
        ("终端", "unit", unit or "-"),
        ("卡序列号", "serial of the card", str(target["serial"])),
        ("型号与容量", "model and size", f"{target['model']} {target['size']} B".strip()),
        ("设备", "device", str(target["path"])),
    ]
    if "version" in result:
        rows += [
            ("版本", "version", str(result["version"])),
            ("镜像 SHA-256", "SHA-256 of the image", str(result["sha256"])),
            ("签名者", "signed by", str(result["signer"])),
            ("写入字节", "bytes written", str(result["written"])),
            ("校验字节", "bytes read back", str(result["verified"])),
            ("校验方式", "read by", str(result["read_by"]) or "-"),
        ]
        for phase, (size, seconds) in result["took"].items():
            rate = size / seconds / 1e6 if seconds else 0.0
            rows.append(("用时", f"took: {phase}", f"{seconds:.1f} s, {rate:.1f} MB/s"))
    return rows


def save(folder: Path, serial: str, when: str, text: str) -> Path:
    """The file; its name is made of time and serial, of letters that any disk takes."""
    name = re.sub(r"[^0-9A-Za-z._-]+", "-", f"{when}-{serial}")[:120]
    for turn in range(1, MOST_ALIKE):  # two readers of one serial number, in one second
        path = folder / (f"{name}.html" if turn == 1 else f"{name}-{turn}.html")
        try:
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder}: {MOST_ALIKE} sheets of {name}")


def prepare(folder: Path) -> None:
    """Raises OSError now where a sheet could not be saved later, when a card is written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
