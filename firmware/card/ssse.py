"""The social security environment itself: issuer data, holder, fingerprint, photo (V2.0)."""

from firmware.card.items import FREE, FROM_2, TRANSPARENT, Ef, an, application, cn, key

SSSE_NAME = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")  # "sx1.sh.社会保障" in GBK

SSSE = application(
    "SSSE",
    0,
    "",
    "社会保障环境",
    (
        Ef(
            0x05,
            "issuer data",
            "发卡机构数据文件",
            read=FREE,
            write=key("UKSSSE"),
            items=(
                # region 3, D156000005, serial 4, authentication code 4: no BCD, whatever V2.0 says
                cn(0x01, 0x10, "card identification code", "卡识别码", "hex"),
                an(0x02, 0x01, "card class", "卡的类别", "code:card_class"),
                an(0x03, 0x04, "specification version", "规范版本"),
                cn(0x04, 0x0C, "initialising organisation", "初始化机构编号"),
                # FIELD: a 2.0 card stores four ASCII digits of the year in 05 and 06
                cn(0x05, 0x04, "issue date", "发卡日期", "date"),
                cn(0x06, 0x04, "expiry", "卡有效期", "date"),
                an(0x07, 0x09, "card number", "卡号"),
            ),
        ),
        Ef(
            0x06,
            "holder",
            "持卡人基本信息文件",
            read=FREE,
            read_in=(("3.0", key("RKSSSE")),),  # FIELD: free before 3.0, locked on 3.0
            write=key("UKSSSE"),
            items=(
                an(0x08, 0x12, "social security number", "社会保障号码"),
                an(0x09, 0x1E, "name", "姓名", "name"),
                an(0x4E, 0x14, "name extension", "姓名扩展", "name", FROM_2),
                an(0x0A, 0x01, "sex", "性别", "code:sex"),
                cn(0x0B, 0x01, "nation", "民族", "code:nation"),
                cn(0x0C, 0x03, "birthplace", "出生地", "region"),
                cn(0x0D, 0x04, "birth date", "出生日期", "date"),
            ),
        ),
        Ef(
            0x07,
            "fingerprint",
            "指纹数据文件",
            read=key("RKSSSE"),
            write=key("UKSSSE"),
            structure=TRANSPARENT,
            size=0x300,  # FIELD: one driver reads 400 hex on 2.0 cards
        ),
        Ef(
            0x08,
            "photo",
            "照片文件",
            read=key("RKSSSE"),
            write=key("UKSSSE"),
            structure=TRANSPARENT,
            size=0x1000,
            versions=FROM_2,
        ),
    ),
)
