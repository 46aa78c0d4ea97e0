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


one = Waiting()
monitor.addObserver(one)
monitor.addObserver(one)
print(CardMonitor().countObservers())
for _ in range(200):
    if one.cards:
        break
    sleep(0.02)
two = Waiting()
CardMonitor().addObserver(two)
print(one.cards, two.cards, one.cards == two.cards, one.cards[0] in two.cards)
CardMonitor().deleteObserver(one)
CardMonitor().deleteObserver(two)
monitor.deleteObserver(one)
