"""In a process of its own, under CPython or MicroPython: times `transmit` of shims, in blocks.

usage: shim_client.py ROOT READER PACKAGE...   PACKAGE: smartcard, or firmware.drivers.smartcard
Each line on stdin, "place count", is one block through the connection of the PACKAGE at that place;
the answer is a JSON list of nanoseconds.
"""

import json
import sys
import time

now = getattr(time, "perf_counter_ns", None) or time.time_ns
READ = [0x00, 0xB0, 0x95, 0x00, 0x14]


def connected(package, name):
    """A connection to the card in that reader."""
    system = __import__(package + ".System", None, None, ("readers",))
    for reader in system.readers():
        if str(reader) == name:
            connection = reader.createConnection()
            connection.connect()
            return connection
    raise ValueError("no reader " + name)


def block(connection, count):
    """Nanoseconds of each of so many exchanges; the first is not counted."""
    transmit = connection.transmit
    times = []
    transmit(READ)
    for _ in range(count):
        began = now()
        transmit(READ)
        times.append(now() - began)
    return times


def main(root, reader, *packages):
    sys.path.insert(0, root)
    connections = [connected(package, reader) for package in packages]
    print("ready")
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        place, count = line.split()
        print(json.dumps(block(connections[int(place)], int(count))))
    for connection in connections:
        connection.disconnect()


main(*sys.argv[1:])
