"""DF02, employment and unemployment (V2.0).  Many meanings are not published: only the form is."""

from firmware.card.items import (
    CYCLIC,
    FROM_2,
    ONLY_1,
    Ef,
    Item,
    an,
    application,
    cn,
    group,
    key,
    pin_or,
)

_READ = pin_or("RK1DF02")
_DRIVER = "FIELD, a driver's table of 1.0 cards"


def _schooling(tag: int) -> Item:
    return group(
        tag,
        1,
        "degree",
        "学位",
        an(0x57, 0x03, "degree", "学位"),
        cn(0x58, 0x03, "subject", "专业"),
        an(0x59, 0x28, "school", "毕业院校", "address"),
        versions=ONLY_1,
        source=_DRIVER,
    )


def _skill(tag: int) -> Item:
    return group(
        tag,
        1,
        "skill",
        "职业技能",
        an(0x5A, 0x07),
        an(0x5B, 0x01),
        an(0x5C, 0x09),
        cn(0x5D, 0x04),
        versions=ONLY_1,
        source=_DRIVER,
    )


DF02 = application(
    "DF02",
    0xDF02,
    "D15600000501",
    "就业与失业信息区",
    (
        Ef(
            0x05,
            "skills",
            "职业和专业技能信息文件",
            read=_READ,
            write=key("UK1DF02"),
            items=(
                _schooling(0x40),
                _schooling(0x41),
                cn(0x42, 0x03, versions=ONLY_1, source=_DRIVER),
                _skill(0x43),
                _skill(0x44),
                an(0x42, 0x03, versions=FROM_2),
                an(0x41, 0x03, versions=FROM_2),
                group(
                    0x43,
                    2,
                    "vocational qualification",
                    "职业资格",
                    an(0x5A, 0x07),
                    an(0x5B, 0x01),
                    an(0x5C, 0x46),
                    cn(0x5D, 0x04),
                    an(0x5E, 0x10),
                    versions=FROM_2,
                ),
                group(
                    0x44,
                    2,
                    "professional post",
                    "专业技术职务",
                    an(0x33, 0x03),
                    an(0x34, 0x46),
                    cn(0x35, 0x04),
                    an(0x36, 0x10),
                    versions=FROM_2,
                ),
            ),
        ),
        Ef(
            0x06,
            "employment status",
            "就业状况信息文件",
            read=_READ,
            write=key("UK2DF02"),
            items=(
                cn(0x4C, 0x04, "last employment registration", "最近就业登记日期", "date"),
                cn(0x4B, 0x04, versions=ONLY_1),
                an(0x4B, 0x05, "employment type and form", "就业类型及形式", versions=FROM_2),
                cn(0x4D, 0x04, versions=ONLY_1),
                cn(0x4D, 0x03, versions=FROM_2),
                cn(0x60, 0x04, "last unemployment registration", "最近失业登记日期", "date"),
                cn(0x4F, 0x04, versions=ONLY_1),
                an(0x4F, 0x06, versions=FROM_2),
                cn(0x50, 0x04, versions=ONLY_1),
                cn(0x50, 0x03, versions=FROM_2),
                an(0x3A, 0x07, "occupation", "职业"),
            ),
        ),
        Ef(
            0x07,
            "work history",
            "就业记录信息文件",
            read=_READ,
            write=key("UK3DF02"),
            structure=CYCLIC,
            size=0x55,
            records=4,
            items=(
                an(0, 0x07, "occupation", "职业"),
                cn(0, 0x04, "start", "开始日期", "date"),
                cn(0, 0x04, "end", "终止日期", "date"),
                an(0, 0x46, "employer", "就业单位名称", "address"),
            ),
        ),
        Ef(
            0x08,
            "registration of a worker from elsewhere",
            "外来人员就业登记信息文件",
            read=_READ,
            write=key("UK4DF02"),
            versions=ONLY_1,
            source=_DRIVER,
            items=(
                cn(0x52, 0x0A),
                an(0x53, 0x3E),
                an(0x94, 0x08),
                cn(0x54, 0x04),
            ),
        ),
        Ef(
            0x09,
            "employment certificate",
            "就业失业登记证信息文件",
            read=_READ,
            write=key("UK4DF02"),
            items=(
                cn(0x55, 0x0A, "certificate number", "证件编号", versions=ONLY_1),
                # V2.0 contradicts itself: its annex C says cn 08
                an(0x55, 0x10, "certificate number", "证件编号", versions=FROM_2),
                an(0x56, 0x46, "issuer", "发证机构", "address"),
                an(0x95, 0x08, versions=ONLY_1, source=_DRIVER),
                cn(0x96, 0x04, "issue date", "发证日期", "date"),
                cn(0x97, 0x04, versions=ONLY_1),
                cn(0x97, 0x03, "issuing region", "发证地区划", "region", FROM_2),
            ),
        ),
        Ef(
            0x15,
            "assistance",
            "就业援助对象认定信息文件",
            read=_READ,
            write=key("UK5DF02"),
            items=(
                group(
                    0x99,
                    4,
                    "recognition",
                    "就业援助对象认定",
                    an(0x10, 0x03),
                    cn(0x11, 0x04),
                    cn(0x12, 0x03),
                ),
                cn(0x0F, 0x04),
                cn(0x1F, 0x03),
            ),
        ),
        Ef(
            0x16,
            "policy use",
            "就业扶持政策享受信息文件",
            read=_READ,
            write=key("UK6DF02"),
            structure=CYCLIC,
            size=0x12,
            records=4,
            items=(
                an(0, 0x03, "type", "政策类别"),
                cn(0, 0x04, "approved", "审批日期", "date"),
                cn(0, 0x04, "start", "开始日期", "date"),
                cn(0, 0x04, "end", "终止日期", "date"),
                cn(0, 0x03, "region", "地区区划", "region"),
            ),
        ),
    ),
)
