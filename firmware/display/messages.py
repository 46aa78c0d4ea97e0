"""Every message the unit can show: message id -> text in Chinese and English, and what to do next.

An outcome's message has the outcome's name (texts_payment.py, texts_unit.py); the ids of progress
are below.  Fields in braces are filled in when the message is shown, amounts in yuan ("12.50").
"""

from __future__ import annotations

from firmware.display.text import Text
from firmware.display.texts_load import LOAD
from firmware.display.texts_menu import MENU, MENU_OUTCOMES
from firmware.display.texts_operators import OPERATORS
from firmware.display.texts_payment import PAYMENT
from firmware.display.texts_unit import UNIT

# fmt: off
PROGRESS = {
    "STARTING": Text(
        "终端正在启动。", "The terminal is starting.",
        "请稍候。", "Please wait.",
        "正在启动\n请稍候", "Starting\nPlease wait",
    ),
    "JOURNAL_CHECK": Text(
        "正在检查交易流水。", "Checking the journal.",
        "请稍候，请勿关闭电源。", "Please wait, do not switch off.",
        "正在检查流水\n请勿关闭电源", "Checking records\nDo not turn off",
    ),
    "READY": Text(
        "终端就绪，欢迎使用。", "Ready. Welcome.",
        "请从收费系统发起业务。", "Start from the cash register.",
        "终端就绪\n欢迎使用", "Ready\nWelcome",
    ),
    "INSERT_CARD": Text(
        "请插入社保卡，或贴近感应区。", "Insert the social security card, or tap it.",
        "操作完成前请勿取走卡片。", "Leave the card until told to take it.",
        "请插入社保卡\n或贴近感应区", "Insert your card\nor tap",
    ),
    "READING_CARD": Text(
        "正在读卡。", "Reading the card.",
        "请勿取走卡片。", "Leave the card where it is.",
        "正在读卡\n请勿取走卡片", "Reading\nLeave the card",
    ),
    "CARD_READ": Text(
        "读卡成功：{name}。", "Card read: {name}.",
        "请核对是否为持卡人本人。", "Check that this is the holder.",
        "{name}\n请核对姓名", "Card read\nCheck the name",
    ),
    "ENTER_PIN": Text(
        "请持卡人输入密码，还可输入 {tries_left} 次。",
        "Holder, please enter your PIN. Tries left: {tries_left}.",
        "请遮挡键盘，输入后按确认键。", "Cover the keypad, then press OK.",
        "请输入密码\n还可输入{tries_left}次", "Enter your PIN\nTries left: {tries_left}",
    ),
    "PIN_WRONG_RETRY": Text(
        "密码错误，还可输入 {tries_left} 次。", "Wrong PIN. Tries left: {tries_left}.",
        "请核对后重新输入密码。", "Enter the PIN again.",
        "密码错误重输\n还可输入{tries_left}次", "Wrong, try again\nTries left: {tries_left}",
    ),
    "OLD_PIN": Text(
        "请输入原密码，还可输入 {tries_left} 次。",
        "Enter your present PIN. Tries left: {tries_left}.",
        "请遮挡键盘，输入后按确认键。", "Cover the keypad, then press OK.",
        "请输入原密码\n还可输入{tries_left}次", "Present PIN\nTries left: {tries_left}",
    ),
    "NEW_PIN": Text(
        "请输入新密码，4 至 12 位数字。", "Enter the new PIN, 4 to 12 digits.",
        "请遮挡键盘，输入后按确认键。", "Cover the keypad, then press OK.",
        "请输入新密码\n4至12位数字", "Enter a new PIN\n4 to 12 digits",
    ),
    "NEW_PIN_AGAIN": Text(
        "请再次输入新密码。", "Enter the new PIN once more.",
        "请遮挡键盘，输入后按确认键。", "Cover the keypad, then press OK.",
        "请再次输入\n新密码", "The new PIN\nonce more",
    ),
    "NEW_PIN_DIFFERED": Text(
        "两次输入的新密码不一致。", "The two new PINs differ.",
        "请重新输入新密码，4 至 12 位数字。", "Enter the new PIN again, 4 to 12 digits.",
        "两次不一致\n请重输新密码", "PINs differ\nNew PIN again",
    ),
    "NEW_PIN_TOO_EASY": Text(
        "新密码不能是原密码或初始密码。", "The new PIN must not be the present or an initial one.",
        "请输入另一个新密码，4 至 12 位数字。", "Enter another new PIN, 4 to 12 digits.",
        "新密码不可用\n请另设新密码", "Not that PIN\nEnter another",
    ),
    "NEW_PIN_FORCED": Text(
        "密码仍为初始密码，须先修改才能付款。",
        "The PIN is still the initial one: change it to pay.",
        "请输入新密码，4 至 12 位数字。", "Enter a new PIN, 4 to 12 digits.",
        "须改初始密码\n请输入新密码", "Change your PIN\nEnter a new one",
    ),
    "INITIAL_PIN_WARNING": Text(
        "密码仍为初始密码，风险由持卡人承担，请尽快修改。",
        "The PIN is still the initial one, at your own risk. Change it soon.",
        "如仍要付款，请再次输入密码确认。", "To pay all the same, enter the PIN once more.",
        "仍是初始密码\n付款再输一次", "Initial PIN:\nonce more to pay",
    ),
    "REMOVE_PIN": Text(
        "为取消密码，请输入原密码，还可输入 {tries_left} 次。",
        "To remove the PIN, enter it. Tries left: {tries_left}.",
        "请遮挡键盘，输入后按确认键。", "Cover the keypad, then press OK.",
        "取消须验密码\n还可输入{tries_left}次", "PIN, to remove\nTries left: {tries_left}",
    ),
    "PIN_CHANGE_CHECKING": Text(
        "正在核对密码是否已修改。", "Checking whether the PIN was changed.",
        "请插回原来的卡，请勿取走。", "Put the same card back and leave it.",
        "正在核对密码\n请插回原卡", "Checking the PIN\nPut card back",
    ),
    "PIN_CHANGED": Text(
        "密码修改成功。", "The PIN was changed.",
        "请牢记新密码，取回社保卡。", "Keep the new PIN in mind and take your card.",
        "密码已修改\n请取回社保卡", "PIN changed\nTake your card",
    ),
    "PIN_REMOVED": Text(
        "密码已取消。", "The PIN was removed.",
        "请取回社保卡。", "Please take your card.",
        "密码已取消\n请取回社保卡", "PIN removed\nTake your card",
    ),
    "WORKING_LEAVE_CARD": Text(
        "正在处理。", "Working.",
        "请勿取走卡片，请稍候。", "Leave the card where it is.",
        "正在处理\n请勿取走卡片", "Working\nLeave the card",
    ),
    "TAKE_CARD": Text(
        "请取回社保卡。", "Please take your card.",
        "请妥善保管，谢谢。", "Keep it safe. Thank you.",
        "请取回社保卡\n谢谢", "Take your card\nThank you",
    ),
    "CHECKING_LAST_PAYMENT": Text(
        "正在核对上一笔交易。", "Checking the last payment.",
        "请勿取走卡片，请稍候。", "Leave the card where it is.",
        "正在核对上笔\n请勿取走卡片", "Checking payment\nLeave the card",
    ),
    "RECOVERY_PIN": Text(
        "为核对上一笔交易，请持卡人输入密码。", "Enter your PIN to check the last payment.",
        "本次输入不会扣款。", "This takes no money.",
        "核对输入密码\n不会再次扣款", "PIN, to check\nTakes no money",
    ),
    "BALANCE": Text(
        "个人账户余额 {balance} 元。", "Balance of the account: {balance} yuan.",
        "查询完毕，请取回社保卡。", "Done, please take your card.",
        "余额¥{balance}\n请取回社保卡", "Balance {balance}\nTake your card",
    ),
    "PSAM_WARNING": Text(
        "PSAM 卡将在 {days} 天后到期。", "The PSAM expires in {days} days.",
        "请尽早联系后台安排更换。", "Ask the office for a new one soon.",
        "PSAM剩{days}天\n请联系后台", "PSAM: {days} days\nAsk the office",
    ),
    "PIN_UNBLOCKED": Text(
        "密码已解锁，密码不变。", "The PIN is unlocked and is the same as before.",
        "请取回社保卡。", "Please take your card.",
        "密码已解锁\n请取回社保卡", "PIN unlocked\nTake your card",
    ),
    "PIN_RELOADED": Text(
        "密码重置成功，新密码已启用。", "The PIN was reset: the new one holds.",
        "请牢记新密码，取回社保卡。", "Keep the new PIN in mind and take your card.",
        "密码已重置\n请取回社保卡", "PIN was reset\nTake your card",
    ),
    "BLOCK_CHECKING": Text(
        "正在核对卡片是否已锁定。", "Checking whether the card was blocked.",
        "请插回原来的卡，请勿取走。", "Put the same card back and leave it.",
        "正在核对\n请插回原卡", "Checking\nPut card back",
    ),
    "BLOCKED": Text(
        "已永久锁定。", "It is blocked for ever.",
        "请按规定处理此卡。", "Deal with the card as your rules say.",
        "已永久锁定\n请按规定处理", "Blocked\nTake the card",
    ),
    "READY_LIST_AGE": Text(
        "终端就绪，停用名单已有 {hours} 小时。", "Ready. The stop list is {hours} h old.",
        "请从收费系统发起业务。", "Start from the cash register.",
        "终端就绪\n名单{hours}小时", "Ready\nList: {hours} h",
    ),
    "STOP_LIST_WARNING": Text(
        "停用名单过旧，已有 {hours} 小时。", "The stop list is too old: {hours} h.",
        "请后台下发新的停用名单。", "Ask the office for a new one.",
        "名单{hours}小时\n请联系后台", "List: {hours} h\nAsk the office",
    ),
    "UPDATING": Text(
        "正在更新程序，暂不受理业务。", "An update is under way: no service for now.",
        "请稍候，几分钟后恢复。", "Please wait a few minutes.",
        "正在更新\n请稍候", "Updating\nPlease wait",
    ),
    "STOPPED": Text(
        "终端已停止服务。", "The terminal has stopped.",
        "如需使用，请重新启动终端。", "Start it again to use it.",
        "已停止服务\n使用请先启动", "Stopped\nStart it to use",
    ),
    **MENU,
}
# fmt: on

MESSAGES: dict[str, Text] = {**PROGRESS, **PAYMENT, **LOAD, **MENU_OUTCOMES, **OPERATORS, **UNIT}


def message(message_id: str) -> Text:
    """The text of that id; raises KeyError."""
    return MESSAGES[message_id]
