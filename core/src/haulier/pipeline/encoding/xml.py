"""`xml`: records as elements, https://www.w3.org/TR/xml/. Never a document type, never an entity of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from haulier.errors import DestinationError, RecordError
from haulier.model.media_type import TextMediaType
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.media import MediaSettings, media_type_field
from haulier.pipeline.encoding.values import Booleans, decoded_at_once, holds_records, opened, scalar_text

__all__ = ["XML", "XmlSettings", "encode", "xml_text"]

_MEDIA_TYPE = "application/xml"
_RULE = "letters, digits, `_`, `-` and `.` make one, a letter or `_` begins it, and `xml` does not"
# Letters that parsers of every edition take in a name, without the colon of namespaces; CombiningChar and the rarer
# alphabets are left out. https://www.w3.org/TR/2006/REC-xml-20060816/#CharClasses
_LETTERS = (
    "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e\u0386\u0388-\u038a"
    "\u038e-\u03a1\u03a3-\u03ce\u0401-\u040c\u040e-\u044f\u0451-\u045c\u05d0-\u05ea\u0621-\u063a\u0641-\u064a"
    "\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3"
)
# All but https://www.w3.org/TR/xml/#charsets; what is allowed, turned about, takes ten times as long to compile.
_FORBIDDEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
# A carriage return would be read as a line feed, white space in an attribute as a space.
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_MARKUP = re.compile("[&<>\r]")
_QUOTED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
# Either an end tag, or an element still to be written: its name and its value.
_Pending: TypeAlias = "list[str | tuple[str, Any]]"


@cache
def _name_pattern() -> re.Pattern[str]:
    """What a name matches. Made when first asked for: that takes 10 ms, which few starts have a use for."""
    return re.compile(f"(?![xX][mM][lL])[{_LETTERS}][{_LETTERS}0-9.-]*")


def _element_name(value: str) -> str:
    if not _name_pattern().fullmatch(value):
        raise ValueError(f"{value!r} is no element name; {_RULE}")
    return value


_Name: TypeAlias = Annotated[str, AfterValidator(_element_name)]


class XmlSettings(MediaSettings):
    """Settings of `xml`."""

    root: _Name = Field(default="records", description="the element around the records of a batch")
    record: _Name = Field(
        default="record", description="the element of each record; alone it is the document"
    )
    element: _Name = Field(default="item", description="the element of each value of a list")
    lists: Literal["wrap", "repeat"] = Field(
        default="wrap",
        description=(
            "a list in a record. `wrap`: one element with an `element` for each value; `repeat`: the attribute's "
            "element for each value, nothing for an empty list, lists in lists refused"
        ),
    )
    names: Literal["refuse", "field"] = Field(
        default="refuse",
        description=(
            "an attribute whose name is no element name. `refuse`: the record is rejected; "
            '`field`: it is written as `<field name="...">`'
        ),
    )
    forbidden: Literal["refuse", "replace"] = Field(
        default="refuse",
        description=(
            "characters that XML cannot hold in any way (most control characters). `refuse`: the record is rejected; "
            "`replace`: each becomes U+FFFD"
        ),
    )
    null: Literal["omit", "empty"] = Field(
        default="omit",
        description="`omit`: no element for a null, but in lists an empty one; `empty`: an empty element; in YAML this "
        'key stands in quotes, `"null": empty`',
    )
    booleans: Booleans = "words"
    namespace: str = Field(default="", description="the default namespace of the document, as its `xmlns`")
    declaration: bool = Field(default=True, description='begin with `<?xml version="1.0" encoding="UTF-8"?>`')
    media_type: TextMediaType = media_type_field(_MEDIA_TYPE)


def encode(payload: Payload, settings: XmlSettings) -> Body:
    """A list as `root` with a `record` each, an object around lists of records as `root`, one record as `record`.

    RecordError names in `each` the records of a batch that have no XML.
    """
    payload = opened(payload, "")
    writer = _Writer(settings)
    around = isinstance(payload, Mapping) and holds_records(payload)
    if isinstance(payload, list | tuple):
        writer.begin(settings.root)
        writer.records(payload)
        writer.end(settings.root)
    elif around:
        # Properties beside the records, and theirs, are names that a grouping's settings chose, not attributes.
        if (
            wrong := []
            if settings.names == "field"
            else [name for name in payload if not _name_pattern().fullmatch(name)]
        ):
            raise DestinationError(
                f"content format xml: the property {wrong[0]!r} of the grouping is no element name; choose another "
                "name for it there, or write `names: field` in format_settings"
            )
        writer.begin(settings.root)
        for name, value in payload.items():
            writer.member(name, value)
        writer.end(settings.root)
    elif isinstance(payload, Mapping):
        writer.begin(settings.record)
        writer.members(payload)
        writer.end(settings.record)
    else:
        raise DestinationError(
            f"content format xml carries records, but the payload is a {type(payload).__name__}: choose another "
            "grouping or content format json"
        )
    if writer.faults:
        raise RecordError(writer.faults[0][1], each=writer.faults)
    return Body(parts=(writer.body(),), media_type=settings.media_type)


def xml_text(text: str) -> str:
    """Text as it stands between two tags; characters that XML cannot hold are left as they are."""
    return text.translate(_TEXT)


class _Writer:
    """Writes elements without calling itself: how deep a record nests is not for the stack to say."""

    def __init__(self, settings: XmlSettings) -> None:
        self._settings = settings
        self._out: list[str] = []
        self._tags: dict[str, tuple[str, str]] = {}
        self._forbidden = re.compile(_FORBIDDEN)
        self.faults: list[tuple[Any, str]] = []

    def body(self) -> bytes:
        head = '<?xml version="1.0" encoding="UTF-8"?>\n' if self._settings.declaration else ""
        try:
            return (head + "".join(self._out)).encode()
        except UnicodeEncodeError as error:
            raise RecordError("a text holds half a surrogate pair: mend the text") from error

    def begin(self, name: str) -> None:
        namespace = self._settings.namespace.translate(_QUOTED)
        self._out.append(f'<{name} xmlns="{namespace}">' if namespace else f"<{name}>")

    def end(self, name: str) -> None:
        self._out.append(f"</{name}>\n")

    def records(self, records: Iterable[Any]) -> None:
        """Each record as an element; one that has no XML is kept with its reason, and nothing of it is written."""
        for record in records:
            before = len(self._out)
            self._out.append("\n")
            try:
                found = opened(record, "")
                if isinstance(found, Mapping):
                    self._out.append(f"<{self._settings.record}>")
                    self.members(found)
                    self._out.append(f"</{self._settings.record}>")
                else:
                    self._write(self._settings.record, found, self._settings.record)
            except RecordError as error:
                del self._out[before:]
                self.faults.append((record, str(error)))
        self._out.append("\n")

    def member(self, name: str, value: Any) -> None:
        """What stands beside records, or the records themselves."""
        if isinstance(value, list | tuple) and holds_records({name: value}):
            start, stop = self._tag(name)
            self._out.append(start)
            self.records(value)
            self._out.append(stop)
        else:
            self._write(name, value, name)

    def members(self, attributes: Mapping[str, Any]) -> None:
        for name, value in decoded_at_once(attributes).items():
            self._write(name, value, name)

    def _write(self, name: str, value: Any, attribute: str) -> None:
        if type(value) is str and not self._forbidden.search(value):
            start, stop = self._tag(name)
            self._out += (start, value.translate(_TEXT) if _MARKUP.search(value) else value, stop)
            return
        pending: _Pending = [(name, value)]
        while pending:
            one = pending.pop()
            if isinstance(one, str):
                self._out.append(one)
                continue
            name, value = one
            found = opened(value, attribute)
            if isinstance(found, list | tuple) and self._settings.lists == "repeat":
                pending += reversed([(name, self._plain(inner, attribute)) for inner in found])
                continue
            start, stop = self._tag(name)
            if isinstance(found, Mapping):
                self._out.append(start)
                pending.append(stop)
                pending += reversed(
                    [pair for pair in found.items() if not self._left_out(pair[1], attribute)]
                )
            elif isinstance(found, list | tuple):
                self._out.append(start)
                pending.append(stop)
                # A null is left out of an object; out of a list it would move its neighbours.
                pending += [
                    (self._settings.element, "" if opened(inner, attribute) is None else inner)
                    for inner in reversed(found)
                ]
            elif found is not None or self._settings.null == "empty":
                self._out += (start, self._text(found, attribute), stop)

    def _plain(self, value: Any, attribute: str) -> Any:
        found = opened(value, attribute)
        if isinstance(found, list | tuple):
            raise RecordError(
                f"attribute {attribute!r} is a list with lists in it, which `lists: repeat` cannot carry: "
                "write `lists: wrap`"
            )
        return "" if found is None else found

    def _left_out(self, value: Any, attribute: str) -> bool:
        return self._settings.null == "omit" and opened(value, attribute) is None

    def _text(self, value: Any, attribute: str) -> str:
        if value is None:
            return ""
        if isinstance(value, bytes | FilePart):
            raise RecordError(
                f"attribute {attribute!r} is a file: xml cannot carry one; use multipart or bytes"
            )
        return self._allowed(scalar_text(value, attribute, self._settings.booleans), attribute).translate(
            _TEXT
        )

    def _allowed(self, text: str, attribute: str) -> str:
        found = self._forbidden.search(text)
        if found is None:
            return text
        if self._settings.forbidden == "replace":
            return self._forbidden.sub("\ufffd", text)
        raise RecordError(
            f"attribute {attribute!r} holds U+{ord(found[0]):04X} at character {found.start()}, which XML cannot hold: "
            "mend the text, or write `forbidden: replace`"
        )

    def _tag(self, name: str) -> tuple[str, str]:
        """The tags around an attribute's value."""
        tags = self._tags.get(name)
        if tags is None:
            if _name_pattern().fullmatch(name):
                tags = f"<{name}>", f"</{name}>"
            elif self._settings.names == "field":
                tags = f'<field name="{self._allowed(name, name).translate(_QUOTED)}">', "</field>"
            else:
                raise RecordError(
                    f"attribute {name!r} is no element name ({_RULE}): give it another with `rename`, leave it out "
                    "with `exclude`, or write `names: field` in format_settings"
                )
            self._tags[name] = tags
        return tags


XML = ContentEncoder(
    name="xml",
    title="XML",
    description=(
        "An element for each attribute, in UTF-8: of a batch one document with an element for each record. "
        "No document type, ever."
    ),
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=XmlSettings,
    carries_batches=True,
    needs="members",
    charset="utf-8",
    anywhere=True,
)
