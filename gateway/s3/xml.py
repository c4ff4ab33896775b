"""Bounded XML in, namespaced XML out.

In: `parse_xml` makes a small tree of Elements with Expat. A DTD is refused outright, so there
are no entities to expand; size, depth and the number of elements are bounded; the encoding is
UTF-8 (UTF-16 with a byte order mark) whatever the declaration says. All that is wrong raises
MalformedXML. Names lose their prefix: clients send S3's namespace, none, or one of their own.
Text keeps its white space, for a key may begin or end with some.

Out: documents are text, built from `element` and `escape` and joined once. That is quick
enough for a page of 1,000 keys, and so serves for all answers. Characters that XML 1.0 cannot
hold (a key may contain control characters) go out as character references such as `&#x1;`, as
S3 sends them: strict parsers refuse these, and encoding-type=url is the client's way around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from gateway.s3.errors import MalformedXML

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_ELEMENTS = 100_000

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


# ---------------------------------------------------------------- in


@dataclass(slots=True)
class Element:
    """One element: its name and its attributes' names without prefixes, and a leaf's text, unstripped."""

    name: str
    attributes: Mapping[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, name: str) -> Element | None:
        """The one child called `name`; None where there is none, MalformedXML where there are more."""
        found = self.find_all(name)
        if len(found) > 1:
            raise MalformedXML
        return found[0] if found else None

    def find_all(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def child_text(self, name: str) -> str | None:
        """The text of the child called `name`, None where it is absent."""
        child = self.find(name)
        return None if child is None else child.text


def parse_xml(body: bytes, root: str, *, max_bytes: int = MAX_BYTES) -> Element:
    """The tree of a document whose root is called `root`; MalformedXML for anything else."""
    if len(body) > max_bytes:
        raise MalformedXML
    tree = _TreeBuilder().build(body)
    if tree.name != root:
        raise MalformedXML
    return tree


class _TreeBuilder:
    """Expat's events into Elements; a stack in place of recursion."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(encoding="utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._root: Element | None = None
        self._open: list[Element] = []
        self._pieces: list[str] = []
        self._count = 0

    def build(self, body: bytes) -> Element:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            raise MalformedXML from error
        if self._root is None:
            raise MalformedXML
        return self._root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise MalformedXML
        local = {_local(key): value for key, value in attributes.items()} if attributes else {}
        element = Element(_local(name), local)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._pieces = []

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if not element.children:  # text between children is layout
            element.text = "".join(self._pieces)
        self._pieces = []

    def _text(self, text: str) -> None:
        self._pieces.append(text)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_declaration: object) -> NoReturn:
    raise MalformedXML


# ---------------------------------------------------------------- out

_ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_SPECIAL = re.compile(f'[&<>"\r{_ILLEGAL}]')  # a bare CR would be read back as LF
_UNPRINTABLE = re.compile(f"[{_ILLEGAL}]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """`text` as character data or an attribute's value."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def legible(text: str) -> str:
    """`text` with U+FFFD for whatever XML cannot hold: for errors, which every client must be able to read."""
    return _UNPRINTABLE.sub("\ufffd", text)


def element(name: str, text: str) -> str:
    """`<name>text</name>`, the text escaped."""
    return f"<{name}>{escape(text)}</{name}>"


def optional(name: str, text: str | None) -> str:
    """`element`, or nothing where there is no text to hold."""
    return "" if text is None else element(name, text)


def group(name: str, *content: str) -> str:
    """An element around content that is XML already."""
    return f"<{name}>{''.join(content)}</{name}>"


def document(name: str, *content: str, namespace: str | None = NAMESPACE) -> bytes:
    """A whole document: the declaration, and `content`, XML already, within the root `name`."""
    start = f'{name} xmlns="{namespace}"' if namespace else name
    return f"{_DECLARATION}<{start}>{''.join(content)}</{name}>".encode()
