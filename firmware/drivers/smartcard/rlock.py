"""Not pyscard's: the re-entrant lock of Synchronization where _thread has none (MicroPython)."""

import _thread


class RLock:
    def __init__(self):
        self._lock = _thread.allocate_lock()
        self._owner = None
        self._depth = 0

    def __enter__(self):
        me = _thread.get_ident()
        if self._owner != me:
            self._lock.acquire()
            self._owner = me
        self._depth += 1
        return self

    def __exit__(self, kind, value, traceback):
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()
