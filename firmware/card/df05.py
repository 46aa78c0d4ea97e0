"""DF05, health: an optional annex of V2.0, not on every card, and without an AID."""

from firmware.card.items import FREE, FROM_2, Ef, an, application, cn, group, key

# FIELD: one description of the annex; it names the tags from AC to B7, not what each flag says.
_FLAGS = tuple(an(tag, 0x01, kind="code:flag") for tag in (*range(0xAC, 0xB8), 0xBC))

DF05 = application(
    "DF05",
    0xDF05,
    "",
    "生命与健康信息区",
    (
        Ef(
            0x05,
            "health",
            "健康信息文件",
            read=FREE,
            write=key("UK1DF05"),
            source="V2.0 annex",
            items=(
                an(0xA0, 0x01),
                an(0xA1, 0x01),
                an(0xB9, 0x01),
                an(0xA2, 0x04, "blood group", "血型"),
                cn(0xA9, 0x01, "Rh factor", "RH血型", "code:rh"),
                group(
                    0xA3,
                    5,
                    "contraindicated drug",
                    "禁忌药物",
                    an(0xA5, 0x10),
                    an(0xA6, 0x04),
                ),
                group(
                    0xA4,
                    5,
                    "disease",
                    "疾病",
                    an(0xA7, 0x10),
                    an(0xA8, 0x03),
                ),
                an(0xBA, 0x14, "allergy", "过敏物质", "address"),
                an(0xBB, 0x64, "allergic reaction", "过敏反应", "address"),
                an(0xAA, 0x14),
                cn(0xAB, 0x04),
                *_FLAGS,
                an(0xB8, 0x28),
            ),
        ),
    ),
    versions=FROM_2,
)
