"""A test bench for cards: unittest, one connection for all tests, a table of expected answers."""

import sys
import unittest

from smartcard.Exceptions import CardConnectionException
from smartcard.System import readers
from smartcard.util import toBytes

TABLE = {"00A40000023F00": ("6F0A82017883023F008A0105", 0x9000), "00F10000": ("", 0x6985)}


class CardTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.connection = readers()[0].createConnection()
        cls.connection.connect()

    @classmethod
    def tearDownClass(cls):
        cls.connection.disconnect()

    def test_table(self):
        for command, (answer, sw) in TABLE.items():
            with self.subTest(command):
                data, sw1, sw2 = self.connection.transmit(toBytes(command))
                self.assertEqual((bytes(data).hex().upper(), sw1 << 8 | sw2), (answer, sw))

    def test_no_status_word(self):
        with self.assertRaisesRegex(CardConnectionException, "Card returned no valid response"):
            self.connection.transmit(toBytes("00F40000"))

    def test_wrong_protocol(self):
        with self.assertRaises(CardConnectionException) as caught:
            self.connection.transmit([0, 0, 0, 0], 0)
        print(caught.exception, caught.exception.hresult)

    def test_that_fails(self):
        self.assertEqual(self.connection.transmit([0x00, 0xF2, 0, 0]), ([], 0x90, 0))


result = unittest.TextTestRunner(stream=open("/dev/null", "w")).run(
    unittest.defaultTestLoader.loadTestsFromTestCase(CardTest)
)
print(result, result.failures[0][1].splitlines()[-1])
sys.exit(not result.wasSuccessful())
