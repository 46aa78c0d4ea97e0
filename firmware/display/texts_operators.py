"""Outcomes of operators' log-on, and of the acts that need two of them."""

from __future__ import annotations

from firmware.display.text import Text

# fmt: off
OPERATORS = {
    "OPERATOR_REFUSED": Text(
        "工号或密码错误，未登录。", "Code or password is wrong: not logged on.",
        "请核对后重新登录。", "Check both and log on again.",
        "登录失败\n请重新登录", "Wrong logon\nTry again",
    ),
    "OPERATOR_LOCKED": Text(
        "密码错误次数过多，此工号暂停登录。", "Too many wrong passwords: this code is locked out.",
        "请稍后再试，或请主管核实。", "Try again later, or ask your supervisor.",
        "暂停登录\n请稍后再试", "Locked out\nTry later",
    ),
    "OPERATOR_NOT_LOGGED_ON": Text(
        "操作员未登录或登录已超时。", "The operator is not logged on, or no longer.",
        "请操作员登录后重新办理。", "Log on, then start again.",
        "操作员未登录\n请先登录", "No operator\nLog on first",
    ),
    "OPERATOR_NOT_ALLOWED": Text(
        "操作员没有办理此业务的权限。", "This operator may not do that.",
        "请有权限的操作员办理。", "Call an operator who may.",
        "没有权限\n请换操作员", "Not allowed\nCall another",
    ),
    "SECOND_OPERATOR_NEEDED": Text(
        "此业务须由两名不同的操作员在两分钟内各自输入密码确认。",
        "Two different operators must enter their passwords within 2 minutes.",
        "请两名操作员重新登录后办理。", "Both log on, then start again.",
        "须两名操作员\n请都重新登录", "Two people:\nboth log on",
    ),
    "OPERATOR_LIST_REFUSED": Text(
        "操作员名单验证未通过，未采用。", "The operator list failed its check and is not used.",
        "请后台重新签发操作员名单。", "Office: sign and send the operator list again.",
        "名单验证失败\n请联系后台", "Bad list\nAsk the office",
    ),
    "NEWER_OPERATOR_LIST_HELD": Text(
        "收到的操作员名单较旧，未采用。", "The operator list that came is older: not used.",
        "请后台发送最新的操作员名单。", "Office: send the newest operator list.",
        "人员名单较旧\n请联系后台", "Old list\nAsk the office",
    ),
    "PIN_NOT_LOCKED": Text(
        "密码没有锁定，还可输入 {tries_left} 次。",
        "The PIN is not locked. Tries left: {tries_left}.",
        "请持卡人使用原密码；忘记密码请办理重置。", "Use the PIN; if it is forgotten, reload it.",
        "密码没有锁定\n还可输入{tries_left}次", "Not locked\nTries left: {tries_left}",
    ),
    "PIN_STILL_LOCKED": Text(
        "密码仍为锁定，没有解锁。", "The PIN is still locked.",
        "请两名操作员重新登录后再办理一次。", "Both operators log on, then start again.",
        "密码仍为锁定\n请再办理一次", "Still locked\nStart again",
    ),
    "NOT_BLOCKED": Text(
        "没有锁定。", "It was not blocked.",
        "如仍须锁定，请两名操作员重新登录后再办理。", "Both operators log on, then start again.",
        "没有锁定\n请再办理一次", "Not blocked\nStart again",
    ),
    "BLOCK_UNCERTAIN": Text(
        "卡片已被取走，是否锁定不能确定。", "The card left: whether it is blocked is not known.",
        "请插回原卡再办理一次。", "Put the same card back and start again.",
        "是否锁定待定\n请插回原卡", "Block unsure\nPut card back",
    ),
}
# fmt: on
