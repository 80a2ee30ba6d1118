"""Functions as they go with a statement: what a job says of them, and the objects that it names."""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from tidemill._archive import Archive
from tidemill._errors import EnvironmentMismatch
from tidemill._frame import Head
from tidemill._functions import Function
from tidemill._pickle import pickle_function
from tidemill._session import Session
from tidemill._shared import Blob


class Carried(NamedTuple):
    #: by the names that the statement has for them
    heads: dict[str, Head]
    objects: dict[str, Blob | Archive]


class Code(Archive):
    """A pickled function."""


def carried(functions: Sequence[Function[..., Any]], session: Session) -> Carried:
    """
    Raises:
        EnvironmentMismatch: the workers' Python is not this one.
        TypeError: a function cannot be pickled.
    """
    heads: dict[str, Head] = {}
    objects: dict[str, Blob | Archive] = {}
    if not functions:
        return Carried(heads, objects)
    if session._unfit is not None:
        raise EnvironmentMismatch(session._unfit)
    archives = session._archives(None)
    for each in functions:
        declaration = each.declaration
        try:
            pickled = pickle_function(session.sharing, each.__wrapped__).pickled
        except Exception as error:
            raise TypeError(f"the function {declaration.name} cannot be sent: {error}") from error
        code = Code(pickled.data)
        heads[declaration.name] = {
            **declaration.head(),
            "pickled": {
                "function": code.name,
                "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
                "archives": [each.name for each in archives],
                "shared": [blob.name for blob in pickled.shared],
            },
        }
        objects |= {code.name: code, **{blob.name: blob for blob in pickled.shared}}
    return Carried(heads, {**objects, **{each.name: each for each in archives}})
