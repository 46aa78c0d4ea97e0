"""Issue 2, bad input: silence; a deadline per exchange."""

import os
import signal
import threading
import time
import weakref

import pytest

from firmware.worker import Worker


def test_results_and_exceptions_come_back():
    worker = Worker("test", lambda: None)
    assert worker.call(lambda: 7, 1.0) == 7
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, 1.0)
    assert worker.call(lambda: 8, 1.0) == 8
    worker.end(1.0)
    assert worker.has_ended(0)


def test_after_a_deadline_the_thread_says_farewell_once_it_is_back():
    back = threading.Event()
    said = []
    worker = Worker("test", lambda: said.append(threading.current_thread().name))
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        worker.call(back.wait, 0.05)
    assert time.monotonic() - start < 1.0
    assert not worker.has_ended(0)
    assert said == []
    back.set()
    assert worker.has_ended(1.0)
    assert said == ["test"]


def test_after_an_interrupted_call_the_next_one_gets_its_own_answer():
    back = threading.Event()
    worker = Worker("test", lambda: None)
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(KeyboardInterrupt):
            worker.call(lambda: back.wait() and "late", 5.0)
    finally:
        signal.signal(signal.SIGUSR1, before)
    threading.Timer(0.05, back.set).start()
    assert worker.call(lambda: "mine", 1.0) == "mine"
    worker.end(1.0)


def test_the_function_is_forgotten_after_the_call():
    """M1: a command with a PIN in it does not stay behind in the idle thread."""

    class Command:
        def __call__(self):
            return 1

    worker = Worker("test", lambda: None)
    command = Command()
    seen = weakref.ref(command)
    worker.call(command, 1.0)
    del command
    deadline = time.monotonic() + 1.0
    while seen() is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert seen() is None
    worker.end(1.0)
