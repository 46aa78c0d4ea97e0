"""What plain asserts lack, for both interpreters."""

import json

_FOLDER = __file__.rsplit("/", 2)[0]


def raises(error, function, *arguments):
    """The exception of class `error` that the call raises; AssertionError if it raises none."""
    try:
        function(*arguments)
    except error as raised:
        return raised
    raise AssertionError("%s was not raised" % error.__name__)


def vectors(name):
    """The JSON of tests/vectors/NAME."""
    with open(_FOLDER + "/vectors/" + name) as file:
        return json.load(file)
