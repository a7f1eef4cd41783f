"""The errors of this package, which are the core's."""

from rivya_core.errors import *
