"""DF04, social insurance 2: medical insurance, the transaction application (V2.0, SPEC-P7).

Balances and counters lie in files that only the card itself reads: GET BALANCE tells them.
"""

from firmware.card.items import (
    CYCLIC,
    FROM_2,
    NEVER,
    ONLY_1,
    Ef,
    an,
    application,
    binary,
    cn,
    key,
    pin_and,
    pin_or,
)

_DRIVER = "FIELD, a driver's table of 1.0 cards"

DF04 = application(
    "DF04",
    0xDF04,
    "D15600000503",
    "社会保险信息区2",
    (
        Ef(
            0x05,
            "medical insurance",
            "医疗保险基本信息文件",
            read=pin_or("RK1DF04"),
            draft_read=key("PIN"),
            write=key("UK1DF04"),
            items=(
                an(0x81, 0x46, "institution 1", "定点医疗机构名称一", "address", ONLY_1),
                an(0x84, 0x46, "institution 2", "定点医疗机构名称二", "address", ONLY_1),
                an(0x87, 0x46, "institution 3", "定点医疗机构名称三", "address", ONLY_1),
                an(0x82, 0x08, versions=ONLY_1, source=_DRIVER),
                an(0x85, 0x08, versions=ONLY_1, source=_DRIVER),
                an(0x88, 0x08, versions=ONLY_1, source=_DRIVER),
                an(0x81, 0x08, "type and flags", "医疗保险类型", "medical", FROM_2),
                cn(0x84, 0x03, "region", "参保地区划", "region", FROM_2),
                an(0x87, 0x11, "health file number", "健康档案编号", versions=FROM_2),
                cn(0x8C, 0x01, "person class", "医疗人员类别", "code:person_class"),
                cn(0x80, 0x04, "account opened", "建立个人账户日期", "date"),
                an(0x8B, 0x0A, "personal account number", "个人账户账号", versions=ONLY_1),
                an(0x8B, 0x1D, "personal account number", "个人账户账号", versions=FROM_2),
                an(0x8A, 0x0F, "medical certificate number", "医疗证号"),
                an(0x83, 0x09, "designated institution 1", "定点医疗机构一"),
                an(0x86, 0x09, "designated institution 2", "定点医疗机构二"),
                an(0x89, 0x09, "designated institution 3", "定点医疗机构三"),
                an(0x7D, 0x09, "injury institution 1", "工伤医疗机构一", versions=FROM_2),
                an(0x7E, 0x09, "injury institution 2", "工伤医疗机构二", versions=FROM_2),
                an(0x7F, 0x09, "injury institution 3", "工伤医疗机构三", versions=FROM_2),
                an(0x8D, 0x09, "maternity institution 1", "生育医疗机构一", versions=FROM_2),
                an(0x8E, 0x09, "maternity institution 2", "生育医疗机构二", versions=FROM_2),
                an(0x8F, 0x01, "card-use mode", "用卡方式", "code:card_use"),
            ),
        ),
        Ef(
            0x06,
            "temporary-offline settlement; account figures on 1.0",
            "临时脱网结算信息文件",
            read=pin_and("RK1DF04"),
            read_in=(("1.0", pin_or("RK1DF04")),),
            write=key("UK2DF04"),
            items=(
                cn(0x90, 0x04, "account balance", "个人账户余额", "fen", ONLY_1),
                cn(0x92, 0x04, "yearly total 1", "年度累计额一", "fen", ONLY_1),
                cn(0x93, 0x04, "yearly total 2", "年度累计额二", "fen", ONLY_1),
                an(0x90, 0x01, "offline permitted", "允许脱网结算", "code:no_yes", FROM_2),
                cn(0x92, 0x04, "offline cumulative amount", "脱网累计金额", "fen", FROM_2),
                an(0x93, 0x02, "offline cumulative count", "脱网累计次数", versions=FROM_2),
            ),
        ),
        Ef(
            0x08,
            "transaction log",
            "交易明细文件",
            read=key("PIN"),
            write=NEVER,
            structure=CYCLIC,
            size=0x1C,
            other_sizes=(0x14,),  # account-only mode: the last two amounts are absent
            records=30,
            items=(
                binary(2, "serial", "交易序号"),
                an(0, 0x01, "type", "交易类型", "code:transaction"),
                cn(0, 0x06, "terminal", "终端机编号"),
                cn(0, 0x07, "time", "交易时间", "time"),
                binary(4, "account", "个人账户金额", "fen"),
                binary(4, "self", "个人自付金额", "fen"),
                binary(4, "pooled", "统筹基金金额", "fen"),
            ),
        ),
        Ef(
            0x15,
            "special settlements",
            "特殊结算信息文件",
            read=pin_or("RK1DF04"),
            write=key("UK2DF04"),
            structure=CYCLIC,
            size=3,
            records=8,
            versions=FROM_2,
            items=(
                binary(2, "serial", "交易序号"),
                an(0, 0x01, "class", "结算类别", "code:special"),
            ),
        ),
    ),
)
