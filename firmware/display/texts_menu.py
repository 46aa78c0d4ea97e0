"""The menu of a person at the unit: its items, the amount typed there (442), what the card's log
holds."""

from __future__ import annotations

from firmware.display.text import Text

# fmt: off
MENU = {
    "READY_MENU": Text(
        "终端就绪，查询、改密请按菜单键。", "Ready. For enquiries press menu.",
        "收款请从收费系统发起。", "A payment starts at the cash register.",
        "终端就绪\n查询请按菜单键", "Ready\nEnquiries: menu",
    ),
    "MENU_BALANCE": Text(
        "1 查询余额。", "1 Balance of the account.",
        "确认键进入，上下键选择，取消键退出。", "OK: choose. Up, down: others. Cancel: leave.",
        "1 查询余额\n确认键进入", "1 Balance\nPress OK",
    ),
    "MENU_SETTLEMENTS": Text(
        "2 最近的结算记录。", "2 The last settlements.",
        "确认键进入，上下键选择，取消键退出。", "OK: choose. Up, down: others. Cancel: leave.",
        "2 最近结算\n确认键进入", "2 Settlements\nPress OK",
    ),
    "MENU_PIN": Text(
        "3 修改密码。", "3 Change the PIN.",
        "确认键进入，上下键选择，取消键退出。", "OK: choose. Up, down: others. Cancel: leave.",
        "3 修改密码\n确认键进入", "3 Change PIN\nPress OK",
    ),
    "MENU_AMOUNT": Text(
        "4 自助付款。", "4 Pay an amount.",
        "确认键进入，上下键选择，取消键退出。", "OK: choose. Up, down: others. Cancel: leave.",
        "4 自助付款\n确认键进入", "4 Pay\nPress OK",
    ),
    "MENU_LANGUAGE": Text(
        "选择语言。", "Language.",
        "确认键切换中文、英文、双语。", "OK to switch between Chinese, English and both.",
        "选择语言\n确认键切换", "Language\nPress OK",
    ),
    "ENTER_AMOUNT": Text(
        "请输入付款金额：{amount} 元。", "Enter the amount to pay: {amount} yuan.",
        "核对金额后按确认键，输错按清除键。", "Check it and press OK; clear begins anew.",
        "付款¥{amount}\n核对后按确认", "Pay {amount}\nCheck, press OK",
    ),
    "SETTLEMENT": Text(
        "第 {number} 笔结算：{at}，共 {amount} 元。", "Settlement {number}: {at}, {amount} yuan.",
        "上下键翻看，取消键退出。", "Up and down to browse, cancel to leave.",
        "{at}\n上下键翻看", "Settlement {number}\nUp/down: others",
    ),
    "NO_SETTLEMENTS": Text(
        "卡内没有结算记录。", "The card holds no settlement.",
        "按取消键退出，请取回社保卡。", "Press cancel and take your card.",
        "没有结算记录\n请取回社保卡", "No settlements\nTake your card",
    ),
}

MENU_OUTCOMES = {
    "OVER_MENU_LIMIT": Text(
        "金额超过自助付款限额 {amount} 元，未扣款。",
        "Over {amount} yuan, the most to pay here. Nothing was taken.",
        "按确认键重新输入，或到收费窗口付款。", "OK to enter another, or pay at the counter.",
        "超自助限额\n请到窗口付款", "Over limit\nPay at counter",
    ),
}
# fmt: on
