"""Code tables: what a code in an item says, in Chinese and English.

Only codes whose source is certain stand here; any other code is shown as it is.  Occupations
(GB/T 6565) stay codes.
"""

from __future__ import annotations

_NATIONS = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 "
    "高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 "
    "普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 "
    "珞巴 基诺"
)

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    # GB/T 2261.1; V2.0
    "sex": {"1": ("男", "male"), "2": ("女", "female"), "9": ("未说明", "unstated")},
    # GB/T 3304: 01 to 56; an English name would say no more than the Chinese one
    "nation": {f"{at:02d}": (name + "族", name) for at, name in enumerate(_NATIONS.split(), 1)},
    # V2.0, EF05 tag 02
    "card_class": {
        "1": ("学龄前儿童卡", "preschool"),
        "2": ("学生卡", "student"),
        "3": ("成人卡", "adult"),
        "4": ("老年人卡", "elderly"),
    },
    # V2.0, DF03 EF07 tag 70 and DF04 EF05 tag 81
    "insurance": {
        "110": ("城镇企业职工基本养老保险", "urban employee pension"),
        "120": ("机关事业单位养老保险", "civil service pension"),
        "150": ("农村社会养老保险", "rural pension"),
        "160": ("城镇居民社会养老保险", "urban resident pension"),
        "170": ("城乡居民社会养老保险", "resident pension"),
        "210": ("失业保险", "unemployment"),
        "310": ("城镇职工基本医疗保险", "employee medical"),
        "340": ("离休人员医疗保障", "retired cadre medical"),
        "380": ("新型农村合作医疗", "rural cooperative medical"),
        "390": ("城乡居民基本医疗保险", "resident medical"),
        "391": ("城镇居民基本医疗保险", "resident medical"),
        "410": ("工伤保险", "work injury"),
        "510": ("生育保险", "maternity"),
    },
    # V2.0, DF04 EF05 tag 8C
    "person_class": {
        "11": ("在职", "working"),
        "21": ("退休", "retired"),
        "22": ("退休异地安置", "retired elsewhere"),
        "31": ("离休", "retired cadre"),
        "32": ("老红军", "Red Army veteran"),
        "33": ("革命伤残军人", "disabled soldier"),
        "34": ("医疗照顾人员", "medical-care staff"),
        "91": ("其他人员", "other"),
    },
    # V2.0, DF04 EF05 tag 8F
    "card_use": {"1": ("联机", "online"), "2": ("脱机", "offline")},
    "no_yes": {"0": ("否", "no"), "1": ("是", "yes")},
    # V2.0 annex, DF05
    "flag": {"0": ("否", "no"), "1": ("是", "yes"), "2": ("不详", "unknown")},
    "rh": {"01": ("阴性", "negative"), "02": ("阳性", "positive"), "03": ("不详", "unknown")},
    # SPEC-P7, DF04 EF08
    "transaction": {"1": ("圈存", "load"), "2": ("结算", "settlement")},
    # V2.0, DF04 EF15
    "special": {
        "1": ("工伤", "work injury"),
        "2": ("生育", "maternity"),
        "3": ("救助", "relief"),
        "9": ("其他", "other"),
    },
}

MEDICAL_FLAGS = (
    ("异地就医", "treatment elsewhere approved"),
    ("门诊统筹", "out-patient pooling"),
    ("大病慢病", "serious or chronic disease"),
    ("医疗救助", "medical relief"),
    ("优抚补助", "special-care subsidy"),
)
"""DF04 EF05 tag 81: what characters 4 to 8 say when they are 1 (V2.0)."""


def meaning(kind: str, value: object) -> tuple[str, str] | None:
    """(Chinese, English) of a decoded value of that kind; None when there is nothing to add."""
    if not isinstance(value, str):
        return None
    if kind.startswith("code:"):
        return TABLES[kind.removeprefix("code:")].get(value)
    if kind == "medical":
        return _medical(value)
    return None


def _medical(value: str) -> tuple[str, str] | None:
    """Tag 81, eight characters: the insurance type, then five flags."""
    insurance = TABLES["insurance"].get(value[:3])
    if insurance is None:
        return None
    flags = [each for each, mark in zip(MEDICAL_FLAGS, value[3:8], strict=False) if mark == "1"]
    shown = (insurance, *flags)
    return "、".join(zh for zh, _ in shown), ", ".join(en for _, en in shown)
