"""Bytes of Kafka's protocol, written and read: big-endian numbers, and strings and arrays in the
two encodings that requests use, the old one and the `flexible` one (KIP-482: varint lengths plus
one, and tagged fields at the end of every structure)."""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class Writer:
    def __init__(self, flexible: bool) -> None:
        self.flexible = flexible
        self.parts: list[bytes] = []

    def number(self, kind: str, value: int) -> Writer:
        """`kind` is struct's letter: b int8, h int16, i int32, q int64, ? bool."""
        self.parts.append(struct.pack(">" + kind, value))
        return self

    def varint(self, value: int) -> Writer:
        out = bytearray()
        while value > 0x7f:
            out.append(value & 0x7f | 0x80)
            value >>= 7
        out.append(value)
        self.parts.append(bytes(out))
        return self

    def length(self, count: int | None, kind: str) -> Writer:
        """A length, None for null."""
        if self.flexible:
            return self.varint(0 if count is None else count + 1)
        return self.number(kind, -1 if count is None else count)

    def string(self, value: str | None) -> Writer:
        data = None if value is None else value.encode()
        self.length(None if data is None else len(data), "h")
        if data:
            self.parts.append(data)
        return self

    def raw(self, data: bytes) -> Writer:
        self.parts.append(data)
        return self

    def array(self, items: Iterable[T] | None, write: Callable[[T], object]) -> Writer:
        listed = None if items is None else list(items)
        self.length(None if listed is None else len(listed), "i")
        for item in listed or ():
            write(item)
        return self

    def tags(self) -> Writer:
        """No tagged fields: the end of a structure."""
        return self.varint(0) if self.flexible else self

    def bytes(self) -> bytes:
        return b"".join(self.parts)


class Reader:
    def __init__(self, data: bytes, flexible: bool) -> None:
        self.data = data
        self.flexible = flexible
        self.at = 0

    def number(self, kind: str) -> int:
        size = struct.calcsize(">" + kind)
        value: int = struct.unpack_from(">" + kind, self.data, self.at)[0]
        self.at += size
        return value

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, kind: str) -> int | None:
        count = self.varint() - 1 if self.flexible else self.number(kind)
        return None if count < 0 else count

    def string(self) -> str | None:
        count = self.length("h")
        return None if count is None else self.raw(count).decode()

    def raw(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("the answer is shorter than it says")
        self.at += count
        return self.data[self.at - count:self.at]

    def array(self, read: Callable[[], T]) -> list[T]:
        return [read() for _ in range(self.length("i") or 0)]

    def ints(self) -> tuple[int, ...]:
        """An array of int32."""
        count = self.length("i") or 0
        return struct.unpack(f">{count}i", self.raw(4 * count))

    def tags(self) -> None:
        """Skips the tagged fields at the end of a structure."""
        if self.flexible:
            for _ in range(self.varint()):
                self.varint()
                self.raw(self.varint())
