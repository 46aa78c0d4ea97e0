"""The outcomes of a load: 004, 005, 010, 431, 511, 512."""

from __future__ import annotations

from firmware.display.text import Text

# fmt: off
LOAD = {
    "LOADED": Text(
        "圈存成功：{amount} 元。", "Loaded: {amount} yuan.",
        "请取回社保卡。", "Please take your card.",
        "圈存成功\n请取回社保卡", "Loaded\nTake your card",
    ),
    "LOADED_FOUND_LATER": Text(
        "经核对，订单 {order_no} 已圈存 {amount} 元。",
        "Checked: order {order_no} was loaded, {amount} yuan.",
        "请勿再次圈存。", "Do not load it again.",
        "核对后已圈存\n请勿再次圈存", "Was loaded\nDon't load again",
    ),
    "ASKING_HOST": Text(
        "正在向后台申请圈存 {amount} 元。", "Asking the office to load {amount} yuan.",
        "请勿取走卡片，请稍候。", "Leave the card where it is.",
        "正在联系后台\n请勿取走卡片", "Asking office\nLeave the card",
    ),
    "HOST_SILENT": Text(
        "后台没有及时应答，未圈存。", "The office did not answer in time. Nothing was loaded.",
        "请后台检查连接后，重新发起圈存。", "Office: check the connection, then load again.",
        "后台没有应答\n未圈存", "No answer\nNothing loaded",
    ),
    "NOT_LOADED": Text(
        "经核对，订单 {order_no} 未圈存。", "Checked: order {order_no} was not loaded.",
        "如需圈存，请重新发起。", "Load again if it is due.",
        "核对后未圈存\n可以重新圈存", "Not loaded\nLoad again",
    ),
    "LOAD_UNCERTAIN": Text(
        "订单 {order_no} 是否圈存尚不能确定。", "Whether order {order_no} was loaded is not known.",
        "请勿再次圈存，留存订单号，后台将核查。", "Do not load again. The office will find out.",
        "是否圈存待查\n请勿再次圈存", "Uncertain\nDon't load again",
    ),
}
# fmt: on
