"""What the signature of a function says of how statements call it."""

import decimal
import inspect
from collections.abc import Callable
from typing import Any, get_args

from tidemill._hints import VALUES, form_of, hint_of, type_of


class Signature:
    """The parameters that statements give values for are the positional ones.

    Raises:
        TypeError: a parameter can only be given by its name.
    """

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        self.returned: Any = None
        #: nothing of native code that does not say
        self._parameters: list[inspect.Parameter] | None = None
        self._hints: dict[str, Any] = {}
        try:
            signature = inspect.signature(fn)
        except (TypeError, ValueError):
            return
        known = list(signature.parameters.values())
        for each in known:
            if each.kind is each.KEYWORD_ONLY and each.default is each.empty:
                raise TypeError(f"{name} needs {each.name} by its name, and SQL gives arguments by their places")
        self.returned = hint_of(fn, signature.return_annotation)
        self._parameters = [each for each in known if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
        self._hints = {each.name: hint_of(fn, each.annotation) for each in self._parameters}

    def form(self) -> str:
        """What the arguments come as.

        Raises:
            TypeError: annotations say several things.
        """
        forms = {
            name: VALUES if type_of(hint) else form_of(f"{name} of {self.name}", hint)
            for name, hint in self._hints.items()
        }
        said = {name: form for name, form in forms.items() if form is not None}
        if len(set(said.values())) > 1:
            each = ", ".join(f"{name} as {form}" for name, form in said.items())
            raise TypeError(f"all arguments of {self.name} come in one form, and are annotated in several: {each}")
        return next(iter(said.values()), VALUES)

    def types(self, is_of_groups: bool) -> tuple[str, ...] | None:
        """Of the arguments, as values or as lists of those of a group. Parameters with a default are none.

        Returns: nothing where not all have one, or there may be any number.
        """
        types = [self._type(each, is_of_groups) for each in self._needed()]
        said = tuple(each for each in types if each is not None)
        return said if len(said) == len(types) and self._parameters is not None and not self._is_open() else None

    def check_count(self, count: int) -> None:
        """
        Raises:
            TypeError: the function cannot be given so many arguments.
        """
        if self._parameters is None:
            return
        least, most = len(self._needed()), len(self._parameters)
        if count < least or (count > most and not self._is_open()):
            raise TypeError(f"{self.name} has {least} parameters, and args {count} types")

    def return_type(self) -> str | None:
        if decimal.Decimal in (self.returned, *get_args(self.returned)):
            raise TypeError(f'{self.name} returns decimals, of so many digits: write returns="decimal(12, 2)"')
        return type_of(self.returned)

    def _type(self, parameter: inspect.Parameter, is_of_groups: bool) -> str | None:
        hint, what = self._hints[parameter.name], f"{parameter.name} of {self.name}"
        if decimal.Decimal in (hint, *get_args(hint)):
            raise TypeError(f'{what} is a decimal, of so many digits: write args=["decimal(12, 2)", …]')
        said = type_of(hint)
        if said is None or not is_of_groups:
            return said
        if not said.endswith("[]"):
            raise TypeError(f"{what} gets the values of a group: annotate it as list[{hint.__name__}]")
        return said.removesuffix("[]")

    def _needed(self) -> list[inspect.Parameter]:
        known = self._parameters or ()
        return [each for each in known if each.default is each.empty and each.kind != each.VAR_POSITIONAL]

    def _is_open(self) -> bool:
        return any(each.kind == each.VAR_POSITIONAL for each in self._parameters or ())
