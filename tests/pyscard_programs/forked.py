import multiprocessing
import os

from smartcard.System import readers


def child(queue):
    connection = readers()[0].createConnection()
    connection.connect()
    queue.put(connection.transmit([0xFF, 0xCA, 0, 0, 0]))
    connection.disconnect()


context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
print(queue.get(timeout=10))
process.join()
print(process.exitcode)
