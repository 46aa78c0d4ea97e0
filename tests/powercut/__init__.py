"""Power cuts under the journal: a recorded disk, cuts replayed from the recording, and a judge.

disk.py      a disk served over FUSE that logs every write, every flush and every note
system.py    mount, loop devices and a mount namespace that cleans up after itself
sequence.py  purchases on a real ext4 on that disk; what each call returned is noted in the log
builds.py    the same code, spoilt on purpose
replay.py    the disk as a cut left it: unflushed writes kept, dropped or torn
judge.py     what must hold when the terminal starts again
__main__.py  `python -m tests.powercut`: records and cuts some sequences, one line of JSON
"""
