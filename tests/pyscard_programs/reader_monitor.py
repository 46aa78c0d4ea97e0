from time import sleep

from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver


class PrintObserver(ReaderObserver):
    def update(self, observable, handlers):
        addedreaders, removedreaders = handlers
        print("Added readers", addedreaders)
        print("Removed readers", removedreaders, str(observable))
        told.append(handlers)  # last: who waits for it goes on at once


told = []


def until(count):
    for _ in range(400):
        if len(told) >= count:
            return
        sleep(0.02)


monitor = ReaderMonitor()
observer = PrintObserver()
monitor.addObserver(observer)
until(1)
print(monitor.countObservers())
monitor.deleteObserver(observer)
print(monitor.countObservers())
lists = [["a", "b"], ["b"], ["b", "c"]]
second = ReaderMonitor(startOnDemand=True, readerProc=lambda: lists.pop(0) if lists else ["b", "c"], period=0.1)
second.addObserver(observer)
until(4)
second.deleteObserver(observer)
