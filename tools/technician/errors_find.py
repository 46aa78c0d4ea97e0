"""What can go wrong when a terminal is looked for: rows 1450 to 1479 (errors.py)."""

from __future__ import annotations

from tools.technician.rows import REFUSED, Row

FIND_ROWS = {
    1450: Row(
        REFUSED,
        "找不到该终端",
        "no terminal of this name",
        "接好电源和线缆，用 find 查看。",
        "Check its power and its cable, and look with find.",
    ),
    1451: Row(
        REFUSED,
        "有多台终端相符",
        "several terminals fit",
        "用编号或地址指明一台。",
        "Name one by its unit id or its address.",
    ),
    1452: Row(
        REFUSED,
        "串口打不开",
        "the serial line cannot be used",
        "检查线缆和设备名；关闭占用它的程序。",
        "Check the cable and the name, and close the program that holds it.",
    ),
    1454: Row(
        REFUSED,
        "没有应答",
        "nothing answers as a terminal does",
        "检查地址、线缆和速率；终端启动约需一分钟。",
        "Check address, cable and speed; a unit needs about a minute to start.",
    ),
    1455: Row(
        REFUSED,
        "缺少 zeroconf，无法在局域网查找",
        "zeroconf is missing: the network cannot be searched",
        "在项目文件夹执行 make environment-technician；或用 find 地址。",
        "Run make environment-technician in the project's folder, or find ADDRESS.",
    ),
    1456: Row(
        REFUSED,
        "这台电脑无法在局域网查找",
        "this computer cannot search its network",
        "检查网络连接；或用 find 地址。",
        "Check its network, or use find ADDRESS.",
    ),
}
