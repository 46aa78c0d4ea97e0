# cards: psam
from time import sleep

from smartcard.CardMonitoring import CardMonitor, CardObserver


class Handler(CardObserver):
    def update(self, observable, handlers):
        added, removed = handlers
        raise RuntimeError("at once")


monitor = CardMonitor()
try:
    monitor.addObserver(Handler())
except RuntimeError as e:
    print(e, monitor.countObservers())
monitor.deleteObservers()
print(monitor.countObservers())


class Waiting(CardObserver):
    def __init__(self):
        self.cards = []

    def update(self, observable, actions):
        added, removed = actions
        self.cards += added


first = Waiting()
monitor.addObserver(first)
for _ in range(1000):
    if first.cards:
        break
    sleep(0.02)
one = Waiting()  # the card is known by now: each adding tells it at once
monitor.addObserver(one)
monitor.addObserver(one)
print(CardMonitor().countObservers())
two = Waiting()
CardMonitor().addObserver(two)
print(one.cards, two.cards, one.cards == two.cards, one.cards[0] in two.cards)
CardMonitor().deleteObserver(first)
CardMonitor().deleteObserver(one)
CardMonitor().deleteObserver(two)
monitor.deleteObserver(one)
