"""DF03, social insurance 1: pension, unemployment, injury, maternity (V2.0)."""

from firmware.card.items import (
    FROM_2,
    ONLY_1,
    Ef,
    an,
    application,
    cn,
    group,
    key,
    pin_and,
    pin_or,
)

_READ = pin_or("RK1DF03")
_DRIVER = "FIELD, a driver's table of 1.0 cards"
_INJURY = (cn(0x7A, 0x03), cn(0x7B, 0x04), cn(0x7C, 0x04))
_MATERNITY = (cn(0x51, 0x03), an(0x5F, 0x01))
_RULING = (an(0x3B, 0x14), an(0x3C, 0x46), an(0x3D, 0x01), cn(0x3E, 0x04), an(0x3F, 0x3C))
# The draft has EF08-EF0A instead of EF15-EF19; which is which is inferred, the tags tell on a card.
_DRAFT = tuple(
    Ef(
        sfi,
        name,
        label,
        read=_READ,
        write=key(f"UK{number}DF03"),
        items=items,
        instead_of=instead_of,
        source="SPEC-P6",
    )
    for sfi, name, label, number, items, instead_of in (
        (0x08, "work injury insurance", "工伤保险信息文件", 4, _INJURY, 0x15),
        (0x09, "maternity insurance", "生育保险信息文件", 5, _MATERNITY, 0x16),
        (0x0A, "injury ruling", "工伤认定信息文件", 6, _RULING, 0x17),
    )
)

DF03 = application(
    "DF03",
    0xDF03,
    "D15600000502",
    "社会保险信息区1",
    (
        Ef(
            0x05,
            "unemployment insurance",
            "失业保险信息文件",
            read=pin_or("RK2DF03"),
            draft_read=pin_and("RK2DF03"),
            write=key("UK1DF03"),
            items=(
                cn(0x61, 0x04, versions=ONLY_1),
                cn(0x61, 0x03, "region", "参保地区划", "region", FROM_2),
                cn(0x60, 0x04, "last unemployment registration", "最近失业登记日期", "date"),
                cn(0x98, 0x04),
                cn(0x62, 0x04),
                an(0x63, 0x03),
                an(0x64, 0x03),
                an(0x65, 0x03),
                an(0x66, 0x03),
            ),
        ),
        Ef(
            0x06,
            "disability assessment",
            "丧失劳动能力鉴定信息文件",
            read=_READ,
            write=key("UK2DF03"),
            items=(
                an(0x45, 0x14, versions=FROM_2),
                an(0x46, 0x02, versions=FROM_2),
                an(0x47, 0x02, versions=FROM_2),
                an(0x48, 0x01, versions=FROM_2),
                an(0x49, 0x01, versions=FROM_2),
                cn(0x67, 0x04),
                an(0x68, 0x3E, versions=ONLY_1, source=_DRIVER),
                an(0x69, 0x3E, versions=ONLY_1, source=_DRIVER),
                an(0x6A, 0x10, versions=ONLY_1, source=_DRIVER),
                an(0x6B, 0x3C),
                group(
                    0x4A,
                    3,
                    "assessment",
                    "鉴定记录",
                    an(0x13, 0x02),
                    an(0x14, 0x01),
                    an(0x15, 0x14),
                    cn(0x16, 0x04),
                    an(0x17, 0x3C),
                    versions=FROM_2,
                ),
            ),
        ),
        Ef(
            0x07,
            "pension",
            "养老保险信息文件",
            read=_READ,
            draft_read=pin_and("RK1DF03"),
            write=key("UK3DF03"),
            items=(
                an(0x70, 0x03, "insurance type", "险种类型", "code:insurance"),
                cn(0x71, 0x04, versions=ONLY_1),
                cn(0x71, 0x03, "region", "参保地区划", "region", FROM_2),
                cn(0x6D, 0x04, versions=ONLY_1, source=_DRIVER),
                cn(0x6E, 0x04, "account opened", "建立个人账户日期", "date"),
                cn(0x6C, 0x04, "retired", "离退休日期", "date"),
                cn(0x6F, 0x04, "benefit start", "待遇享受开始日期", "date"),
                cn(0x72, 0x04, versions=ONLY_1, source=_DRIVER),
                cn(0x73, 0x04, "updated", "更新日期", "date"),
            ),
        ),
        Ef(
            0x15,
            "work injury insurance",
            "工伤保险信息文件",
            read=_READ,
            write=key("UK4DF03"),
            items=_INJURY,
        ),
        Ef(
            0x16,
            "maternity insurance",
            "生育保险信息文件",
            read=_READ,
            write=key("UK5DF03"),
            items=_MATERNITY,
        ),
        Ef(
            0x17,
            "injury ruling",
            "工伤认定信息文件",
            read=_READ,
            write=key("UK6DF03"),
            items=_RULING,
        ),
        Ef(
            0x18,
            "dependants",
            "供养亲属信息文件",
            read=_READ,
            write=key("UK7DF03"),
            items=(an(0x74, 0x03), cn(0x75, 0x03), cn(0x76, 0x01), cn(0x77, 0x04), cn(0x78, 0x04)),
        ),
        Ef(
            0x19,
            "participation proofs",
            "参保凭证信息文件",
            read=_READ,
            write=key("UK8DF03"),
            items=(
                group(
                    0x79,
                    4,
                    "participation proof",
                    "参保凭证",
                    an(0x18, 0x03, "insurance type", "险种类型", "code:insurance"),
                    cn(0x19, 0x03, "region", "参保地区划", "region"),
                    cn(0x1A, 0x04, "start", "开始日期", "date"),
                    cn(0x1B, 0x04, "end", "终止日期", "date"),
                    cn(0x1C, 0x04, "paid", "缴费金额", "fen"),
                    an(0x1D, 0x03, "months", "缴费月数"),
                    cn(0x1E, 0x04, "issued", "开具日期", "date"),
                ),
            ),
        ),
        *_DRAFT,
    ),
)
