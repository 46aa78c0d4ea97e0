"""Everything that can go wrong at the technician's desk: a frozen number, cause, next step, status.

10xx the image, 11xx the card or file, 12xx writing and reading back, 13xx the identity, 14xx a unit
that runs (errors_door.py), 145x finding one (errors_find.py).
"""

from __future__ import annotations

from tools.technician.errors_door import DOOR_ROWS
from tools.technician.errors_find import FIND_ROWS
from tools.technician.rows import DONE, FAILED, REFUSED, USAGE, Row

__all__ = ["DONE", "FAILED", "REFUSED", "ROWS", "USAGE", "FlashError", "Row"]

ROWS = {
    1001: Row(
        REFUSED,
        "缺少所需的程序",
        "a program that is needed is not installed",
        "安装所示的软件包后重试。",
        "Install the package named, then try again.",
    ),
    1002: Row(
        REFUSED,
        "镜像或其清单读不出",
        "the image or a file beside it cannot be read",
        "把镜像、.bmap、.manifest、.manifest.p7s 四个文件放在同一文件夹。",
        "Keep image, .bmap, .manifest and .manifest.p7s together in one folder.",
    ),
    1003: Row(
        REFUSED,
        "镜像清单不合规程",
        "the manifest of the image is not one",
        "重新下载该版本的全部文件。",
        "Fetch all files of the release again.",
    ),
    1004: Row(
        REFUSED,
        "镜像签名无效",
        "the signature of the image is not valid",
        "不要使用该镜像；从发布处重新获取，并核对 --ca。",
        "Do not use this image; fetch it from the publisher again, and check --ca.",
    ),
    1005: Row(
        REFUSED,
        "镜像不适用于该机型",
        "the image is not for this board",
        "按机型选择镜像，核对 --for。",
        "Take the image of your board, and check --for.",
    ),
    1006: Row(
        REFUSED,
        "镜像比这台电脑已写过的版本旧",
        "the image is older than one that this computer wrote before",
        "使用最新版本；确需旧版时加 --older。",
        "Use the newest release; if the older one is meant, add --older.",
    ),
    1007: Row(
        REFUSED,
        "镜像已损坏或不完整",
        "the image is damaged or cut short",
        "重新获取镜像。",
        "Fetch the image again.",
    ),
    1101: Row(
        REFUSED,
        "找不到该设备",
        "there is no such device",
        "插好读卡器和卡，用 list 查看。",
        "Plug in reader and card, and look with list.",
    ),
    1102: Row(
        REFUSED,
        "这是本机的系统盘",
        "this is a disk that this computer runs from",
        "换成要写的卡；用 list 查看。",
        "Name the card that is to be written; look with list.",
    ),
    1103: Row(
        REFUSED,
        "设备已挂载",
        "the device is mounted",
        "在文件管理器中卸载（umount）后重试。",
        "Unmount it (umount, or in the file manager), then try again.",
    ),
    1104: Row(
        REFUSED,
        "设备不可移除",
        "the device is not removable",
        "只写可移除的卡；用 list 查看。",
        "Only removable cards are written; look with list.",
    ),
    1105: Row(
        REFUSED,
        "卡太小",
        "the card is too small",
        "换一张容量足够的卡。",
        "Take a larger card.",
    ),
    1106: Row(
        REFUSED,
        "卡被写保护",
        "the card is write-protected",
        "拨开卡侧的锁，重新插入。",
        "Slide the lock at the side of the card open and put it back in.",
    ),
    1107: Row(
        REFUSED,
        "这不是整块存储设备或普通文件",
        "this is neither a whole disk nor a plain file",
        "写整块设备，如 /dev/sdb，不写分区。",
        "Name the whole device, as /dev/sdb, no partition.",
    ),
    1108: Row(
        REFUSED,
        "未确认，没有写入",
        "not confirmed, nothing was written",
        "重新执行，照样输入所示的序列号。",
        "Run it again and type the serial number as shown.",
    ),
    1109: Row(
        REFUSED,
        "没有权限",
        "you may not open it",
        "用 sudo 重新执行。",
        "Run it again with sudo.",
    ),
    1110: Row(
        REFUSED,
        "其他程序正在使用该设备",
        "another program uses the device",
        "关闭该程序后重试。",
        "Close that program, then try again.",
    ),
    1111: Row(
        REFUSED,
        "卡上不是本系统",
        "there is no system of ours on it",
        "先用 write 写入镜像。",
        "Write an image first (write).",
    ),
    1112: Row(
        REFUSED,
        "这已不是刚才核对过的卡",
        "this is no longer the card that was checked",
        "确认读卡器中的卡，重新执行。",
        "See which card is in the reader, and run it again.",
    ),
    1201: Row(
        FAILED,
        "设备在写入时消失",
        "the device went away",
        "重新插好后执行同一命令，只补写缺少的部分。",
        "Plug it in again and run the same command: it writes only what is missing.",
    ),
    1202: Row(
        FAILED,
        "空间已满",
        "there is no space left",
        "腾出空间或换更大的卡。",
        "Make room, or take a larger card.",
    ),
    1203: Row(
        FAILED,
        "读写出错",
        "reading or writing failed",
        "重试一次；再出错就换卡或读卡器。",
        "Try once more; if it fails again, take another card or another reader.",
    ),
    1204: Row(
        FAILED,
        "回读内容与镜像不符",
        "what was read back is not the image",
        "执行同一命令补写；再出现就丢弃此卡。",
        "Run the same command again; if it comes back, throw the card away.",
    ),
    1205: Row(
        FAILED,
        "操作被中断",
        "interrupted",
        "执行同一命令，从已有内容继续。",
        "Run the same command again: it goes on from what is there.",
    ),
    1206: Row(
        FAILED,
        "部分卡未完成",
        "not every card was done",
        "看各卡的记录单，对未完成的重新执行。",
        "See the sheet of each card, and run it again for those not done.",
    ),
    1207: Row(
        FAILED,
        "写入途中发现镜像已损坏，此卡不可用",
        "the image turned out damaged while it was written; the card is not usable",
        "重新获取镜像，再写一次。",
        "Fetch the image again, and write the card again.",
    ),
    1208: Row(
        FAILED,
        "本机上的文件读写不了",
        "a file on this computer cannot be read or written",
        "检查所示文件夹的权限和空间；卡的状态用 verify 查。",
        "See to that folder's permissions and room; verify tells how the card is.",
    ),
    1301: Row(
        REFUSED,
        "终端身份文件不合规程",
        "the identity is not one that a unit would take",
        "按所示改正 board.toml 或选项。",
        "Put board.toml or the options right as shown.",
    ),
    1302: Row(
        FAILED,
        "身份写到卡上后读不回",
        "the identity cannot be read back from the card",
        "重新执行；再出错就重写镜像。",
        "Run it again; if it fails again, write the image anew.",
    ),
    1303: Row(
        REFUSED,
        "卡上没有有效的登记请求",
        "there is no valid enrolment request on the card",
        "让终端用此卡启动一次，一分钟后关机，再取。",
        "Start the unit with this card once, switch it off after a minute, then ask again.",
    ),
    **DOOR_ROWS,
    **FIND_ROWS,
}


class FlashError(Exception):
    """A row of ROWS, and what it was about."""

    def __init__(self, number: int, detail: str = ""):
        super().__init__(f"{number}: {ROWS[number].cause_en}" + (f": {detail}" if detail else ""))
        self.number, self.detail = number, detail

    @property
    def row(self) -> Row:
        return ROWS[self.number]

    def told(self) -> dict[str, object]:
        """For --json."""
        row = self.row
        return {
            "number": self.number,
            "status": row.status,
            "cause": {"zh": row.cause_zh, "en": row.cause_en},
            "detail": self.detail,
            "next": {"zh": row.next_zh, "en": row.next_en},
        }

    def lines(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        row = self.row
        return (
            f"{self.number} {row.cause_zh}{detail}。{row.next_zh}\n"
            f"{self.number} {row.cause_en}{detail}. {row.next_en}"
        )
