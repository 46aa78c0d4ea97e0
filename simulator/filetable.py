"""Every file of the card, row by row (V2.0; what the draft SPEC-P6 and version 1.0 had otherwise).

items: "tag[*count]:form+length", hexadecimal; form c = cn, a = an, b = binary, n = a name,
t = a template, whose parts stand in TEMPLATES.  fields: the same without tags, for cyclic files.
"""

from __future__ import annotations

Row = tuple[str, str, str, str]  # place, read, write, items or fields

# read: "free", or alternatives apart by "|", each of keys and PIN joined by "+".
VARIABLE: tuple[Row, ...] = (
    ("SSSE/05", "free", "UKSSSE", "01:c10 02:a01 03:a04 04:c0C 05:c04 06:c04 07:a09"),
    ("SSSE/06", "free", "UKSSSE", "08:a12 09:n1E 4E:n14 0A:a01 0B:c01 0C:c03 0D:c04"),
    ("DF01/05", "PIN|RK1DF01", "UK1DF01", "20:a02 21:a50 0E:c03"),
    ("DF01/06", "PIN|RK1DF01", "UK4DF01", "23:a50 24:c03 28:a0F 2C:a32 2D:a0F"),
    ("DF01/07", "PIN|RK1DF01", "UK2DF01", "29:a01"),
    ("DF01/08", "PIN|RK1DF01", "UK3DF01", "2B:a01"),
    ("DF01/09", "PIN|RK1DF01", "UK2DF01", "2E:a46 30:a09 32:a02"),
    ("DF01/0A", "PIN|RK1DF01", "UK5DF01", "37:a03 38:a02 39:c04"),
    ("DF01/15", "PIN|RK1DF01", "UK6DF01", "2A:c01 40*3:t34"),
    ("DF02/05", "PIN|RK1DF02", "UK1DF02", "42:a03 41:a03 43*2:t6C 44*2:t65"),
    ("DF02/06", "PIN|RK1DF02", "UK2DF02", "4C:c04 4B:a05 4D:c03 60:c04 4F:a06 50:c03 3A:a07"),
    ("DF02/09", "PIN|RK1DF02", "UK4DF02", "55:a10 56:a46 96:c04 97:c03"),
    ("DF02/15", "PIN|RK1DF02", "UK5DF02", "99*4:t10 0F:c04 1F:c03"),
    ("DF03/05", "PIN|RK2DF03", "UK1DF03",
     "61:c03 60:c04 98:c04 62:c04 63:a03 64:a03 65:a03 66:a03"),
    ("DF03/06", "PIN|RK1DF03", "UK2DF03",
     "45:a14 46:a02 47:a02 48:a01 49:a01 67:c04 6B:a3C 4A*3:t61"),
    ("DF03/07", "PIN|RK1DF03", "UK3DF03", "70:a03 71:c03 6E:c04 6C:c04 6F:c04 73:c04"),
    ("DF03/15", "PIN|RK1DF03", "UK4DF03", "7A:c03 7B:c04 7C:c04"),
    ("DF03/16", "PIN|RK1DF03", "UK5DF03", "51:c03 5F:a01"),
    ("DF03/17", "PIN|RK1DF03", "UK6DF03", "3B:a14 3C:a46 3D:a01 3E:c04 3F:a3C"),
    ("DF03/18", "PIN|RK1DF03", "UK7DF03", "74:a03 75:c03 76:c01 77:c04 78:c04"),
    ("DF03/19", "PIN|RK1DF03", "UK8DF03", "79*4:t27"),
    ("DF04/05", "PIN|RK1DF04", "UK1DF04",
     "81:a08 84:c03 87:a11 8C:c01 80:c04 8B:a1D 8A:a0F 83:a09 86:a09 89:a09"
     " 7D:a09 7E:a09 7F:a09 8D:a09 8E:a09 8F:a01"),
    ("DF04/06", "PIN+RK1DF04", "UK2DF04", "90:a01 92:c04 93:a02"),
    ("DF07/05", "RK1DF07", "UK1DF07", "F0:a02 F1:a01 F2:c04 F3:a03 F4:c04"),
    ("DF07/06", "RK2DF07", "UK2DF07", "F5:a03 F6:c04 F7:a46"),
    ("DF07/07", "RK3DF07", "UK3DF07", "F8:c04 F9:a01"),
    ("DF05/05", "free", "UK1DF05",
     "A0:a01 A1:a01 B9:a01 A2:a04 A9:c01 A3*5:t18 A4*5:t17 BA:a14 BB:a64 AA:a14 AB:c04"
     " AC:a01 AD:a01 AE:a01 AF:a01 B0:a01 B1:a01 B2:a01 B3:a01 B4:a01 B5:a01 B6:a01 B7:a01"
     " BC:a01 B8:a28"),
    # The lengths in DF06 are not published: these are this simulator's own.
    ("DF06/05", "RK1DF06", "UK1DF06", "C0:a02 C2:c04 C3:t22 C4:t22 C5:t22"),
    ("DF06/06", "RK1DF06", "UK2DF06",
     "C6:a02 C7:c04 C8:a02 C9:c04 CA:a02 CB:c04 CC:a02 CD:c04 CE:a02 CF:c04 D0:a02 D1:c04"
     " D2:a02 D3:c04 D4:a02 D5:c04 D6:a02 D7:c04 D8:a02 D9:c04 DA:a02 DB:c04 DC:a02 DD:c04"
     " DE:a02 DF:c04 E0:a02 E1:c04 E2:a02"),
)  # fmt: skip

