"""DF06, relief: an optional annex of V2.0.  The tags are known, their forms and lengths are not.

EF05 holds C0, C2 and the groups C3-C5 (parts E3-E7), EF06 the tags C6-E2.  A card tells the lengths
itself; values are shown as bytes until somebody publishes more.  No row is invented here, and no
write key: none is published.
"""

from firmware.card.items import FROM_2, NEVER, Ef, application, key

_SOURCE = "V2.0 annex, tags only"

EF05_TAGS = (0xC0, 0xC2, 0xC3, 0xC4, 0xC5)
EF06_TAGS = tuple(range(0xC6, 0xE3))
PART_TAGS = tuple(range(0xE3, 0xE8))

DF06 = application(
    "DF06",
    0xDF06,
    "",
    "救助与优抚信息区",
    (
        Ef(
            0x05,
            "relief",
            "救助信息文件",
            read=key("RK1DF06"),
            write=NEVER,
            source=_SOURCE,
        ),
        Ef(
            0x06,
            "special care",
            "优抚信息文件",
            read=key("RK1DF06"),
            write=NEVER,
            source=_SOURCE,
        ),
    ),
    versions=FROM_2,
)
