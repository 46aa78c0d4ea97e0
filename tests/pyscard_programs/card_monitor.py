# cards: psam
# when take it: pull user
# when insert it: plug user
from time import sleep

from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.util import toHexString

seen = []


class PrintObserver(CardObserver):
    """A simple card observer that is notified when cards are inserted/removed."""

    def update(self, observable, actions):
        (addedcards, removedcards) = actions
        for card in addedcards:
            seen.append("+Inserted: " + toHexString(card.atr) + " " + str(card.reader))
            connection = card.createConnection()
            connection.connect()
            seen.append(connection.transmit([0xFF, 0xCA, 0, 0, 0]))
            connection.disconnect()
        for card in removedcards:
            seen.append("-Removed: " + toHexString(card.atr) + " " + repr(card))


def until(count):
    for _ in range(400):
        if len(seen) >= count:
            return
        sleep(0.02)


monitor = CardMonitor()
observer = PrintObserver()
monitor.addObserver(observer)
until(2)
print("insert it", flush=True)
until(4)
print("take it", flush=True)
until(5)
for each in seen:
    print(each)
print(monitor.countObservers(), str(monitor.instance), monitor.hasChanged())
monitor.deleteObserver(observer)
print(monitor.countObservers())
