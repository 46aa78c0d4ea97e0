"""What can go wrong between a technician and a unit that runs: rows 1401 to 1449 (errors.py)."""

from __future__ import annotations

from tools.technician.rows import FAILED, REFUSED, Row

_AGAIN = (
    "重新执行同一命令，从已有内容继续。",
    "Run the same command again: it goes on from what is there.",
)
DOOR_ROWS = {
    1401: Row(
        REFUSED,
        "终端没有应答",
        "the unit does not answer",
        "检查电源、网线或串口线和地址后重试。",
        "Check power, cable and address, then try again.",
    ),
    1402: Row(
        REFUSED,
        "终端不认识这把密钥",
        "the unit does not know this key",
        "用 --key 指明技术员密钥；密钥在 provision --technician 时写入。",
        "Name the technician's key with --key; a unit learns keys by provision --technician.",
    ),
    1403: Row(
        REFUSED,
        "终端的主机密钥与上次不同",
        "the unit's host key is not the one remembered",
        "若换过卡或重写过镜像，从 known_units 文件删去该行；否则不要继续，可能有人冒充。",
        "If its card was changed or written anew, remove its line from known_units; else stop.",
    ),
    1404: Row(
        REFUSED,
        "终端不懂这个请求",
        "the unit does not take this request",
        "终端与本工具版本不符；使用同一版本的工具。",
        "Unit and tool are of different releases: use the tool of the unit's release.",
    ),
    1405: Row(
        FAILED,
        "终端执行时出错",
        "the unit failed at it",
        "用 logs 查看终端日志，再重试。",
        "Look at the unit's log (logs), then try again.",
    ),
    1406: Row(
        FAILED,
        "自检没有给出结果",
        "the self-test gave no result",
        "用 logs 查看；确认终端已有身份（provision）。",
        "Look with logs; see that the unit has an identity (provision).",
    ),
    1407: Row(
        REFUSED,
        "终端上空间不足",
        "there is no room on the unit",
        "先让后台收取流水，或重新执行 update 前重启终端。",
        "Let the office collect the records first, or restart the unit before the update.",
    ),
    1408: Row(FAILED, "收到的升级包已损坏", "the bundle arrived damaged", *_AGAIN),
    1409: Row(
        REFUSED,
        "另一条线正在发送升级包",
        "a bundle is being sent over another line",
        "等它结束后重试。",
        "Wait until that is done, then try again.",
    ),
    1410: Row(FAILED, "升级包不在终端上", "the bundle is not on the unit", *_AGAIN),
    1411: Row(
        FAILED,
        "终端拒绝或未能安装升级包",
        "the unit refused the bundle or could not install it",
        "看所示原因；终端仍用原版本运行。",
        "See the cause shown; the unit still runs its old release.",
    ),
    1412: Row(FAILED, "终端上没有待试用的版本", "nothing is on trial on the unit", *_AGAIN),
    1413: Row(
        FAILED,
        "终端一直有交易，未重启",
        "the unit was busy with payments and was not restarted",
        "新版本已装好；空闲时重新执行同一命令。",
        "The release is installed; run the same command again at a quiet hour.",
    ),
    1414: Row(FAILED, "连接中断", "the line was cut", *_AGAIN),
    1415: Row(
        FAILED,
        "自检发现故障",
        "the self-test found a fault",
        "按所示部件处理，再执行 selftest。",
        "See to the part that is named, then run selftest again.",
    ),
    1416: Row(
        REFUSED,
        "升级包签名无效或已损坏",
        "the bundle's signature is not valid, or it is damaged",
        "不要使用；从发布处重新获取，并核对 --ca。",
        "Do not use it; fetch it from the publisher again, and check --ca.",
    ),
    1417: Row(
        REFUSED,
        "升级包不适用于本产品",
        "the bundle is for another product",
        "使用本产品的升级包。",
        "Take the bundle of this product.",
    ),
    1418: Row(
        REFUSED,
        "升级包比终端留用过的版本旧",
        "the bundle is older than a release that the unit kept",
        "使用更新的版本；终端自身不接受旧版。",
        "Take a newer release; the unit itself takes no older one.",
    ),
    1419: Row(
        FAILED,
        "新版本未通过，终端已退回原版本",
        "the new release did not hold: the unit went back to the old one",
        "看所示自检结果和 logs，报告发布方；终端照常工作。",
        "See the self-test shown and logs, and tell the publisher; the unit works as before.",
    ),
    1420: Row(
        FAILED,
        "终端未在时限内恢复应答",
        "the unit did not come back in time",
        "等几分钟后用 info 查看；不应答则断电再上电。",
        "Wait some minutes and look with info; if it stays silent, switch it off and on.",
    ),
    1421: Row(
        REFUSED,
        "技术员公钥文件不合规程",
        "a technician's public key is not one",
        "用 ssh-keygen -t ed25519 生成，给出 .pub 文件。",
        "Make one with ssh-keygen -t ed25519 and name the .pub file.",
    ),
    1422: Row(
        REFUSED,
        "看不懂目标",
        "the target is not understood",
        "写主机名、主机名:端口 或 serial:/dev/ttyUSB0。",
        "Write HOST, HOST:PORT or serial:/dev/ttyUSB0.",
    ),
    1423: Row(
        REFUSED,
        "升级包读不出",
        "the bundle cannot be read",
        "核对文件名。",
        "Check the name of the file.",
    ),
}
