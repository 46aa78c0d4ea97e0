"""Issue 2, bad input: silence; a deadline per exchange."""

import os
import signal
import threading
import weakref

import pytest

from firmware.worker import Worker
from tests.waiting import SOON_S, until


def test_results_and_exceptions_come_back():
    worker = Worker("test", lambda: None)
    assert worker.call(lambda: 7, SOON_S) == 7
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, SOON_S)
    assert worker.call(lambda: 8, SOON_S) == 8
    worker.end(SOON_S)
    assert worker.has_ended(SOON_S)


def test_after_a_deadline_the_thread_says_farewell_once_it_is_back():
    back = threading.Event()
    said = []
    worker = Worker("test", lambda: said.append(threading.current_thread().name))
    with pytest.raises(TimeoutError):
        worker.call(back.wait, 0.05)
    assert not worker.has_ended(0)
    assert said == []
    back.set()
    assert worker.has_ended(SOON_S)
    assert said == ["test"]


def test_after_an_interrupted_call_the_next_one_gets_its_own_answer():
    begun, interrupted, back = threading.Event(), threading.Event(), threading.Event()
    worker = Worker("test", lambda: None)

    def interrupt():
        """Again and again: a signal just before the wait begins does not end it."""
        begun.wait(SOON_S)
        while not interrupted.wait(0.02):
            os.kill(os.getpid(), signal.SIGUSR1)

    def once(*_):
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, once)
    try:
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            worker.call(lambda: begun.set() or (back.wait() and "late"), SOON_S)
        interrupting.join(SOON_S)
    finally:
        signal.signal(signal.SIGUSR1, before)
    threading.Timer(0.05, back.set).start()
    assert worker.call(lambda: "mine", SOON_S) == "mine"
    worker.end(SOON_S)


def test_the_function_is_forgotten_after_the_call():
    """M1: a command with a PIN in it does not stay behind in the idle thread."""

    class Command:
        def __call__(self):
            return 1

    worker = Worker("test", lambda: None)
    command = Command()
    seen = weakref.ref(command)
    worker.call(command, SOON_S)
    del command
    until(lambda: seen() is None)
    worker.end(SOON_S)
