"""The outcomes a payment ends with for clerk and holder: 1 to 299, 401 to 599."""

from __future__ import annotations

from firmware.display.text import Text

# fmt: off
PAYMENT = {
    # 1-9: the payment was taken
    "APPROVED": Text(
        "收款成功：{amount} 元。", "Payment taken: {amount} yuan.",
        "请取回社保卡。", "Please take your card.",
        "已付¥{amount}\n请取回社保卡", "Paid {amount}\nTake your card",
    ),
    "APPROVED_FOUND_LATER": Text(
        "经核对，订单 {order_no} 的 {amount} 元已扣款成功。",
        "Checked: the {amount} yuan of order {order_no} were taken.",
        "请勿再次收款，请取回社保卡。", "Do not charge again. Take the card.",
        "已付¥{amount}\n请勿再次收款", "Paid {amount}\nDon't pay again",
    ),
    "APPROVED_UNCHECKED": Text(
        "已扣款 {amount} 元，后台稍后复核。", "{amount} yuan were taken; the office will check.",
        "收款有效，请勿再次收款，请取回社保卡。", "Valid: do not charge again. Take the card.",
        "已付¥{amount}\n请勿再次收款", "Paid {amount}\nDon't pay again",
    ),
    "SERVED": Text(
        "业务办理成功。", "The service was done.",
        "请取回社保卡。", "Please take your card.",
        "办理成功\n请取回社保卡", "Done\nTake your card",
    ),
    # 1xx: the card
    "NO_CARD": Text(
        "未检测到卡片，未扣款。", "No card was found. Nothing was taken.",
        "请插入或贴近社保卡后重试。", "Insert or tap the card, then retry.",
        "未检测到卡\n请插卡后重试", "No card\nInsert and retry",
    ),
    "TWO_CARDS": Text(
        "检测到两张卡，未扣款。", "Two cards were found. Nothing was taken.",
        "请只保留一张卡后重试。", "Leave one card only, then retry.",
        "检测到两张卡\n请只保留一张", "Two cards\nLeave only one",
    ),
    "CARD_REMOVED": Text(
        "卡片过早取走，未扣款。", "The card left too early. Nothing was taken.",
        "请重新插卡，操作完成前请勿取走。", "Start again; leave the card to the end.",
        "卡片过早取走\n请重新插卡", "Card left\nInsert it again",
    ),
    "CARD_UNREADABLE": Text(
        "卡片无法读取，未扣款。", "The card cannot be read. Nothing was taken.",
        "请擦净芯片、确认插卡方向后重新插卡。", "Clean the chip, check its side, insert it again.",
        "无法读卡\n请擦净后重插", "Unreadable\nClean and retry",
    ),
    "CARD_SILENT": Text(
        "卡片没有应答，未扣款。", "The card does not answer. Nothing was taken.",
        "请重新插卡；仍无应答请换其他方式付款。", "Insert it again, or pay another way.",
        "卡片无应答\n请重新插卡", "No answer\nInsert it again",
    ),
    "NOT_A_SOCIAL_SECURITY_CARD": Text(
        "这不是社会保障卡。", "This is not a social security card.",
        "请改插社会保障卡。", "Insert the social security card.",
        "不是社保卡\n请改插社保卡", "Wrong card\nUse the SSC card",
    ),
    "CARD_NOT_GENUINE": Text(
        "卡片真伪验证未通过，未扣款。", "The card failed the genuineness check. Nothing was taken.",
        "请勿受理此卡，请持卡人到社保经办机构核实。",
        "Do not accept it. The holder asks the social security office.",
        "验证未通过\n请勿受理此卡", "Not genuine\nDo not accept it",
    ),
    "CARD_ON_STOP_LIST": Text(
        "此卡已停用，未扣款。", "This card is on the stop list. Nothing was taken.",
        "请勿受理，请持卡人联系社保经办机构。",
        "Do not accept it. The holder asks the social security office.",
        "此卡已停用\n请勿受理此卡", "Stopped card\nDo not accept it",
    ),
    "CARD_OUT_OF_DATE": Text(
        "卡片不在有效期内，未扣款。", "The card is not valid at this date. Nothing was taken.",
        "请到社保经办机构换卡。", "Renew it at the social security office.",
        "不在有效期\n请到社保换卡", "Out of date\nRenew the card",
    ),
    "CARD_BLOCKED": Text(
        "卡片已锁定，未扣款。", "The card is blocked. Nothing was taken.",
        "请携带身份证到社保经办机构办理解锁。", "See the social security office, with your ID.",
        "卡片已锁定\n请到社保解锁", "Card blocked\nSee SSC office",
    ),
    "APPLICATION_LOCKED": Text(
        "卡内社保应用已锁定，未扣款。", "The card's application is locked. Nothing was taken.",
        "请携带身份证到社保经办机构办理解锁。", "See the social security office, with your ID.",
        "应用已锁定\n请到社保解锁", "App locked\nSee SSC office",
    ),
    "ANOTHER_CARD": Text(
        "这不是刚才的那张卡。", "This is not the card from before.",
        "请插回原来的卡。", "Put the first card back.",
        "不是同一张卡\n请插回原卡", "Another card\nUse the first",
    ),
    "CARD_ONLINE_ONLY": Text(
        "此卡只能联机使用，未扣款。", "This card works online only. Nothing was taken.",
        "请到联机窗口，或换其他方式付款。", "Use an online counter, or pay another way.",
        "仅限联机使用\n请到联机窗口", "Online only\nUse other desk",
    ),
    "OFFLINE_NOT_PERMITTED": Text(
        "此卡未开通脱机消费，未扣款。", "This card may not pay offline. Nothing was taken.",
        "请到联机窗口，或换其他方式付款。", "Use an online counter, or pay another way.",
        "未开通脱机\n请到联机窗口", "Not offline\nUse other desk",
    ),
    "OFFLINE_CEILING_REACHED": Text(
        "此卡已达脱机消费上限，未扣款。", "The card is at its offline ceiling. Nothing was taken.",
        "请先联机办理一次，或换其他方式付款。", "Pay online once, or pay another way.",
        "已达脱机上限\n请到联机窗口", "Offline max\nUse other desk",
    ),
    "INSUFFICIENT_FUNDS": Text(
        "账户余额不足（{balance} 元），未扣款。",
        "Not enough in the account ({balance} yuan). Nothing was taken.",
        "请减少账户支付金额，或换其他方式付款。", "Take less from the account, or pay another way.",
        "余额不足\n请换方式付款", "Low balance\nPay another way",
    ),
    "CARD_REFUSED": Text(
        "卡片拒绝了本次交易，未扣款。", "The card refused. Nothing was taken.",
        "请重新插卡再试；仍被拒绝请换其他方式付款。", "Insert it again, or pay another way.",
        "卡片拒绝交易\n请重新插卡", "Card refused\nInsert it again",
    ),
    "CARD_OF_OTHER_REGION": Text(
        "本机不受理该地区的卡，未扣款。",
        "Cards of that region cannot pay here. Nothing was taken.",
        "请换其他方式付款。", "Pay another way.",
        "外地卡不受理\n请换方式付款", "Other region\nPay another way",
    ),
    "REMOVE_CARD": Text(
        "请取走卡片。", "Please remove the card.",
        "取走后再办理下一笔。", "Remove it before the next one starts.",
        "请取走卡片\n再办理下一笔", "Remove card\nThen go on",
    ),
    "CARD_REFUSED_TERMINAL": Text(
        "卡片不认可本终端，未扣款。", "The card rejects this terminal. Nothing was taken.",
        "请技术人员检查 PSAM 卡的密钥与地区。", "Technician: check the PSAM's keys and region.",
        "卡不认可终端\n请找技术人员", "Not trusted\nCall technician",
    ),
    # 2xx: the PIN
    "PIN_WRONG": Text(
        "密码错误，还可输入 {tries_left} 次，未扣款。",
        "Wrong PIN, tries left: {tries_left}. Nothing was taken.",
        "请核对密码后重新办理。", "Recall the PIN, then start again.",
        "密码错误\n还可输入{tries_left}次", "Wrong PIN\nTries left: {tries_left}",
    ),
    "PIN_LOCKED": Text(
        "密码已锁定，未扣款。", "The PIN is locked. Nothing was taken.",
        "请携带身份证到社保经办机构重置密码。", "See the social security office, with your ID.",
        "密码已锁定\n请到社保重置", "PIN locked\nSee SSC office",
    ),
    "PIN_NOT_SET": Text(
        "此卡尚未设置密码，未扣款。", "This card has no PIN yet. Nothing was taken.",
        "请先到社保经办机构设置密码。", "Set one at the social security office.",
        "未设置密码\n请到社保设置", "No PIN set\nSee SSC office",
    ),
    "PIN_NOT_ENTERED": Text(
        "未按时输入密码，未扣款。", "No PIN came in time. Nothing was taken.",
        "请重新办理。", "Start again.",
        "未输入密码\n请重新办理", "No PIN given\nStart again",
    ),
    "PIN_CANCELLED": Text(
        "持卡人取消了密码输入，未扣款。", "The holder cancelled. Nothing was taken.",
        "如需付款，请重新办理。", "To pay, start again.",
        "已取消输入\n请重新办理", "Cancelled\nStart again",
    ),
    "PIN_PAD_MISSING": Text(
        "未连接密码键盘，未扣款。", "The PIN pad is missing. Nothing was taken.",
        "请技术人员检查密码键盘及连线。", "Technician: check the PIN pad and its cable.",
        "无密码键盘\n请找技术人员", "No PIN pad\nCall technician",
    ),
    "PIN_PAD_REFUSED": Text(
        "密码键盘未通过验证，未扣款。", "The PIN pad failed its check. Nothing was taken.",
        "请技术人员核对密码键盘及其密钥。", "Technician: check the PIN pad and its key.",
        "密码键盘不符\n请找技术人员", "Bad PIN pad\nCall technician",
    ),
    "PIN_IS_INITIAL": Text(
        "密码仍为初始密码，未扣款。", "The PIN is still the initial one. Nothing was taken.",
        "请先修改密码，再办理付款。", "Change the PIN first, then start again.",
        "仍是初始密码\n请先修改密码", "Initial PIN\nChange it first",
    ),
    "PIN_NOT_CHANGED": Text(
        "密码没有修改，未扣款。", "The PIN was not changed. Nothing was taken.",
        "请继续使用原来的密码；要修改请再办理一次。",
        "Use the PIN as it was; start again to change it.",
        "密码没有修改\n请用原密码", "Not changed\nUse the old PIN",
    ),
    "PIN_CHANGE_UNCERTAIN": Text(
        "密码是否已修改不能确定，还可输入 {tries_left} 次，未扣款。",
        "Whether the PIN was changed is not known, tries left: {tries_left}. Nothing was taken.",
        "下次请先试新密码；若不对，再试原密码。",
        "Next time try the new PIN first, then the old one.",
        "密码修改待定\n请先试新密码", "PIN unsure\nTry the new one",
    ),
    "PIN_REMOVAL_NOT_ALLOWED": Text(
        "本机不可取消密码，未扣款。", "This unit does not remove PINs. Nothing was taken.",
        "请到社保经办机构办理。", "See the social security office.",
        "不可取消密码\n请到社保办理", "Not removed\nSee SSC office",
    ),
    # 4xx: the rules
    "OVER_TRANSACTION_LIMIT": Text(
        "金额 {amount} 元超过单笔限额，未扣款。",
        "{amount} yuan is over the limit of one payment. Nothing was taken.",
        "请减少金额，或换其他方式付款。", "Charge less, or pay another way.",
        "超过单笔限额\n请减少金额", "Over limit\nCharge less",
    ),
    "OVER_DAY_LIMIT": Text(
        "本终端已达当日限额，未扣款。", "This terminal reached its day limit. Nothing was taken.",
        "请换一台终端，或联系后台调整限额。", "Use another terminal, or ask the office.",
        "达到当日限额\n请联系后台", "Day limit\nAsk the office",
    ),
    "OVER_CARD_LIMIT": Text(
        "此卡已达当日限额，未扣款。", "The card reached its day limit. Nothing was taken.",
        "请换其他方式付款。", "Pay another way.",
        "卡达当日限额\n请换方式付款", "Card limit\nPay another way",
    ),
    "CLOCK_NOT_TRUSTED": Text(
        "终端时间未校准，暂不能收款。", "The time is not trusted: no payments for now.",
        "请技术人员连接后台对时，或检查时钟。", "Technician: connect the office or check the RTC.",
        "时间未校准\n请找技术人员", "Time not set\nCall technician",
    ),
    "CLOCK_JUMPED_BACK": Text(
        "终端时间早于上一笔流水，暂不能收款。", "The clock is behind the last record: no payments.",
        "请技术人员校准终端时间。", "Technician: set the clock.",
        "终端时间倒退\n请找技术人员", "Clock behind\nCall technician",
    ),
    "STOP_LIST_REFUSED": Text(
        "停用名单验证未通过，未采用。", "The stop list failed its check and is not used.",
        "请后台重新签发停用名单。", "Office: sign and send the stop list again.",
        "名单验证失败\n请联系后台", "Bad list\nAsk the office",
    ),
    "STOP_LIST_AGED": Text(
        "停用名单过旧，金额超出限额，未扣款。",
        "Too much for so old a stop list. Nothing was taken.",
        "请减小金额，或联系后台。", "Take less, or ask the office.",
        "停用名单过旧\n请联系后台", "List too old\nAsk the office",
    ),
    "CANCELLED": Text(
        "已取消，未扣款。", "Cancelled. Nothing was taken.",
        "请取回社保卡。", "Please take your card.",
        "已取消未扣款\n请取回社保卡", "Cancelled\nTake your card",
    ),
    "AMOUNTS_REFUSED": Text(
        "金额有误，未扣款。", "The amounts are not valid. Nothing was taken.",
        "请核对三项金额后重新发起收款。", "Check the three amounts and charge again.",
        "金额有误\n请核对后重试", "Bad amounts\nCheck and retry",
    ),
    "BUSY": Text(
        "终端正在办理另一笔业务。", "The terminal is busy with another request.",
        "请等它结束后重试。", "Retry when it has ended.",
        "终端正忙\n请稍后重试", "Busy\nRetry later",
    ),
    "ORDER_MISMATCH": Text(
        "订单 {order_no} 已用于其他金额，本次未扣款。",
        "Order {order_no} was used with other amounts. Nothing was taken now.",
        "请核对订单；新的收款请用新的订单号。", "Check the order; a new charge needs a new number.",
        "订单号已用过\n请用新订单号", "Order reused\nUse a new number",
    ),
    "ORDER_SETTLED": Text(
        "订单 {order_no} 很早以前已扣款，本机不再存有其记录，本次未扣款。",
        "Order {order_no} was paid long ago; this unit no longer holds it. Nothing was taken now.",
        "请勿再次收款；新的收款请用新的订单号。",
        "Do not charge again; a new charge needs a new number.",
        "此订单已扣款\n请勿再次收款", "Order paid\nUse a new number",
    ),
    # 5xx: a payment whose end was not seen
    "NOT_TAKEN": Text(
        "经核对，订单 {order_no} 未扣款。", "Checked: order {order_no} was not taken.",
        "如需付款，请重新发起收款。", "Charge again if it is due.",
        "核对后未扣款\n可以重新收款", "Not taken\nCharge again",
    ),
    "PAYMENT_UNCERTAIN": Text(
        "订单 {order_no} 是否扣款尚不能确定。", "Whether order {order_no} was taken is not known.",
        "请勿再次收款，留存订单号，后台将核查。", "Do not charge again. The office will find out.",
        "是否扣款待查\n请勿再次收款", "Uncertain\nDon't pay again",
    ),
    "PAYMENT_SUSPECT": Text(
        "订单 {order_no} 的扣款凭证未通过验证。", "The proof of order {order_no} failed its check.",
        "请暂缓交付，留存订单号，等候后台裁定。", "Hold the goods; wait for the office's ruling.",
        "凭证验证失败\n等候后台裁定", "Bad proof\nAsk the office",
    ),
    "PUT_CARD_BACK": Text(
        "交易未完成，卡片已被取走。", "The card left before the payment ended.",
        "请立即插回原卡核对；请勿再次收款。", "Put the same card back. Don't charge again.",
        "交易未完成\n请插回原卡", "Not finished\nPut card back",
    ),
    "EARLIER_PAYMENT_OPEN": Text(
        "此卡上一笔交易尚未核对，本单未扣款。",
        "An earlier payment of this card is open. Nothing was taken.",
        "请重新插卡核对上一笔，再为本单收款。",
        "Put the card in again to settle it, then charge again.",
        "上笔未核对\n请重新插卡", "Earlier open\nCard in again",
    ),
    # service acts
    "VALUES_REFUSED": Text(
        "业务数据有误，卡内数据未改。", "The values are not valid. The card was not changed.",
        "请核对所填数据后重新办理。", "Check the values, then start again.",
        "业务数据有误\n请核对后重办", "Bad values\nCheck and retry",
    ),
    "UPDATE_OPEN": Text(
        "写卡未完成，卡内可能仍是旧数据。", "Writing did not end: the card may hold old values.",
        "请插回原来的卡，再办一次本业务。", "Put the same card back and start it again.",
        "写卡未完成\n请插回原卡", "Not written\nPut card back",
    ),
}
# fmt: on
