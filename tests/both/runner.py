"""Inside MicroPython: calls the test functions named on the command line and reports each.

usage: micropython runner.py ROOT FILE NAME...    (tests/micropython.py is the other end)
"""

import io
import json
import sys

MARK = "\x1e"


def report(**row):
    print(MARK + json.dumps(row))


def trace(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue()


def call(function):
    """None, or the traceback of what it raised."""
    try:
        function()
    except BaseException as error:
        return trace(error)
    return None


def main(root, path, names):
    sys.path.insert(0, root)
    module = path[len(root) + 1 : -len(".py")].replace("/", ".")
    try:
        tests = __import__(module, None, None, ("*",))
    except BaseException as error:
        for name in names:
            report(begin=name)
            report(end=name, error="%s cannot be imported:\n%s" % (module, trace(error)))
        return
    for name in names:
        report(begin=name)
        report(end=name, error=call(getattr(tests, name)))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
