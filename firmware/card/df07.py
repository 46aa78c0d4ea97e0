"""DF07, personnel (V2.0; since 2.0).  The meanings of its items are not published."""

from firmware.card.items import FROM_2, Ef, an, application, cn, key

DF07 = application(
    "DF07",
    0xDF07,
    "D15600000504",
    "人事人才信息区",
    (
        Ef(
            0x05,
            "personnel 1",
            "人事信息文件一",
            read=key("RK1DF07"),
            write=key("UK1DF07"),
            items=(an(0xF0, 0x02), an(0xF1, 0x01), cn(0xF2, 0x04), an(0xF3, 0x03), cn(0xF4, 0x04)),
        ),
        Ef(
            0x06,
            "personnel 2",
            "人事信息文件二",
            read=key("RK2DF07"),
            write=key("UK2DF07"),
            items=(an(0xF5, 0x03), cn(0xF6, 0x04), an(0xF7, 0x46)),
        ),
        Ef(
            0x07,
            "personnel 3",
            "人事信息文件三",
            read=key("RK3DF07"),
            write=key("UK3DF07"),
            items=(cn(0xF8, 0x04), an(0xF9, 0x01)),
        ),
    ),
    versions=FROM_2,
)
