"""M1: digits from a pad become a Pin, or the outcome that says why there is none."""

import pytest

from firmware.drivers.keyed import KeyedPad
from firmware.drivers.pad import KeysRefusedError, Pad
from firmware.secret import Pin


class Keys:
    def __init__(self, answer):
        self.answer = answer

    def digits(self, timeout_s, cancelled, typed):
        self.asked = (timeout_s, cancelled, typed)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            return None
        self.handed_out = bytearray(self.answer, "utf-8")
        return self.handed_out


def read(answer):
    return Pad(Keys(answer)).read_pin(30.0, lambda: False)


@pytest.mark.parametrize(
    ("digits", "pin"),
    [("1234", "1234"), ("12345", "12345F"), ("123456", "123456"), ("123456789012",) * 2],
)
def test_4_to_12_digits_are_a_pin(digits, pin):
    assert read(digits).reveal() == bytes.fromhex(pin)
    assert isinstance(read(digits), Pin)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("", "PIN_NOT_ENTERED"),
        ("123", "PIN_NOT_ENTERED"),
        ("1234567890123", "PIN_NOT_ENTERED"),
        ("12a456", "PIN_NOT_ENTERED"),
        ("１２３４５６", "PIN_NOT_ENTERED"),
        (TimeoutError(), "PIN_NOT_ENTERED"),
        (None, "PIN_CANCELLED"),
        (OSError("unplugged"), "PIN_PAD_MISSING"),
        (KeysRefusedError("another key"), "PIN_PAD_REFUSED"),
    ],
)
def test_anything_else_is_an_outcome_and_costs_no_try(answer, name):
    assert read(answer).name == name


def test_the_pad_is_asked_with_the_time_the_way_out_and_the_stars():
    keys = Keys("123456")
    cancelled, typed = bool, print
    Pad(keys).read_pin(12.5, cancelled, typed)
    assert keys.asked == (12.5, cancelled, typed)


@pytest.mark.parametrize("answer", ["123456", "12", "12a456", "1234567890123"])
def test_what_the_device_handed_out_is_wiped_whatever_became_of_it(answer):
    keys = Keys(answer)
    Pad(keys).read_pin(1.0, lambda: False)
    assert keys.handed_out == b""


# -- key by key ------------------------------------------------------------------------------------


class Keyboard:
    """Keys at moments of a clock that only this moves: [(seconds after the one before, name)]."""

    def __init__(self, *presses):
        self.presses = list(presses)
        self.now = 0.0
        self.due = presses[0][0] if presses else None

    def key(self, timeout_s, interrupted):
        assert timeout_s > 0
        if not self.presses or self.due > self.now + timeout_s:
            self.now += timeout_s
            return None
        self.now = self.due
        _, name = self.presses.pop(0)
        if self.presses:
            self.due = self.now + self.presses[0][0]
        return name


def keyed(*presses, timeout_s=30.0, key_s=5.0, cancelled=lambda: False):
    keyboard = Keyboard(*((0.3, each) if isinstance(each, str) else each for each in presses))
    pad = Pad(KeyedPad(keyboard, key_s, lambda: keyboard.now))
    seen = []
    result = pad.read_pin(timeout_s, cancelled, lambda stars, left: seen.append((stars, left)))
    return result, seen, keyboard


@pytest.mark.parametrize(
    ("keys", "pin"),
    [
        ("1234+", "1234"),
        ("123456789012+", "123456789012"),
        ("12+34+", "1234"),  # too short to confirm: the key does nothing
        ("1299C1234+", "1234"),  # clear begins anew
        ("1234567890129999+", "123456789012"),  # no more than 12
        ("C+12MUDL34+", "1234"),  # keys of the menu are none of a PIN
    ],
)
def test_keys_become_a_pin(keys, pin):
    names = {"+": "confirm", "C": "clear", "M": "menu", "U": "up", "D": "down", "L": "language"}
    result, _, _ = keyed(*(names.get(each, each) for each in keys))
    assert result == Pin.from_digits(pin)


