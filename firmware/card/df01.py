"""DF01, common data: household, residence, employer, education (V2.0)."""

from firmware.card.items import (
    FREE,
    FROM_2,
    ONLY_1,
    TRANSPARENT,
    Ef,
    an,
    application,
    cn,
    group,
    key,
    pin_or,
)

_READ = pin_or("RK1DF01")
_DRIVER = "FIELD, a driver's table of 1.0 cards"
_RESERVED = tuple(
    Ef(
        0x16 + at,
        f"reserved {at + 1}",
        f"预留文件{at + 1}",
        read=FREE,
        write=key(f"UK{number}DF01"),
        structure=TRANSPARENT,
        size=0x128,
    )
    for at, number in enumerate("789AB")
)

DF01 = application(
    "DF01",
    0xDF01,
    "D15600000500",
    "公共应用信息区",
    (
        Ef(
            0x05,
            "household",
            "户籍信息文件",
            read=_READ,
            draft_read=key("PIN"),
            write=key("UK1DF01"),
            items=(
                an(0x20, 0x01, "household type", "户口类别", versions=ONLY_1),
                an(0x20, 0x02, "household type", "户口类别", versions=FROM_2),
                an(0x21, 0x50, "registered address", "户口所在地地址", "address"),
                an(0x22, 0x12, versions=ONLY_1, source=_DRIVER),
                cn(0x0E, 0x03, "registered region", "户口所在地区划", "region", FROM_2),
            ),
        ),
        Ef(
            0x06,
            "residence",
            "常住地信息文件",
            read=_READ,
            write=key("UK4DF01"),
            items=(
                an(0x23, 0x50, "residence address", "常住所在地地址", "address", FROM_2),
                an(0x25, 0x3E, versions=ONLY_1, source=_DRIVER),
                an(0x26, 0x12, versions=ONLY_1, source=_DRIVER),
                cn(0x27, 0x03, versions=ONLY_1, source=_DRIVER),
                cn(0x24, 0x03, "residence region", "常住所在地区划", "region", FROM_2),
                an(0x28, 0x0F, "phone", "联系电话"),
                an(0x2C, 0x32, "contact name", "联系人姓名", "name", FROM_2),
                an(0x2D, 0x0F, "contact phone", "联系人电话", versions=FROM_2),
            ),
        ),
        Ef(
            0x07,
            "personal status",
            "个人状况信息文件",
            read=_READ,
            write=key("UK2DF01"),
            items=(an(0x29, 0x01, "employment or retirement state", "就业或离退休状态"),),
        ),
        Ef(
            0x08,
            "marital status",
            "婚姻状况信息文件",
            read=_READ,
            write=key("UK3DF01"),
            items=(an(0x2B, 0x01, "marital status", "婚姻状况"),),
        ),
        Ef(
            0x09,
            "identity and employer",
            "人员身份及就业单位信息文件",
            read=_READ,
            write=key("UK2DF01"),
            items=(
                an(0x2E, 0x46, "employer", "就业单位名称", "address"),
                an(0x2F, 0x08, versions=ONLY_1, source=_DRIVER),
                an(0x30, 0x09, "organisation code", "组织机构代码"),
                an(0x31, 0x01, versions=ONLY_1, source=_DRIVER),
                an(0x32, 0x03, "identity class", "人员身份类别", versions=ONLY_1),
                an(0x32, 0x02, "identity class", "人员身份类别", versions=FROM_2),
            ),
        ),
        Ef(
            0x0A,
            "nationality and politics; wages on 1.0",
            "国籍及政治面貌信息文件",
            read=_READ,
            write=key("UK5DF01"),
            items=(
                cn(0x37, 0x04, "wage figure 1", "工资额一", versions=ONLY_1),
                cn(0x38, 0x04, "wage figure 2", "工资额二", versions=ONLY_1),
                an(0x37, 0x03, "nationality", "国籍", versions=FROM_2),
                an(0x38, 0x02, "political status", "政治面貌", versions=FROM_2),
                cn(0x39, 0x04, "join date", "参加日期", "date"),
            ),
        ),
        Ef(
            0x15,
            "education",
            "学历信息文件",
            read=_READ,
            write=key("UK6DF01"),
            items=(
                cn(0x2A, 0x01, "education", "学历"),
                group(
                    0x40,
                    3,
                    "degree",
                    "学位",
                    an(0x57, 0x03, "degree", "学位"),
                    cn(0x58, 0x03, "subject", "专业"),
                    an(0x59, 0x28, "school", "毕业院校", "address"),
                ),
            ),
        ),
        *_RESERVED,
    ),
)
