from time import sleep

from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver


class PrintObserver(ReaderObserver):
    def update(self, observable, handlers):
        addedreaders, removedreaders = handlers
        print("Added readers", addedreaders)
        print("Removed readers", removedreaders, str(observable))


monitor = ReaderMonitor()
observer = PrintObserver()
monitor.addObserver(observer)
sleep(0.5)
print(monitor.countObservers())
monitor.deleteObserver(observer)
print(monitor.countObservers())
lists = [["a", "b"], ["b"], ["b", "c"]]
second = ReaderMonitor(startOnDemand=True, readerProc=lambda: lists.pop(0) if lists else ["b", "c"], period=0.1)
second.addObserver(observer)
sleep(0.6)
second.deleteObserver(observer)
