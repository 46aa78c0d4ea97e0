"""The outcomes about the PSAM and the unit itself: 301 to 399, 601 to 699."""

from __future__ import annotations

from firmware.display.text import Text

# fmt: off
UNIT = {
    # 3xx: the PSAM
    "PSAM_MISSING": Text(
        "未检测到 PSAM 卡，暂不能收款。", "No PSAM was found: no payments for now.",
        "请技术人员检查 PSAM 卡槽。", "Technician: check the PSAM slot.",
        "未找到PSAM\n请找技术人员", "PSAM missing\nCall technician",
    ),
    "PSAM_SWAPPED": Text(
        "PSAM 卡与登记的不一致，暂不能收款。", "This is not the PSAM of this unit: no payments.",
        "请技术人员核对终端机编号。", "Technician: compare the terminal number.",
        "PSAM不一致\n请找技术人员", "PSAM swapped\nCall technician",
    ),
    "PSAM_OF_OTHER_REGION": Text(
        "PSAM 卡不属于本地区，暂不能收款。", "The PSAM is of another region: no payments.",
        "请技术人员换用本地区的 PSAM 卡。", "Technician: use a PSAM of this region.",
        "PSAM地区不符\n请找技术人员", "PSAM region\nCall technician",
    ),
    "PSAM_OUT_OF_DATE": Text(
        "PSAM 卡不在有效期内，暂不能收款。", "The PSAM is not valid at this date: no payments.",
        "请技术人员换用有效的 PSAM 卡。", "Technician: use a valid PSAM.",
        "PSAM已过期\n请找技术人员", "PSAM expired\nCall technician",
    ),
    "PSAM_REFUSED": Text(
        "PSAM 卡拒绝了命令，未扣款。", "The PSAM refused. Nothing was taken.",
        "请重试一次；仍被拒绝请找技术人员。", "Retry once, then call the technician.",
        "PSAM拒绝命令\n请找技术人员", "PSAM refused\nCall technician",
    ),
    "PSAM_SILENT": Text(
        "PSAM 卡没有应答，未扣款。", "The PSAM does not answer. Nothing was taken.",
        "请重试一次；仍无应答请找技术人员。", "Retry once, then call the technician.",
        "PSAM无应答\n请找技术人员", "PSAM silent\nCall technician",
    ),
    "PSAM_ON_STOP_LIST": Text(
        "本机 PSAM 卡已被停用，不能收款。", "This PSAM is on the stop list: no payments.",
        "请停止使用本机，并立即报告后台。", "Stop using this unit and tell the office.",
        "PSAM已停用\n请联系后台", "PSAM stopped\nAsk the office",
    ),
    "PSAM_KEY_MISSING": Text(
        "PSAM 卡缺少所需的密钥，未扣款。", "The PSAM lacks a needed key. Nothing was taken.",
        "请后台核发含该密钥的 PSAM 卡。", "Office: issue a PSAM with that key.",
        "PSAM缺少密钥\n请联系后台", "PSAM no key\nAsk the office",
    ),
    # 6xx: the unit
    "JOURNAL_DAMAGED": Text(
        "部分交易流水损坏，已隔离并上报。", "Part of the journal is damaged; it was set aside.",
        "请技术人员检查存储卡；仍可继续收款。", "Technician: check the storage. Payments go on.",
        "流水有损坏\n请找技术人员", "Bad journal\nCall technician",
    ),
    "DISK_FULL": Text(
        "存储空间不足，暂不能收款。", "The disk is full: no payments for now.",
        "请技术人员连接后台上传流水，或清理存储。", "Technician: upload the records or free space.",
        "存储空间不足\n请找技术人员", "Disk full\nCall technician",
    ),
    "READER_MISSING": Text(
        "未检测到读卡器，未扣款。", "No card reader was found. Nothing was taken.",
        "请技术人员检查读卡器及连线。", "Technician: check the reader and its cable.",
        "未找到读卡器\n请找技术人员", "No reader\nCall technician",
    ),
    "BOARD_REFUSED": Text(
        "配置文件 board.toml 有误，终端未启动。", "board.toml is refused: the unit did not start.",
        "请技术人员按提示的行号改正后重新启动。", "Technician: correct the line named, restart.",
        "配置文件有误\n请找技术人员", "Bad config\nCall technician",
    ),
    "RECEIPT_REFUSED": Text(
        "后台回执验证未通过，流水仍保留。", "The office's receipt was refused; records are kept.",
        "请后台核对签名密钥后重发回执。", "Office: check the signing key and send it again.",
        "回执验证失败\n请联系后台", "Bad receipt\nAsk the office",
    ),
    "FRAME_DAMAGED": Text(
        "通信数据有误，将自动重传。", "Data was damaged on the line; it is sent again.",
        "如反复出现，请技术人员检查通信线路。", "If it goes on, technician: check the line.",
        "通信数据有误\n请检查线路", "Line noise\nCheck the cable",
    ),
    "NEWER_STOP_LIST_HELD": Text(
        "收到的停用名单较旧，未采用。", "The stop list that came is older: not used.",
        "请后台发送最新的停用名单。", "Office: send the newest stop list.",
        "停用名单较旧\n请联系后台", "Old list\nAsk the office",
    ),
    "OLDER_STOP_LIST_HELD": Text(
        "收到的停用名单增量接不上现有名单，未采用。",
        "Changes to a stop list that is not here: not used.",
        "请后台发送完整的停用名单。", "Office: send the whole list.",
        "名单接不上\n请联系后台", "List gap\nAsk the office",
    ),
    "UNIT_STOPPED": Text(
        "后台已停用本机，不能收款。", "The office has stopped this unit: no payments.",
        "请与后台联系，查询余额等业务不受影响。", "Call the office; enquiries still work.",
        "本机已停用\n请联系后台", "Unit stopped\nCall the office",
    ),
    "TAMPERED": Text(
        "机壳曾被打开，已停止服务。", "The case was opened: nothing is taken.",
        "请技术人员合上机壳、检查后解除。", "Technician: shut and check it, then clear it.",
        "机壳曾被打开\n请找技术人员", "Case opened\nCall technician",
    ),
    "CASE_SWITCH_MISSING": Text(
        "无法读取机壳开关，已停止服务。", "The switch of the case cannot be read.",
        "请技术人员检查引脚与接线。", "Technician: check its pin and wiring.",
        "机壳开关故障\n请找技术人员", "Case switch\nCall technician",
    ),
    "OFFICE_FILE_REFUSED": Text(
        "后台文件验证未通过，未采用。", "A file from the office failed its check: not used.",
        "请后台重新签发该文件。", "Office: sign and send that file again.",
        "文件验证失败\n请联系后台", "Bad file\nAsk the office",
    ),
    "NEWER_OFFICE_FILE_HELD": Text(
        "收到的后台文件较旧，未采用。", "The file that came from the office is older: not used.",
        "请后台发送最新的文件。", "Office: send the newest one.",
        "后台文件较旧\n请联系后台", "Old file\nAsk the office",
    ),
    "DEVICE_KEY_REFUSED": Text(
        "设备密钥无法使用，终端未启动。", "The device key is unusable: the unit did not start.",
        "请技术人员按提示检查密钥文件。", "Technician: check the key file as the log says.",
        "设备密钥有误\n请找技术人员", "Device key\nCall technician",
    ),
    "ALREADY_RUNNING": Text(
        "同一目录已有终端程序在运行。", "A terminal already runs in this folder.",
        "请先停止它，再启动。", "Stop it first, then start again.",
        "终端已在运行\n请先停止它", "Runs already\nStop it first",
    ),
    "UNIT_FAULT": Text(
        "终端内部故障。", "The terminal has a fault.",
        "请先查询该笔结果，勿重复收款，并找技术人员。",
        "Look the payment up before charging again; call the technician.",
        "终端内部故障\n请找技术人员", "Unit fault\nCall technician",
    ),
    "PRINTER_NOT_READY": Text(
        "小票没有打印，交易不受影响。", "The receipt was not printed. Payments are as they were.",
        "请检查打印机和纸张，再补打小票。", "Check the printer and its paper, then print again.",
        "小票没有打印\n请检查纸张", "No receipt\nCheck the paper",
    ),
    "NO_RECEIPT": Text(
        "没有可打印的小票：此订单没有扣款。", "No receipt: nothing was taken for this order.",
        "请核对订单号。", "Compare the order number.",
        "没有小票\n请核对订单号", "No receipt\nCheck the order",
    ),
    "TERMINAL_AWAY": Text(
        "终端暂无应答，本次请求未受理。", "The terminal is away: nothing was asked of it.",
        "请稍候重试；一分钟后仍无应答请找技术人员。",
        "Ask again soon; after a minute, call the technician.",
        "终端暂无应答\n请稍候重试", "No answer yet\nAsk again",
    ),
    "ANSWER_LOST": Text(
        "终端在处理中重启，结果未知。", "The terminal restarted: the result is not known.",
        "请用同一订单号重新查询，不会重复扣款。",
        "Ask again with the same order number: never taken twice.",
        "应答丢失\n请重新查询", "Answer lost\nAsk again",
    ),
    "HOST_NOT_LISTED": Text(
        "主机证书的名称不在名单中，已断开。", "The host's certificate names nobody on the list.",
        "请把该名称加入 board.toml 的 [host.lan] hosts，或换用名单中的证书。",
        "Add its name to [host.lan] hosts in board.toml, or give it a listed one.",
        "主机不在名单中\n请找技术人员", "Host not listed\nCall technician",
    ),
}
# fmt: on
