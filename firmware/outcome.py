"""Numbered outcomes, and the three faults.

Faults raise, outcomes return.  A fault says that the conversation itself broke; an outcome is a
result a person must know of, with a frozen number, a name (the id of its message, see
display/messages.py) and who must act.  MicroPython-clean.
"""

CLERK = "clerk"
HOLDER = "holder"
TECHNICIAN = "technician"
OFFICE = "office"


class Outcome:
    """number: frozen, never reused.  name: message id.  actor: who must do something next."""

    __slots__ = ("actor", "name", "number")

    def __init__(self, number: int, name: str, actor: str):
        self.number = number
        self.name = name
        self.actor = actor

    def __repr__(self) -> str:
        return "Outcome(%d, %s)" % (self.number, self.name)


_ROWS = (
    # 1-9: the payment was taken
    (1, "APPROVED", CLERK),
    (2, "APPROVED_FOUND_LATER", CLERK),  # DONE by evidence after a lost answer
    (3, "APPROVED_UNCHECKED", CLERK),  # DONE, the PSAM was mute after DEBIT
    (4, "LOADED", CLERK),
    (5, "LOADED_FOUND_LATER", CLERK),  # by evidence after a lost answer
    (9, "SERVED", CLERK),  # a service other than a payment was done
    (10, "ASKING_HOST", OFFICE),  # a load waits for its MAC2; nothing has happened
    # 1xx: the card
    (101, "NO_CARD", CLERK),
    (102, "TWO_CARDS", CLERK),
    (103, "CARD_REMOVED", CLERK),
    (104, "CARD_UNREADABLE", CLERK),
    (105, "CARD_SILENT", CLERK),
    (106, "NOT_A_SOCIAL_SECURITY_CARD", CLERK),
    (107, "CARD_NOT_GENUINE", CLERK),
    (108, "CARD_ON_STOP_LIST", CLERK),
    (109, "CARD_OUT_OF_DATE", HOLDER),
    (110, "CARD_BLOCKED", HOLDER),
    (111, "APPLICATION_LOCKED", HOLDER),
    (112, "ANOTHER_CARD", CLERK),
    (113, "CARD_ONLINE_ONLY", CLERK),
    (114, "OFFLINE_NOT_PERMITTED", CLERK),
    (115, "OFFLINE_CEILING_REACHED", CLERK),
    (116, "INSUFFICIENT_FUNDS", CLERK),
    (117, "CARD_REFUSED", CLERK),
    (118, "CARD_OF_OTHER_REGION", CLERK),
    (119, "REMOVE_CARD", CLERK),
    (120, "CARD_REFUSED_TERMINAL", TECHNICIAN),
    (123, "NOT_BLOCKED", CLERK),
    (124, "BLOCK_UNCERTAIN", CLERK),
    # 2xx: the PIN
    (201, "PIN_WRONG", HOLDER),
    (202, "PIN_LOCKED", HOLDER),
    (203, "PIN_NOT_SET", HOLDER),
    (204, "PIN_NOT_ENTERED", HOLDER),
    (205, "PIN_CANCELLED", HOLDER),
    (206, "PIN_PAD_MISSING", TECHNICIAN),
    (207, "PIN_IS_INITIAL", HOLDER),
    (208, "PIN_NOT_CHANGED", HOLDER),
    (209, "PIN_CHANGE_UNCERTAIN", HOLDER),  # the card left: the old or the new one holds
    (210, "PIN_REMOVAL_NOT_ALLOWED", CLERK),
    (211, "PIN_PAD_REFUSED", TECHNICIAN),  # it holds another key, or speaks another protocol
    (221, "PIN_NOT_LOCKED", CLERK),
    (222, "PIN_STILL_LOCKED", CLERK),
    # 3xx: the PSAM
    (301, "PSAM_MISSING", TECHNICIAN),
    (302, "PSAM_SWAPPED", TECHNICIAN),
    (303, "PSAM_OF_OTHER_REGION", TECHNICIAN),
    (304, "PSAM_OUT_OF_DATE", TECHNICIAN),
    (305, "PSAM_REFUSED", TECHNICIAN),
    (306, "PSAM_SILENT", TECHNICIAN),
    (307, "PSAM_ON_STOP_LIST", OFFICE),
    (308, "PSAM_KEY_MISSING", OFFICE),
    # 4xx: the rules
    (401, "OVER_TRANSACTION_LIMIT", CLERK),
    (402, "OVER_DAY_LIMIT", OFFICE),
    (403, "OVER_CARD_LIMIT", CLERK),
    (404, "CLOCK_NOT_TRUSTED", TECHNICIAN),
    (405, "CLOCK_JUMPED_BACK", TECHNICIAN),
    (406, "STOP_LIST_REFUSED", OFFICE),
    (407, "CANCELLED", CLERK),
    (408, "AMOUNTS_REFUSED", CLERK),
    (409, "BUSY", CLERK),
    (410, "ORDER_MISMATCH", CLERK),  # a repeated order number with other amounts
    (411, "STOP_LIST_AGED", CLERK),  # over what an old list allows
    (412, "ORDER_SETTLED", CLERK),  # paid so long ago that its records have left the unit
    (413, "UNIT_STOPPED", OFFICE),  # by the office's signed word; no payment begins
    (421, "OPERATOR_REFUSED", CLERK),
    (422, "OPERATOR_LOCKED", CLERK),
    (423, "OPERATOR_NOT_LOGGED_ON", CLERK),
    (424, "OPERATOR_NOT_ALLOWED", CLERK),
    (425, "SECOND_OPERATOR_NEEDED", CLERK),  # two different people, within two minutes
    (431, "HOST_SILENT", OFFICE),  # no MAC2 in time
    (441, "VALUES_REFUSED", CLERK),  # of a service act; the card was not changed
    (442, "OVER_MENU_LIMIT", CLERK),  # of an amount typed at the unit
    # 5xx: a payment whose end was not seen
    (501, "NOT_TAKEN", CLERK),  # VOID by evidence
    (502, "PAYMENT_UNCERTAIN", OFFICE),
    (503, "PAYMENT_SUSPECT", OFFICE),
    (504, "PUT_CARD_BACK", CLERK),
    (505, "EARLIER_PAYMENT_OPEN", CLERK),  # this order was not begun
    (511, "NOT_LOADED", CLERK),
    (512, "LOAD_UNCERTAIN", OFFICE),
    (521, "UPDATE_OPEN", CLERK),  # a service act: each item holds its old or its new value
    # 6xx: the unit
    (601, "JOURNAL_DAMAGED", TECHNICIAN),
    (602, "DISK_FULL", TECHNICIAN),
    (603, "READER_MISSING", TECHNICIAN),
    (604, "BOARD_REFUSED", TECHNICIAN),
    (605, "RECEIPT_REFUSED", OFFICE),
    (606, "FRAME_DAMAGED", TECHNICIAN),
    (607, "NEWER_STOP_LIST_HELD", OFFICE),
    (608, "DEVICE_KEY_REFUSED", TECHNICIAN),
    (609, "ALREADY_RUNNING", TECHNICIAN),
    (621, "OPERATOR_LIST_REFUSED", OFFICE),
    (622, "NEWER_OPERATOR_LIST_HELD", OFFICE),
    (610, "OLDER_STOP_LIST_HELD", OFFICE),  # a difference came whose base was never here
    (623, "OFFICE_FILE_REFUSED", OFFICE),  # a key, a stop, parameters, an update
    (624, "NEWER_OFFICE_FILE_HELD", OFFICE),
    (625, "TAMPERED", TECHNICIAN),  # the case was opened; nothing is taken until it is cleared
    (626, "CASE_SWITCH_MISSING", TECHNICIAN),  # nothing is taken while it cannot be read
    (627, "PRINTER_NOT_READY", CLERK),  # a hint: no payment waits for paper
    (628, "NO_RECEIPT", CLERK),  # no payment of that order number was taken
    (641, "TERMINAL_AWAY", CLERK),  # to a host: the card process does not answer; nothing was asked
    (642, "ANSWER_LOST", CLERK),  # to a host: the card process ended while it served
    (
        643,
        "HOST_NOT_LISTED",
        TECHNICIAN,
    ),  # in the unit's log: closed, for [host.lan] hosts lacks it
    (699, "UNIT_FAULT", TECHNICIAN),
)

_BY_NAME = {row[1]: Outcome(row[0], row[1], row[2]) for row in _ROWS}


def outcome(name: str) -> Outcome:
    """The outcome of that name; raises KeyError."""
    return _BY_NAME[name]


def outcomes() -> "list[Outcome]":
    """All outcomes, by number."""
    return sorted(_BY_NAME.values(), key=lambda each: each.number)


class Fault(Exception):
    """A conversation broke; `what` holds no secret and no card data."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


class TransportError(Fault):
    """No answer, or none in time: the card left, the reader failed, the line was cut.

    kind: "removed", "silent" (a deadline passed) or "reader" (the reader itself failed).
    """

    def __init__(self, what: str, kind: str = "reader"):
        Fault.__init__(self, what)
        self.kind = kind


class ProtocolError(Fault):
    """An answer came that no card of this kind may give: too short, too long, an endless 61xx."""


class StatusError(Fault):
    """A status word that this command may not answer.  command: its name.  sw: 16-bit int."""

    def __init__(self, command: str, sw: int):
        Fault.__init__(self, "%s answered %04X" % (command, sw))
        self.command = command
        self.sw = sw
