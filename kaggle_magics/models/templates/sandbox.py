"""A Jinja environment for templates nobody here has read: what they may reach, how long they run, how much they write.

It renders as transformers does (`utils/chat_template_utils.py`): immutable sandbox, `trim_blocks` and `lstrip_blocks`,
loop controls, `raise_exception`, `strftime_now`, a `tojson` that escapes no HTML, `{% generation %}`. Jinja's sandbox
bounds neither loops nor sizes, so loops, calls, filters and operators are counted here.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any

from kaggle_magics.errors import EngineError, MissingExtra
from kaggle_magics.extras import install_line, require

STEPS = 1_000_000
"""Rounds of loops, operations, and calls, which count tenfold; each 256 characters that one writes are one more."""
SECONDS = 10.0
"""For what steps do not tell, such as searching in a large text again and again."""
LARGEST = 16 * 2**20
"""Characters of any text, the prompt too: four times a million tokens."""
_WIDEST, _LONGEST_LIST = 10_000, 1_000_000
_SAFE_SINCE = (3, 1, 6)
"""Jinja's sandbox could be left before this version (CVE-2025-27516)."""

_WIDE_PERCENT = re.compile(r"%(\([^)]*\))?[-+ #0]*(\d{5,}|\*)|%[^%A-Za-z]*\.(\d{5,}|\*)")
_WIDE_BRACES = re.compile(r"[:.][^{}]*\d{5,}|\{[^{}]*\{")
_WIDTHS = frozenset(
    ["center", "ljust", "rjust", "zfill", "expandtabs", "indent", "wordwrap", "slice", "batch", "tojson"]
)


class TooMuch(Exception):
    """A template runs or writes without end."""


class _Budget:
    def __init__(self) -> None:
        self.left = STEPS
        self.until = time.monotonic() + SECONDS

    def charge(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0 or time.monotonic() > self.until:
            raise TooMuch("it runs without end")


_budget: ContextVar[_Budget | None] = ContextVar("template_budget", default=None)


def run(template: Any, variables: Mapping[str, Any]) -> str:
    """The text of a compiled template. Raises `TooMuch`, and whatever the template's expressions raise."""
    token = _budget.set(_Budget())
    try:
        parts: list[str] = []
        size = 0
        for part in template.generate(**variables):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                raise TooMuch("it writes without end")
            _charge()
        return "".join(parts)
    finally:
        _budget.reset(token)


@lru_cache(maxsize=32)
def compiled(template: str) -> Any:
    """The template, ready to be filled in. Raises `EngineError` when it is damaged."""
    jinja2: Any = require("jinja2", "Chat templates")
    try:
        if len(template) > 2**20:
            raise ValueError("it is longer than a million characters")
        environment = _environment()
        tree = _bounded(environment.parse(template))
        code = environment.compile(tree)
        return jinja2.Template.from_code(environment, code, environment.make_globals(None))
    except MissingExtra:
        raise
    except Exception as error:  # a damaged one can fail in Jinja's parser or in Python's own
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"The model's chat template is damaged: {line}.", "Name another with --template, such as chatml or none."
        ) from error


@lru_cache(maxsize=1)
def _environment() -> Any:
    jinja2: Any = require("jinja2", "Chat templates")
    sandbox: Any = require("jinja2.sandbox", "Chat templates")
    if tuple(int(part) for part in re.findall(r"\d+", jinja2.__version__)[:3]) < _SAFE_SINCE:
        raise MissingExtra(
            f"jinja2 {jinja2.__version__} lets a model's chat template out of its sandbox.",
            f"Run: {install_line('jinja2')} 'jinja2>=3.1.6'",
        )

    class Environment(sandbox.ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"+", "*", "**", "%"})

        def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            _charge(10)
            owner = getattr(function, "__self__", None)
            if isinstance(owner, str):
                _check_text_call(function.__name__, owner, args, kwargs)
            return _sized(super().call(context, function, *args, **kwargs))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            _charge()
            _check_operation(operator, left, right)
            return _sized(super().call_binop(context, operator, left, right))

    class Namespace(jinja2.utils.Namespace):
        # As transformers: nothing that begins with an underscore, so no way to Python's inner parts.
        def __init__(*args: Any, **kwargs: Any) -> None:
            self, values = args[0], dict(*args[1:], **kwargs)
            for name in values:
                Namespace._check(name)
            jinja2.utils.Namespace.__init__(self, values)

        def __setitem__(self, name: str, value: Any) -> None:
            Namespace._check(name)
            super().__setitem__(name, value)

        @staticmethod
        def _check(name: object) -> None:
            if isinstance(name, str) and name.startswith("_"):
                raise jinja2.exceptions.SecurityError(f"a namespace cannot hold {name!r}")

    class Dictionary:
        """`dict(...)`, without the class and what hangs on it."""

        def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
            return dict(*args, **kwargs)

        def fromkeys(self, *args: Any) -> dict[Any, Any]:
            return dict.fromkeys(*args)

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(form: str) -> str:
        return datetime.now().strftime(form)

    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _generation_tag()]
    )
    environment.filters["tojson"] = _tojson
    environment.filters = {name: _counted_filter(name, each) for name, each in environment.filters.items()}
    # The marker keeps Jinja from calling them while it compiles.
    environment.filters["_counted"] = jinja2.pass_context(lambda _, items: _Counted(items))
    environment.filters["_sized"] = jinja2.pass_context(lambda _, value: _sized(value))
    environment.globals.pop("lipsum", None)
    environment.globals.update(
        raise_exception=raise_exception, strftime_now=strftime_now, dict=Dictionary(), namespace=Namespace
    )
    return environment


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _bounded(tree: Any) -> Any:
    """The same template with every loop counted and every text it puts together measured."""
    nodes: Any = require("jinja2.nodes", "Chat templates")
    visitor: Any = require("jinja2.visitor", "Chat templates")

    def through(name: str, node: Any, line: int) -> Any:
        return nodes.Filter(node, name, [], [], None, None, lineno=line)

    class Bounds(visitor.NodeTransformer):
        def visit_For(self, node: Any) -> Any:
            self.generic_visit(node)
            node.iter = through("_counted", node.iter, node.lineno)
            return node

        def visit_Concat(self, node: Any) -> Any:
            self.generic_visit(node)
            return through("_sized", node, node.lineno)

        def visit_AssignBlock(self, node: Any) -> Any:
            self.generic_visit(node)
            node.filter = through("_sized", node.filter, node.lineno)
            return node

    bounded = Bounds().visit(tree)
    bounded.set_environment(tree.environment)
    return bounded


