"""The widest plausible value of each field of a message: what must fit every panel."""

WIDEST = {
    "amount": "1000000.00",
    "balance": "1000000.00",
    "name": "阿卜杜热合曼·买买提艾力江阿吉",
    "tries_left": "15",
    "days": "365",
    "hours": "9999",
    "number": "10",
    "at": "26-11-22 09:30",
    "order_no": "HIS-2026-11-22-0000000000017",
}
