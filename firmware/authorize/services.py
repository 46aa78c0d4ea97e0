"""Every service a host may ask for besides the payment: name -> what it does."""

from __future__ import annotations

from firmware.authorize.act import act
from firmware.authorize.acts import check_act
from firmware.authorize.balance import balance
from firmware.authorize.blocks import application_block, card_block, check_application
from firmware.authorize.carddump import card_dump
from firmware.authorize.load import check_load, load
from firmware.authorize.logon import check_logon, log_off, log_on
from firmware.authorize.operators import RIGHT_BLOCK, RIGHT_PIN
from firmware.authorize.pinchange import pin_change, pin_remove
from firmware.authorize.presence import check_presence, presence
from firmware.authorize.receipts import check_receipt, receipt_print
from firmware.authorize.reload import check_identification, pin_reload, pin_unblock
from firmware.authorize.service import Errand, Service
from firmware.authorize.tamper import tamper_clear
from firmware.authorize.updating import check_lease, check_self_test, lease, self_test
from firmware.journal import kinds as rec

_TWO: dict[str, type] = {"operator": str, "second": str}
_SEEN: dict[str, type] = {"id_kind": str, "id_tail": str}
_SEEN_KEYS = {
    "second": rec.KEY_SECOND,
    "id_kind": rec.KEY_ID_KIND,
}

SERVICES: dict[str, Service | Errand] = {
    "balance": Service(balance, is_journaled=False, message="BALANCE", is_enquiry=True),
    "card.dump": Service(card_dump, {"operator": str}, is_enquiry=True),
    "load": Service(
        load, {"order_no": str, "operator": str, "amount_fen": int}, validate=check_load
    ),
    "pin.change": Service(pin_change, {"operator": str}, message="PIN_CHANGED"),
    "pin.remove": Service(pin_remove, {"operator": str}, message="PIN_REMOVED"),
    "presence.proof": Service(
        presence,
        {"request_no": str, "office_nonce": str},
        {"operator": str},
        validate=check_presence,
    ),
    "receipt.print": Errand(receipt_print, {"order_no": str, "operator": str}, check_receipt),
    "operator.logon": Errand(log_on, {"code": str, "password": str}, check_logon),
    "operator.logoff": Errand(log_off, {"code": str}, check_logon),
    "update.lease": Errand(lease, {"seconds": int}, check_lease),
    "update.selftest": Errand(self_test, {}, check_self_test),
    "tamper.clear": Errand(tamper_clear, {"operator": str}, check_logon),
    "pin.unblock": Service(
        pin_unblock,
        _TWO | _SEEN,
        message="PIN_UNBLOCKED",
        validate=check_identification,
        right=RIGHT_PIN,
        records=_SEEN_KEYS,
        seals=("id_tail",),
    ),
    "pin.reload": Service(
        pin_reload,
        _TWO | _SEEN,
        message="PIN_RELOADED",
        validate=check_identification,
        right=RIGHT_PIN,
        records=_SEEN_KEYS,
        seals=("id_tail",),
    ),
    "application.block": Service(
        application_block,
        _TWO | {"application": str},
        message="BLOCKED",
        validate=check_application,
        right=RIGHT_BLOCK,
        takes_stopped=True,
        records={"second": rec.KEY_SECOND},
    ),
    "card.block": Service(
        card_block,
        _TWO,
        message="BLOCKED",
        right=RIGHT_BLOCK,
        takes_stopped=True,
        records={"second": rec.KEY_SECOND},
    ),
    "act": Service(act, {"code": str, "operator": str}, {"values": dict}, validate=check_act),
}