class _Counted:
    """What a loop goes over, a step a round; with a length where it has one, which `loop` asks for."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            _charge()
            yield item

    def __len__(self) -> int:
        return len(self._items)


def _counted_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        _charge()
        if name == "join":
            # The text is the second argument, after Jinja's own.
            items = list(args[1])
            args = (args[0], items, *args[2:])
            _check_join(items, str(args[2]) if len(args) > 2 else str(kwargs.get("d", "")))
        elif name == "replace" and len(args) > 3:
            _check_replace(str(args[1]), str(args[2]), str(args[3]))
        elif name == "format":
            _check_percent(str(args[0]), args[1:])
        elif name in _WIDTHS:
            _check_widths((*args[1:], *kwargs.values()))
        return _sized(function(*args, **kwargs))

    return counted


def _check_text_call(name: str, owner: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if name in ("format", "format_map") and _WIDE_BRACES.search(owner):
        raise TooMuch("it formats too wide a text")
    if name == "replace" and len(args) > 1:
        _check_replace(owner, str(args[0]), str(args[1]))
    if name == "join" and args and isinstance(args[0], list | tuple):
        _check_join(list(args[0]), owner)
    if name in _WIDTHS:
        _check_widths((*args, *kwargs.values()))


def _check_operation(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        _check_percent(left, right if isinstance(right, tuple) else (right,))
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        if left.bit_length() * abs(right) > _WIDEST:
            raise TooMuch("it computes too large a number")
    elif operator == "*":
        for one, other in ((left, right), (right, left)):
            if not isinstance(other, int):
                continue
            if isinstance(one, str | list | tuple) and len(one) * other > _LONGEST_LIST:
                raise TooMuch("it repeats a text too often")
            if isinstance(one, int) and one.bit_length() + other.bit_length() > _WIDEST:
                raise TooMuch("it computes too large a number")


def _check_percent(form: str, values: tuple[Any, ...]) -> None:
    if _WIDE_PERCENT.search(form):
        raise TooMuch("it formats too wide a text")


def _check_widths(values: tuple[Any, ...]) -> None:
    if any(isinstance(value, int) and abs(value) > _WIDEST for value in values):
        raise TooMuch("it formats too wide a text")


def _check_replace(text: str, old: str, new: str) -> None:
    if (text.count(old) if old else len(text) + 1) * len(new) > LARGEST:
        raise TooMuch("it writes too long a text")


def _check_join(items: list[Any], between: str) -> None:
    _charge(len(items))
    if sum(len(item) for item in items if isinstance(item, str)) + len(between) * len(items) > LARGEST:
        raise TooMuch("it writes too long a text")


def _sized(value: Any) -> Any:
    """The value, if it is not too large."""
    if isinstance(value, str):
        _charge(len(value) // 256)
        if len(value) > LARGEST:
            raise TooMuch("it writes too long a text")
    elif isinstance(value, list | tuple):
        _charge(len(value) // 256)
        if len(value) > _LONGEST_LIST:
            raise TooMuch("it makes too long a list")
    return value


def _charge(steps: int = 1) -> None:
    # Without a budget Jinja works out a constant while it compiles; what is too large is refused all the same.
    if (budget := _budget.get()) is not None:
        budget.charge(steps)


def _generation_tag() -> Any:
    """The extension for `{% generation %}`, which marks the assistant's text for training and writes nothing itself."""
    extension: Any = require("jinja2.ext", "Chat templates")
    nodes: Any = require("jinja2.nodes", "Chat templates")

    class Generation(extension.Extension):
        tags = frozenset({"generation"})

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    return Generation
