"""Describes this process' package `smartcard` in JSON: its names, and what it makes of values.

usage: described.py [install]    install: it is the shim; otherwise pyscard itself

The same script runs over both, and the two answers are compared.
"""

import importlib
import inspect
import json
import pkgutil
import random
import sys
import warnings


def modules() -> list[str]:
    import smartcard

    found = [each.name for each in pkgutil.walk_packages(smartcard.__path__, "smartcard.")]
    return [each for each in found if ".wx" not in each and "._" not in each]


def names_of(module: str) -> dict[str, object]:
    """Each function and class defined there, and each number and text, by name."""
    found: dict[str, object] = {}
    for name, value in vars(importlib.import_module(module)).items():
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if inspect.isclass(value):
            found[name] = {
                each: parameters(getattr(value, each))
                for each in dir(value)
                if not each.startswith("_") and callable(getattr(value, each))
            }
        elif inspect.isfunction(value):
            found[name] = parameters(value)
        elif isinstance(value, int | str):
            found[name] = value
    return found


def parameters(function: object) -> list[str]:
    """Their names; [] for what is wrapped (*args) or built in."""
    try:
        found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [] if any(each.kind in kinds for each in found) else [each.name for each in found]


def results() -> list[str]:
    """What functions of values make of many of them, in an order that a seed decides."""
    from smartcard import guid, util
    from smartcard.ATR import ATR
    from smartcard.sw import SWExceptions
    from smartcard.sw.ISO7816_4_SW1ErrorChecker import ISO7816_4_SW1ErrorChecker
    from smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker
    from smartcard.sw.ISO7816_8ErrorChecker import ISO7816_8ErrorChecker
    from smartcard.sw.ISO7816_9ErrorChecker import ISO7816_9ErrorChecker
    from smartcard.sw.op21_ErrorChecker import op21_ErrorChecker

    chosen = random.Random(20)
    said = []
    for _ in range(300):
        data = [chosen.randrange(256) for _ in range(chosen.randrange(20))]
        said += [util.toHexString(data, each) for each in range(16)]
        said += [util.toASCIIString(data), str(util.padd(data, 12, "80"))]
        sixteen = [chosen.randrange(256) for _ in range(16)]
        said += [guid.GUIDToStr(sixteen), str(guid.strToGUID(guid.GUIDToStr(sixteen)))]
        atr = [chosen.choice((0x3B, 0x3F, 0x00)), *sixteen[:8], *data]
        try:
            parsed = ATR(atr)
            said.append(f"{parsed.render()} {parsed.TD} {parsed.checksumOK}")
        except IndexError:  # cut short: the shim parses on
            said.append("CUT SHORT")
        except Exception as error:
            said.append(f"{type(error).__name__} {error}")
    gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà"
    said.append(str(util.toGSM3_38Bytes(gsm)))
    checkers = (
        ISO7816_4ErrorChecker(),
        ISO7816_4_SW1ErrorChecker(),
        ISO7816_8ErrorChecker(),
        ISO7816_9ErrorChecker(),
        op21_ErrorChecker(),
    )
    for word in range(0x6000, 0x9500):
        for checker in checkers:
            try:
                checker([], word >> 8, word & 0xFF)
            except SWExceptions.SWException as error:
                said.append(f"{word:04X} {type(error).__name__} {error}")
    return said


def main() -> None:
    warnings.simplefilter("ignore")
    if sys.argv[1:] == ["install"]:
        from firmware.drivers.smartcard import install

        install()
    print(json.dumps({"names": {each: names_of(each) for each in modules()}, "said": results()}))


main()
