"""Not pyscard's: this package under a second name."""

import sys


def register(alias, name):
    """`import alias.x` gives the module `name.x`, the same object.

    MicroPython cannot redirect an import: there the folder of the package goes to the end of
    sys.path, and the modules under the two names are two.
    """
    module = sys.modules[name]
    loaded = sys.modules.get(alias, module)
    if loaded is not module and not hasattr(loaded, "install"):
        raise RuntimeError("another %s is imported already: call install() before" % alias)
    if not hasattr(sys, "meta_path"):
        _add_folder(module)
    elif not any(isinstance(each, _Finder) and each.alias == alias for each in sys.meta_path):
        sys.modules[alias] = module
        sys.meta_path.insert(0, _Finder(alias, name))


def _add_folder(module):
    folder = module.__path__
    folder = folder if isinstance(folder, str) else folder[0]
    folder = folder[: folder.rfind("/")]
    if folder not in sys.path:
        sys.path.append(folder)


class _Finder:
    """Of sys.meta_path: finds alias.x by importing name.x."""

    def __init__(self, alias, name):
        self.alias = alias
        self._name = name

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith(self.alias + "."):
            return None
        real = self._name + fullname[len(self.alias) :]
        from importlib.machinery import ModuleSpec
        from importlib.util import find_spec

        try:
            found = find_spec(real)
        except ModuleNotFoundError:
            return None
        if found is None:
            return None
        loader = _Loader(real)
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, loader, is_package=is_package)  # type: ignore[arg-type]


class _Loader:
    def __init__(self, real):
        self._real = real
        self._spec = None

    def create_module(self, spec):
        __import__(self._real)
        module = sys.modules[self._real]
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec  # the import machinery has put the alias's there
