"""Readers from every place that has some; PC/SC is the only one here."""

from ..pcsc.PCSCReader import PCSCReader


class ReaderFactory:
    """factorymethods: functions (groups) -> list of readers; a program may append its own."""

    factories: "dict[str, PCSCReader.Factory]" = {}
    factorymethods = [PCSCReader.readers]

    @staticmethod
    def createReader(clazz, readername):
        """clazz: "package.module.Class", a class with a Factory."""
        if clazz not in ReaderFactory.factories:
            module, _, name = clazz.rpartition(".")
            imported = __import__(module, None, None, (name,))
            ReaderFactory.factories[clazz] = getattr(imported, name).Factory()
        return ReaderFactory.factories[clazz].create(readername)

    @staticmethod
    def readers(groups=None):
        found = []
        for method in ReaderFactory.factorymethods:
            found += method([] if groups is None else groups)
        return found
