"""All cells of the fault matrix, one file per group; importing this package registers every one of them."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
