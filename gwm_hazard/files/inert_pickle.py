"""Reading a pickle without running anything that it asks for.

A pickle is a program for a small machine. The machine here builds plain values, and an inert
:class:`Call` wherever the program asks for a name to be called: nothing is imported, nothing is
called, :mod:`pickle` is not used. Names that are not expected refuse the file, and so do programs
that are longer, or ask for more memory, than their length justifies.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NoReturn

from gwm_hazard.errors import ModelError

#: Instructions of one pickle; a published network has some ten thousand.
MOST_INSTRUCTIONS = 1_000_000

#: Names that mean a plain container.
DICTS = frozenset({"collections.OrderedDict", "dnnlib.util.EasyDict"})
SETS = frozenset({"builtins.set"})

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PLAIN = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE SHORT_BINUNICODE "
    "BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
_IGNORED = frozenset({"PROTO", "FRAME"})
_MARK = object()


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; it is not imported."""

    name: str


@dataclass(eq=False)
class Call:
    """What a pickle asks to be called, with what; it is not called."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Persistent:
    """A reference to something beside the pickle."""

    key: Any


def read(content: BytesIO, names: Collection[str], where: str, persistent: bool = False) -> Any:
    """The value of the pickle at the position of ``content``, which then stands behind it.

    Parameters
    ----------
    content : BytesIO
    names : collection of str
        "module.name" of what the pickle may ask for.
    where : str
        What to call it in a message.
    persistent : bool
        Allow references to something beside the pickle.

    Raises
    ------
    ModelError
        Another name, an instruction that plain values do not need, or a damaged pickle.
    """
    return _Machine(names, where, persistent).run(content)


class _Machine:
    def __init__(self, names: Collection[str], where: str, persistent: bool) -> None:
        self.names, self.where, self.persistent = names, where, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: BytesIO) -> Any:
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
                if count >= MOST_INSTRUCTIONS:
                    self.refuse(f"more than {MOST_INSTRUCTIONS} instructions")
                if opcode.name == "STOP":
                    if len(self.stack) != 1:
                        self.refuse(f"it leaves {len(self.stack)} values")
                    return self.stack[0]
                self.step(opcode.name, argument)
        except ModelError:
            raise
        except Exception as exc:  # a forged pickle may fail anywhere
            self.refuse(f"{type(exc).__name__}: {exc}")
        self.refuse("it has no end")

    def refuse(self, reason: str) -> NoReturn:
        raise ModelError(f"{self.where}: refused ({reason:.200}); nothing of the file was executed")

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _IGNORED:
            pass
        elif (method := _METHODS.get(name)) is not None:
            method(self, argument)
        else:
            self.refuse(f"instruction {name}, which a network has no use for")

    def marked(self) -> list[Any]:
        """The values above the last mark, taken off with it."""
        for k in range(len(self.stack) - 1, -1, -1):
            if self.stack[k] is _MARK:
                values = self.stack[k + 1 :]
                del self.stack[k:]
                return values
        self.refuse("a mark is missing")

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            self.refuse("a value is missing")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            self.refuse("a value is missing")
        return self.stack[-1]

    # Names and calls

    def named(self, name: str) -> None:
        if name not in self.names:
            self.refuse(f"it asks for {name!r:.120}, which a network has no use for")
        self.stack.append(Name(name))

    def do_global(self, argument: str) -> None:
        self.named(".".join(argument.split(" ", 1)))

    def do_stack_global(self, argument: None) -> None:
        attribute, module = self.pop(), self.pop()
        if not isinstance(module, str) or not isinstance(attribute, str):
            self.refuse("a name that is no text")
        self.named(f"{module}.{attribute}")

    def do_reduce(self, argument: None) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            self.refuse("a call of what is no name")
        if called.name in DICTS:
            if arguments not in ((), ([],)):
                self.refuse(f"{called.name} of something")
            self.stack.append({})
        elif called.name in SETS:
            if len(arguments) != 1 or not isinstance(arguments[0], list):
                self.refuse(f"{called.name} of something that is no list")
            self.stack.append({self.key(v) for v in arguments[0]})
        else:
            self.stack.append(Call(called.name, arguments))

    def do_build(self, argument: None) -> None:
        state, built = self.pop(), self.top()
        if not isinstance(built, Call):
            self.refuse("a state of a plain value")
        built.state = state

    def do_persistent(self, argument: None) -> None:
        if not self.persistent:
            self.refuse("a reference to something beside the pickle")
        self.stack.append(Persistent(self.pop()))

    # Containers

    def key(self, value: Any) -> Any:
        """A key of a dictionary: plain, so that no nested one is hashed."""
        if value is not None and not isinstance(value, str | int | float | bytes):
            self.refuse(f"a key of type {type(value).__name__}")
        return value

    def put_items(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Call):
            target = target.items
        if not isinstance(target, dict) or len(values) % 2:
            self.refuse("items of what is no dictionary")
        for k, v in zip(values[::2], values[1::2], strict=True):
            target[self.key(k)] = v

    def do_setitem(self, argument: None) -> None:
        value, key = self.pop(), self.pop()
        self.put_items([key, value])

    def do_setitems(self, argument: None) -> None:
        self.put_items(self.marked())

    def do_append(self, argument: None) -> None:
        self.extend([self.pop()])

    def do_appends(self, argument: None) -> None:
        self.extend(self.marked())

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            self.refuse("values appended to what is no list")
        target.extend(values)

    def do_additems(self, argument: None) -> None:
        values, target = self.marked(), self.top()
        if not isinstance(target, set):
            self.refuse("values added to what is no set")
        target.update(self.key(v) for v in values)

    def do_dict(self, argument: None) -> None:
        values = self.marked()
        self.stack.append({})
        self.put_items(values)

    def do_tuple_of(self, n: int) -> None:
        values = [self.pop() for _ in range(n)][::-1]
        self.stack.append(tuple(values))

    # The memo

    def do_memoize(self, argument: None) -> None:
        self.memo[len(self.memo)] = self.top()

    def do_put(self, argument: Any) -> None:
        self.memo[int(argument)] = self.top()

    def do_get(self, argument: Any) -> None:
        self.stack.append(self.memo[int(argument)])


_METHODS: dict[str, Callable[[_Machine, Any], Any]] = {
    "MARK": lambda m, a: m.stack.append(_MARK),
    "POP": lambda m, a: m.pop(),
    "POP_MARK": lambda m, a: m.marked(),
    "EMPTY_DICT": lambda m, a: m.stack.append({}),
    "EMPTY_LIST": lambda m, a: m.stack.append([]),
    "EMPTY_TUPLE": lambda m, a: m.stack.append(()),
    "EMPTY_SET": lambda m, a: m.stack.append(set()),
    "LIST": lambda m, a: m.stack.append(m.marked()),
    "TUPLE": lambda m, a: m.stack.append(tuple(m.marked())),
    "TUPLE1": lambda m, a: m.do_tuple_of(1),
    "TUPLE2": lambda m, a: m.do_tuple_of(2),
    "TUPLE3": lambda m, a: m.do_tuple_of(3),
    "DICT": _Machine.do_dict,
    "SETITEM": _Machine.do_setitem,
    "SETITEMS": _Machine.do_setitems,
    "APPEND": _Machine.do_append,
    "APPENDS": _Machine.do_appends,
    "ADDITEMS": _Machine.do_additems,
    "GLOBAL": _Machine.do_global,
    "STACK_GLOBAL": _Machine.do_stack_global,
    "REDUCE": _Machine.do_reduce,
    "NEWOBJ": _Machine.do_reduce,
    "BUILD": _Machine.do_build,
    "BINPERSID": _Machine.do_persistent,
    "MEMOIZE": _Machine.do_memoize,
    "PUT": _Machine.do_put,
    "BINPUT": _Machine.do_put,
    "LONG_BINPUT": _Machine.do_put,
    "GET": _Machine.do_get,
    "BINGET": _Machine.do_get,
    "LONG_BINGET": _Machine.do_get,
}