TEMPLATES = {
    0x40: "57:a03 58:c03 59:a28",
    0x43: "5A:a07 5B:a01 5C:a46 5D:c04 5E:a10",
    0x44: "33:a03 34:a46 35:c04 36:a10",
    0x99: "10:a03 11:c04 12:c03",
    0x4A: "13:a02 14:a01 15:a14 16:c04 17:a3C",
    0x79: "18:a03 19:c03 1A:c04 1B:c04 1C:c04 1D:a03 1E:c04",
    0xA3: "A5:a10 A6:a04",
    0xA4: "A7:a10 A8:a03",
    0xC3: "E3:a04 E4:a04 E5:c04 E6:a04 E7:a08",
    0xC4: "E3:a04 E4:a04 E5:c04 E6:a04 E7:a08",
    0xC5: "E3:a04 E4:a04 E5:c04 E6:a04 E7:a08",
}

# Place, read, write, fields of a record, records kept; newest first.
CYCLIC = (
    ("DF02/07", "PIN|RK1DF02", "UK3DF02", "a07 c04 c04 a46", 4),
    ("DF02/16", "PIN|RK1DF02", "UK6DF02", "a03 c04 c04 c04 c03", 4),
    ("DF04/08", "PIN", "never", "b02 a01 c06 c07 b04 b04 b04", 30),
    ("DF04/15", "PIN|RK1DF04", "UK2DF04", "b02 a01", 8),
)

# Place, read, write, bytes.
TRANSPARENT = (
    ("SSSE/07", "RKSSSE", "UKSSSE", 0x300),
    ("SSSE/08", "RKSSSE", "UKSSSE", 0x1000),
    ("DF01/16", "free", "UK7DF01", 0x128),
    ("DF01/17", "free", "UK8DF01", 0x128),
    ("DF01/18", "free", "UK9DF01", 0x128),
    ("DF01/19", "free", "UKADF01", 0x128),
    ("DF01/1A", "free", "UKBDF01", 0x128),
)

SINCE_2_0 = ("SSSE/08", "DF01/0A", "DF04/06", "DF04/15")

DRAFT_READ = {
    "DF01/05": "PIN",
    "DF04/05": "PIN",
    "DF03/05": "PIN+RK2DF03",
    "DF03/07": "PIN+RK1DF03",
}

# The draft names EF08, EF09 and EF0A in DF03 in place of EF15 to EF19; which is which is inferred.
DRAFT_PLACES = {"DF03/15": "DF03/08", "DF03/16": "DF03/09", "DF03/17": "DF03/0A"}
DRAFT_LACKS = ("DF03/18", "DF03/19")

# What version 1.0 had shorter from the start, and what it meant otherwise by the same tags.
SHORTER_IN_1_0 = {0x8B: "a0A", 0x20: "a01"}
OTHER_IN_1_0 = {
    0x32: "a03", 0x37: "c04", 0x38: "c04",
    0x4B: "c04", 0x4D: "c04", 0x4F: "c04", 0x50: "c04", 0x55: "c0A", 0x97: "c04",
    0x61: "c04", 0x71: "c04",
    0x81: "a46", 0x84: "a46", 0x87: "a46",
    0x90: "c04", 0x92: "c04", 0x93: "c04",
}  # fmt: skip