def test_the_stars_follow_the_keys_and_the_seconds_count_down():
    _, seen, _ = keyed("1", "2", "clear", "5", "6", "7", "8", "confirm", timeout_s=9, key_s=5)
    assert [stars for stars, _ in seen][:6] == [0, 1, 2, 0, 1, 2]
    assert seen[0] == (0, 9)
    assert max(left for stars, left in seen if stars) <= 5, "after a digit the shorter time counts"
    _, seen, _ = keyed(timeout_s=3)
    assert [left for _, left in seen] == pytest.approx([3, 2, 1], abs=0.26)


@pytest.mark.parametrize(
    ("presses", "name", "after_s"),
    [
        (("1", "2", "cancel"), "PIN_CANCELLED", 0.9),
        ((), "PIN_NOT_ENTERED", 30),  # the first key may take the whole time
        (((29, "1"),), "PIN_NOT_ENTERED", 30),
        (("1", "2"), "PIN_NOT_ENTERED", 5.6),  # 5 s after the last key
        (tuple((4.9, str(at)) for at in range(9)), "PIN_NOT_ENTERED", 30),
    ],
)
def test_an_entry_ends_by_its_keys_or_its_times(presses, name, after_s):
    result, _, keyboard = keyed(*presses)
    assert result.name == name
    assert keyboard.now == pytest.approx(after_s, abs=0.3)


def test_the_host_or_a_pin_of_the_unit_ends_an_entry():
    asked = []
    result, _, _ = keyed("1", "2", cancelled=lambda: len(asked) > 3 or asked.append(1))
    assert result.name == "PIN_CANCELLED"


@pytest.mark.parametrize(
    ("presses", "name"),
    [(("8", "0", "6", "4", "confirm"), None), (("8", "0", "cancel"), "PIN_CANCELLED"),
     (("8", "0", "6"), "PIN_NOT_ENTERED"), (("8", "broken"), "PIN_PAD_MISSING")],
)  # fmt: skip
def test_every_buffer_of_an_entry_is_overwritten_however_it_ends(monkeypatch, presses, name):
    """Not only emptied: a buffer that was emptied still lies in memory as it was."""
    made = []

    class Watched(bytearray):
        overwritten = False

        def clear(self):
            self.overwritten = not any(self)
            super().clear()

        def __getitem__(self, at):
            found = super().__getitem__(at)
            if isinstance(at, slice):
                made.append(found := Watched(found))
            return found

    def watched(*how):
        made.append(Watched(*how))
        return made[-1]

    monkeypatch.setattr("firmware.drivers.keyed.bytearray", watched, raising=False)
    keyboard = Keyboard(*((0.3, each) for each in presses))
    key = keyboard.key
    if "broken" in presses:

        def broken(*how):
            found = key(*how)
            if found == "broken":
                raise OSError("unplugged")
            return found

        monkeypatch.setattr(keyboard, "key", broken)
    result = Pad(KeyedPad(keyboard, 5.0, lambda: keyboard.now)).read_pin(9, lambda: False)
    assert getattr(result, "name", None) == name
    assert len(made) == (2 if name is None else 1)
    assert all(each.overwritten for each in made)


def test_clear_overwrites_what_was_typed_at_once(monkeypatch):
    made = []
    monkeypatch.setattr(
        "firmware.drivers.keyed.bytearray",
        lambda *how: made.append(bytearray(*how)) or made[-1],
        raising=False,
    )
    held = []
    keyboard = Keyboard(*((0.3, each) for each in ("8", "0", "clear", "6", "cancel")))
    Pad(KeyedPad(keyboard, 5.0, lambda: keyboard.now)).read_pin(
        9, lambda: False, lambda stars, left: held.append((stars, bytes(made[0]).rstrip(b"\0")))
    )
    assert list(dict.fromkeys(held)) == [(0, b""), (1, b"8"), (2, b"80"), (1, b"6")]
