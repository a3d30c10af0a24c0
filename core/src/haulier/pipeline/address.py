"""From the pieces of an address to the addresses of a block of records.

What does not change about an address is rendered once a run. What comes from records is rendered by functions
over whole blocks that were compiled once; nothing is parsed on the way of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import msgspec

from haulier.errors import DestinationError
from haulier.model.column import Column, Escape, Fault, Record, join_columns, text_of
from haulier.model.expression import Expression, RunFacts, compile_render
from haulier.model.headers import HeaderTemplate, header_value
from haulier.model.request import Header
from haulier.model.url import (
    PathPiece,
    PathValue,
    QueryItem,
    check_rendered,
    check_segment,
    quote,
)

__all__ = ["Address", "AddressTemplate", "CompiledAddress", "compile_address", "with_attributes"]

_HALF = Fault("holds half a surrogate pair")
# Told apart by identity from a header whose value is empty.
_LEFT_OUT = "\0left out"
_HeaderRows: TypeAlias = Callable[[Sequence[Record]], Iterable["tuple[Header, ...] | Fault"]]


class Address(msgspec.Struct, frozen=True, gc=False):
    """Where a request goes: a canonical URL and the headers written for it. Only equal ones share a batch."""

    url: str
    headers: tuple[Header, ...] = ()


class AddressTemplate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An address as configured.

    origin and base_path: canonical, the path without a slash at its end. path: goes on from there with `/`.
    query and headers keep their order. booleans: "words" or "digits", as the service reads them.
    """

    method: str
    origin: str
    base_path: str = ""
    path: tuple[PathPiece, ...]
    query: tuple[QueryItem, ...] = ()
    headers: tuple[HeaderTemplate, ...] = ()
    booleans: str = "words"

    @property
    def record_paths(self) -> tuple[tuple[str, ...], ...]:
        """The attribute paths it reads, in order."""
        return tuple(path for expression in self._expressions() for path in expression.record_paths)

    @property
    def needs_record(self) -> bool:
        """Whether it reads from records."""
        return bool(self.record_paths)

    @property
    def varies(self) -> bool:
        """Whether it uses the run's start or id, so that it differs from run to run."""
        return any(expression.varies for expression in self._expressions())

    @property
    def url_needs_record(self) -> bool:
        """Whether its path or query reads from records."""
        return any(expression.needs_record for expression in self._url_expressions())

    @property
    def record_headers(self) -> tuple[str, ...]:
        """The names of the headers that read from records."""
        return tuple(header.name for header in self.headers if header.expression.needs_record)

    def _expressions(self) -> Iterable[Expression]:
        yield from self._url_expressions()
        yield from (header.expression for header in self.headers)

    def _url_expressions(self) -> Iterable[Expression]:
        yield from (piece.expression for piece in self.path if isinstance(piece, PathValue))
        yield from (item.expression for item in self.query if item.expression is not None)


class CompiledAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address of one run. constant: the one address of all records; None where it is read from records.

    Another process compiles it anew.
    """

    record_paths: tuple[tuple[str, ...], ...]
    constant: Address | None
    _render: Callable[[Sequence[Record]], list[Address | Fault]]
    _made_of: tuple[AddressTemplate, RunFacts]

    @property
    def needs_record(self) -> bool:
        """Whether addresses are read from records."""
        return self.constant is None

    def block(self, records: Sequence[Record]) -> list[Address | Fault]:
        """The address of each record, or why it has none. Equal neighbours are the same object."""
        if self.constant is not None:
            return [self.constant] * len(records)
        return self._render(records)

    def __reduce__(self) -> tuple[Any, ...]:
        """As what it is compiled of."""
        return compile_address, self._made_of


def compile_address(template: AddressTemplate, facts: RunFacts) -> CompiledAddress:
    """The address with the facts of a run filled in.

    ExpressionError names a param that was not given; DestinationError says why written text is no address.
    """
    render, made_of = _compile_rows(template, facts), (template, facts)
    if template.needs_record:
        return CompiledAddress(
            record_paths=template.record_paths, constant=None, _render=render, _made_of=made_of
        )
    (constant,) = render([{}])
    if isinstance(constant, Fault):
        raise DestinationError(f"the address at {template.origin}: {constant.reason}")
    return CompiledAddress(record_paths=(), constant=constant, _render=render, _made_of=made_of)


def _compile_rows(
    template: AddressTemplate, facts: RunFacts
) -> Callable[[Sequence[Record]], list[Address | Fault]]:
    urls, headers = _compile_urls(template, facts), _compile_headers(template, facts)
    origin, base_path = template.origin, template.base_path

    def rows(records: Sequence[Record]) -> list[Address | Fault]:
        found: list[Address | Fault] = []
        last: Address | None = None
        for url, pairs in zip(urls(records), headers(records), strict=False):
            if isinstance(url, Fault):
                found.append(url)
            elif isinstance(pairs, Fault):
                found.append(pairs)
            elif last is not None and last.url == url and last.headers == pairs:
                found.append(last)
            elif reason := check_rendered(url, origin, base_path):
                found.append(Fault(f"the address {reason}"))
            else:
                last = Address(url, pairs)
                found.append(last)
        return found

    return rows


# -- path and query ----------------------------------------------------------------------------------


def _compile_urls(template: AddressTemplate, facts: RunFacts) -> Column:
    path: list[str | Column] = [template.origin + template.base_path]
    path += [piece if isinstance(piece, str) else _path_part(piece, facts) for piece in template.path]
    always = all(item.required for item in template.query)
    mark = "" if always else "&"
    query = [
        _query_part(item, mark, facts, "words" if item.words else template.booleans)
        for item in template.query
    ]
    if always:
        for index, pair in enumerate(query):
            path += ["&" if index else "?", pair]
        return join_columns(path)
    # Which pair comes first is known per record only: each brings its `&`, and the first one becomes `?`.
    paths, queries = join_columns(path), join_columns(query)
    return lambda records: list(map(_with_query, paths(records), queries(records)))


def _with_query(path: str | Fault, query: str | Fault) -> str | Fault:
    if isinstance(path, Fault):
        return path
    if isinstance(query, Fault):
        return query
    return f"{path}?{query[1:]}" if query else path


def _path_part(piece: PathValue, facts: RunFacts) -> str | Column:
    def segment(text: str) -> str | Fault:
        return Fault(reason) if (reason := check_segment(text)) else _quoted(text)

    expression = piece.expression.resolve(facts)
    return _part(expression, f"path parameter {piece.name}", segment, "words")


def _query_part(item: QueryItem, mark: str, facts: RunFacts, booleans: str) -> str | Column:
    """A pair as `name=value` with `mark` before it; nothing where it is left out for want of an attribute."""
    name = item.name if item.written else quote(item.name)
    start = mark + name
    if item.expression is None:
        return start
    # Written text stands in URL form, only what is filled in is quoted; other text is quoted with it.
    escape = _quoted if item.written else None

    def pair(text: str) -> str | Fault:
        value = text if escape else _quoted(text)
        return value if isinstance(value, Fault) else f"{start}={value}"

    expression = item.expression.resolve(facts, escape)
    label = f"query parameter {item.name}"
    return _part(expression, label, pair, booleans, escape=escape, absent=None if item.required else "")


def _quoted(text: str) -> str | Fault:
    try:
        return quote(text)
    except UnicodeEncodeError:
        return _HALF


def _part(
    expression: Expression,
    label: str,
    finish: Escape,
    booleans: str,
    *,
    escape: Escape | None = None,
    absent: str | None = None,
) -> str | Column:
    """One value in its final form: text where it is the same for all records, else a column.

    `absent` stands for a value that has no attribute to come from; None makes that a fault.
    """
    texts = compile_render(expression, escape=escape, booleans=booleans)

    def finished(text: str | Fault) -> str | Fault:
        done = text if isinstance(text, Fault) else finish(text)
        if not isinstance(done, Fault):
            return done
        if done.absent and absent is not None:
            return absent
        return Fault(f"{label}{': ' if done is text else ' '}{done.reason}", done.absent)

    def column(records: Sequence[Record]) -> list[str | Fault]:
        found: list[str | Fault] = []
        last: str | Fault | None = None
        done: str | Fault = ""
        for text in texts(records):
            if text is not last:
                last, done = text, finished(text)
            found.append(done)
        return found

    if expression.needs_record:
        return column
    (only,) = column([{}])
    if isinstance(only, Fault):
        raise DestinationError(f"{expression.place}: {only.reason}; write another value")
    return only


# -- headers -----------------------------------------------------------------------------------------


def _compile_headers(template: AddressTemplate, facts: RunFacts) -> _HeaderRows:
    names = [header.name for header in template.headers]
    parts = [_header_part(header, facts, template.booleans) for header in template.headers]
    if all(isinstance(part, str) for part in parts):
        constant = tuple((name, str(part)) for name, part in zip(names, parts, strict=True))
        return lambda _: repeat(constant)

    def rows(records: Sequence[Record]) -> list[tuple[Header, ...] | Fault]:
        columns = [repeat(part) if isinstance(part, str) else part(records) for part in parts]
        return [_header_row(names, values) for values in zip(*columns, strict=False)]

    return rows


def _header_row(names: Sequence[str], values: Sequence[str | Fault]) -> tuple[Header, ...] | Fault:
    row: list[Header] = []
    for name, value in zip(names, values, strict=True):
        if isinstance(value, Fault):
            return value
        if value is not _LEFT_OUT:
            row.append((name, value))
    return tuple(row)


def _header_part(header: HeaderTemplate, facts: RunFacts, booleans: str) -> str | Column:
    absent = None if header.required else _LEFT_OUT
    expression = header.expression.resolve(facts)
    return _part(expression, f"header {header.name}", header_value, booleans, absent=absent)


# -- attributes in the query -------------------------------------------------------------------------


def with_attributes(address: Address, record: Record, booleans: str = "words") -> Address | Fault:
    """The address with each attribute of a record as a query parameter, in order; null ones are left out.

    A list, an object, or an attribute that the address has as a parameter already is a fault.
    """
    before, _, query = address.url.partition("?")
    pairs = [query] if query else []
    taken = {pair.partition("=")[0] for pair in query.split("&")} if query else set()
    for attribute, value in record.items():
        text = text_of(value, attribute, digits=booleans == "digits")
        if isinstance(text, Fault):
            if text.absent:
                continue
            return text
        name, value_quoted = _quoted(attribute), _quoted(text)
        if isinstance(name, Fault) or isinstance(value_quoted, Fault):
            return Fault(f"attribute `{attribute}` {_HALF.reason}")
        if name in taken:
            return Fault(
                f"attribute `{attribute}` is a parameter of the address already; list it under `exclude`"
            )
        pairs.append(f"{name}={value_quoted}")
    if not pairs:
        return address
    return Address(f"{before}?{'&'.join(pairs)}", address.headers)
