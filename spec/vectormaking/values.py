"""Values that every receiver must take: each type, at both ends of its range, in the one form that it has.

The description in `value` is plain JSON for null, true, false, text, arrays, and integers up to 2^53-1; all else
is `{"type": …, "value": …}`. Vectors whose description would nest too deeply have none.
"""

from __future__ import annotations

from conformance.cbor import (
    FALSE,
    INFINITY,
    MINUS_INFINITY,
    NAN,
    NULL,
    TRUE,
    array,
    bignum,
    f64,
    head,
    integer,
    nested,
    octets,
    pairs,
    record,
    tag,
    text,
)

from .vector import Book, Json, entry

SAFE = 2**53 - 1
DATETIME, DECIMAL, UUID, SET, DATE, REFERENCE, DURATION, TIME = 0, 4, 37, 258, 1004, 41991, 41992, 41993
ID = bytes.fromhex("00112233445566778899aabbccddeeff")
MOST_ITEMS = 1_048_576


def whole(value: int) -> Json:
    """An integer as it is described: as a text where JSON readers may lose digits."""
    return value if -SAFE <= value <= SAFE else {"type": "int", "value": str(value)}


def typed(kind: str, value: Json) -> Json:
    """The description of a value that JSON has no form for."""
    return {"type": kind, "value": value}


def moment(value: str | bytes) -> bytes:
    """A datetime."""
    return tag(DATETIME, text(value))


def day(value: str | bytes) -> bytes:
    """A date."""
    return tag(DATE, text(value))


def clock(value: str | bytes) -> bytes:
    """A time of day."""
    return tag(TIME, text(value))


def span(microseconds: int) -> bytes:
    """A duration."""
    return tag(DURATION, integer(microseconds))


def any_integer(value: int) -> bytes:
    """An integer in the form that its size asks for."""
    return integer(value) if -(2**64) <= value < 2**64 else bignum(value)


def decimal(exponent: int, coefficient: int) -> bytes:
    """A decimal."""
    return tag(DECIMAL, array(integer(exponent), any_integer(coefficient)))


def members(*items: bytes) -> bytes:
    """A set, its members in the order given."""
    return tag(SET, array(*items))


class Shelf:
    """The good values of one book."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def put(
        self, name: str, clause: str, data: bytes, value: Json, meaning: str, diag: str | None = None
    ) -> None:
        """Take one good value."""
        extra: dict[str, Json] = {"value": value}
        self.book.add(entry(name, clause, data, meaning, diag=diag, extra=extra))

    def bare(self, name: str, clause: str, data: bytes, meaning: str) -> None:
        """Take one good value without its description."""
        self.book.add(entry(name, clause, data, meaning))


def fill(book: Book) -> None:
    """Put the good values into the book."""
    shelf = Shelf(book)
    _plain(shelf)
    _integers(shelf)
    _bignums(shelf)
    _floats(shelf)
    _strings(shelf)
    _containers(shelf)
    _calendar(shelf)
    _durations(shelf)
    _decimals(shelf)
    _identities(shelf)
    _sets(shelf)
    _bounds(shelf)


def _plain(shelf: Shelf) -> None:
    shelf.put("null", "VAL-19", NULL, None, "null.")
    shelf.put("false", "VAL-19", FALSE, False, "false.")
    shelf.put("true", "VAL-19", TRUE, True, "true.")


def _integers(shelf: Shelf) -> None:
    edges = (
        0,
        1,
        23,
        24,
        255,
        256,
        2**16 - 1,
        2**16,
        2**32 - 1,
        2**32,
        SAFE,
        2**53,
        2**63 - 1,
        2**63,
        2**64 - 1,
    )
    names = "0 1 23 24 255 256 2^16-1 2^16 2^32-1 2^32 2^53-1 2^53 2^63-1 2^63 2^64-1".split()  # noqa: SIM905
    for value, name in zip(edges, names, strict=True):
        data = integer(value)
        meaning = f"{name}: {len(data)} byte{'s' if len(data) > 1 else ''}."
        shelf.put(f"int.{name}", "VAL-3", data, whole(value), meaning)
        if value:
            shelf.put(
                f"int.minus.{name}",
                "VAL-3",
                integer(-value),
                whole(-value),
                f"-({name}), an integer below 0.",
            )
    shelf.put(
        "int.minus.2^64", "VAL-3", integer(-(2**64)), whole(-(2**64)), "-(2^64), the least without a bignum."
    )
    shelf.put(
        "int.minus.257", "VAL-3", integer(-257), -257, "-257: the first of three bytes, one after -256."
    )


def _bignums(shelf: Shelf) -> None:
    for name, value, meaning in (
        ("2^64", 2**64, "2^64: the first integer that needs a bignum."),
        ("minus.2^64+1", -(2**64) - 1, "-(2^64)-1: the first one below 0 that needs a bignum."),
        ("64-bytes", 2**512 - 1, "2^512-1: 64 bytes, the most."),
        ("minus.64-bytes", -(2**512), "-(2^512): 64 bytes, the least."),
        ("2^504", 2**504, "2^504: the first with 64 bytes."),
    ):
        shelf.put(f"bignum.{name}", "VAL-4", bignum(value), whole(value), meaning)


def _floats(shelf: Shelf) -> None:
    for name, value, meaning in (
        ("zero", 0.0, "0.0 takes 64 bits like every finite float."),
        ("minus-zero", -0.0, "-0.0 differs from 0.0 and is kept."),
        ("one", 1.0, "1.0 is a float and not the integer 1."),
        ("one-and-a-half", 1.5, "1.5 would fit 16 bits and takes 64."),
        ("tenth", 0.1, "The float next to a tenth."),
        ("minus", -4.1, "A float below 0."),
        ("single", 3.4028234663852886e38, "The largest float of 32 bits takes 64."),
        ("largest", 1.7976931348623157e308, "The largest float."),
        ("least-normal", 2.2250738585072014e-308, "The least normal float above 0."),
        ("largest-subnormal", 2.225073858507201e-308, "The largest subnormal float."),
        ("least-subnormal", 5e-324, "The least float above 0, a subnormal one."),
        ("minus-least-subnormal", -5e-324, "The subnormal float next to -0.0."),
        ("2^53+2", 9007199254740994.0, "A whole float beyond 2^53 stays a float."),
    ):
        shelf.put(f"float.{name}", "VAL-5", f64(value), typed("float", repr(value)), meaning)
    shelf.put("float.nan", "VAL-5", NAN, typed("float", "NaN"), "NaN has one form, of 16 bits.")
    shelf.put(
        "float.infinity", "VAL-5", INFINITY, typed("float", "Infinity"), "Infinity has one form, of 16 bits."
    )
    shelf.put(
        "float.minus-infinity",
        "VAL-5",
        MINUS_INFINITY,
        typed("float", "-Infinity"),
        "So does minus infinity.",
    )


def _strings(shelf: Shelf) -> None:
    for name, value, meaning in (
        ("empty", "", "The empty text."),
        ("ascii", "ACME-1", "Six characters, six bytes."),
        ("two-bytes", "\u00fc", "A character of two bytes."),
        ("three-bytes", "\u20ac", "A character of three bytes."),
        ("four-bytes", "\U0001f9fe", "A character of four bytes."),
        ("last", "\U0010ffff", "The last code point of Unicode, which is no character."),
        ("before-surrogates", "\ud7ff", "The code point before the surrogates."),
        ("after-surrogates", "\ue000", "The code point after the surrogates."),
        ("zero", "a\x00b", "A zero byte is a character like others."),
        ("byte-order-mark", "\ufeffa", "A byte order mark is kept."),
        ("not-normalised", "e\u0301", "e and a combining accent stay two code points."),
        ("normalised", "\u00e9", "The same letter as one code point is another text."),
        ("line-ends", "a\r\nb\n", "Line ends are kept."),
        ("23", "x" * 23, "23 bytes: the last length within the first byte."),
        ("24", "x" * 24, "24 bytes: the first length with a byte of its own."),
        ("255", "x" * 255, "255 bytes: the last length in one byte."),
        ("256", "x" * 256, "256 bytes: the first length in two bytes."),
    ):
        shelf.put(f"text.{name}", "VAL-6", text(value), value, meaning)
    for length in (0, 1, 23, 24, 255, 256):
        raw = bytes(at % 256 for at in range(length))
        meaning = f"{length} bytes, whatever they are."
        shelf.put(f"bytes.{length}", "VAL-3", octets(raw), typed("bytes", raw.hex()), meaning)
    raw = bytes.fromhex("8201ff")
    shelf.put(
        "bytes.cbor", "VAL-3", octets(raw), typed("bytes", raw.hex()), "Bytes that look like broken CBOR."
    )
    zeros = b"\x00" * 65_536
    diag = "h'00 ... 65536 bytes'"
    shelf.put(
        "bytes.65536", "VAL-3", octets(zeros), typed("zeros", 65_536), "The first length in four.", diag
    )


def _containers(shelf: Shelf) -> None:
    shelf.put("array.empty", "VAL-3", array(), [], "The empty array.")
    shelf.put(
        "array.mixed",
        "VAL-3",
        array(integer(1), text("a"), NULL, array(TRUE)),
        [1, "a", None, [True]],
        "Any.",
    )
    for length in (23, 24, 255, 256):
        shelf.put(
            f"array.{length}",
            "VAL-3",
            array(*[integer(0)] * length),
            [0] * length,
            f"An array of {length} zeros.",
        )
    shelf.put("map.empty", "VAL-7", pairs(), typed("map", []), "The empty map.")
    one, two = (text("a"), integer(1)), (text("b"), integer(2))
    shelf.put(
        "map.text", "VAL-7", pairs(one, two), typed("map", [["a", 1], ["b", 2]]), "Keys that are texts."
    )
    shelf.put(
        "map.text.descending",
        "VAL-7",
        pairs(two, one),
        typed("map", [["b", 2], ["a", 1]]),
        "The same entries in another order are another value: the order is kept.",
    )
    shelf.put(
        "map.text.empty-key", "VAL-7", pairs((text(""), NULL)), typed("map", [["", None]]), "An empty key."
    )
    shelf.put(
        "map.text.not-normalised",
        "VAL-7",
        pairs((text("\u00e9"), integer(1)), (text("e\u0301"), integer(2))),
        typed("map", [["\u00e9", 1], ["e\u0301", 2]]),
        "Two keys that look alike are two keys: nothing is normalised.",
    )
    shelf.put(
        "map.text.digits",
        "VAL-7",
        pairs((text("1"), TRUE)),
        typed("map", [["1", True]]),
        "The text 1 is not the integer 1.",
    )
    edges = (0, 1, -1, 2**53, -(2**63), 2**64 - 1)
    shelf.put(
        "map.int",
        "VAL-7",
        pairs(*((integer(key), NULL) for key in edges)),
        typed("map", [[whole(key), None] for key in edges]),
        "Keys that are integers of up to 64 bits, in any order.",
    )
    shelf.put("map.24", "VAL-7", *_many(24), "24 entries: the first count with a byte of its own.")
    shelf.put(
        "record",
        "VAL-7",
        record(number=text("ACME-1"), lines=array(record(amount=decimal(-2, 1250), paid=NULL))),
        typed(
            "map",
            [
                ["number", "ACME-1"],
                ["lines", [typed("map", [["amount", typed("decimal", "12.50")], ["paid", None]])]],
            ],
        ),
        "A record is a map with the names of its fields as keys; a field that is null is not an absent one.",
    )
    shelf.put("enum", "VAL-6", text("OVERDUE"), "OVERDUE", "A member of an enumeration is its name, a text.")


def _many(count: int) -> tuple[bytes, Json]:
    keys = [f"k{at:02}" for at in range(count)]
    return pairs(*((text(key), integer(1)) for key in keys)), typed("map", [[key, 1] for key in keys])


def _calendar(shelf: Shelf) -> None:
    for name, value, meaning in (
        ("utc", "2026-11-23T08:30:00Z", "A moment in UTC."),
        ("fraction-1", "2026-11-23T08:30:00.5Z", "One digit of fraction."),
        ("fraction-6", "2026-11-23T08:30:00.000001Z", "Six digits of fraction, the most."),
        ("fraction-inner-zeros", "2026-11-23T08:30:00.1002Z", "Zeros before the last digit are kept."),
        ("offset", "2026-11-23T09:30:00+01:00", "The offset is a part of the value."),
        ("offset.minus", "2026-11-23T03:00:00-05:30", "An offset to the west, with half an hour."),
        ("offset.fraction", "2026-11-23T09:30:00.25+01:00", "A fraction and an offset."),
        ("offset.most", "2026-11-23T09:30:00+23:59", "The largest offset."),
        ("offset.least", "2026-11-23T09:30:00-23:59", "The least offset."),
        ("offset.minute", "2026-11-23T09:30:00+00:01", "The offset next to UTC."),
        ("first", "0001-01-01T00:00:00Z", "The first moment."),
        ("last", "9999-12-31T23:59:59.999999Z", "The last moment."),
        ("leap-day", "2024-02-29T12:00:00Z", "The leap day of a leap year."),
        ("leap-day-400", "2000-02-29T12:00:00Z", "The leap day of a year that 400 divides."),
    ):
        shelf.put(f"datetime.{name}", "VAL-9", moment(value), typed("datetime", value), meaning)
    for name, value, meaning in (
        ("plain", "2026-11-23", "A day."),
        ("first", "0001-01-01", "The first day."),
        ("last", "9999-12-31", "The last day."),
        ("leap-day", "2024-02-29", "The leap day of a leap year."),
    ):
        shelf.put(f"date.{name}", "VAL-10", day(value), typed("date", value), meaning)
    for name, value, meaning in (
        ("midnight", "00:00:00", "The first time of a day."),
        ("last", "23:59:59.999999", "The last time of a day."),
        ("fraction-1", "12:30:00.5", "One digit of fraction."),
        ("fraction-6", "12:30:00.000001", "Six digits of fraction."),
    ):
        shelf.put(f"time.{name}", "VAL-11", clock(value), typed("time", value), meaning)


def _durations(shelf: Shelf) -> None:
    for name, value, meaning in (
        ("zero", 0, "No time."),
        ("microsecond", 1, "The least duration above nothing."),
        ("minus-microsecond", -1, "A duration may be negative."),
        ("day", 86_400_000_000, "A day."),
        ("most", 2**63 - 1, "2^63-1 microseconds, the most."),
        ("least", -(2**63 - 1), "-(2^63-1) microseconds, the least."),
    ):
        shelf.put(f"duration.{name}", "VAL-12", span(value), typed("duration", str(value)), meaning)


def _decimals(shelf: Shelf) -> None:
    for name, exponent, coefficient, value, meaning in (
        ("price", -2, 1250, "12.50", "Trailing zeros are a part of the value."),
        ("price-short", -1, 125, "12.5", "The same number with one digit less is another value."),
        ("minus", -2, -1, "-0.01", "A decimal below 0."),
        ("whole", 0, 42, "42", "The exponent 0."),
        ("zero", 0, 0, "0", "Zero."),
        ("zero-cents", -2, 0, "0.00", "Zero with two places."),
        ("zero-exponent", 2, 0, "0E+2", "Zero with an exponent above 0."),
        ("thousands", 3, 5, "5E+3", "An exponent above 0 is kept."),
        ("coefficient-2^64-1", 0, 2**64 - 1, str(2**64 - 1), "The largest coefficient that is no bignum."),
        ("coefficient-2^64", 0, 2**64, str(2**64), "The first coefficient that is a bignum."),
        ("coefficient-most", 0, 10**34 - 1, "9" * 34, "34 digits, the most."),
        ("coefficient-least", 0, 1 - 10**34, "-" + "9" * 34, "34 digits below 0."),
        ("exponent-most", 6111, 1, "1E+6111", "The largest exponent."),
        ("exponent-least", -6176, 1, "1E-6176", "The least exponent."),
        ("largest", 6111, 10**34 - 1, "9." + "9" * 33 + "E+6144", "The largest decimal."),
    ):
        shelf.put(
            f"decimal.{name}", "VAL-13", decimal(exponent, coefficient), typed("decimal", value), meaning
        )


def _identities(shelf: Shelf) -> None:
    for name, raw, meaning in (
        ("plain", ID, "16 bytes."),
        ("zero", bytes(16), "The nil UUID is a value like others."),
        ("most", b"\xff" * 16, "So is the largest."),
    ):
        hexed = raw.hex()
        told = "-".join((hexed[:8], hexed[8:12], hexed[12:16], hexed[16:20], hexed[20:]))
        shelf.put(f"uuid.{name}", "VAL-14", tag(UUID, octets(raw)), typed("uuid", told), meaning)
    for name, number in (("1", 1), ("2", 2), ("2^53-1", SAFE)):
        meaning = f"Reference {name} of this session."
        shelf.put(
            f"reference.{name}",
            "VAL-16",
            tag(REFERENCE, integer(number)),
            typed("reference", number),
            meaning,
        )
    shelf.put(
        "reference.inside",
        "VAL-16",
        record(on_progress=tag(REFERENCE, integer(3)), steps=integer(5)),
        typed("map", [["on_progress", typed("reference", 3)], ["steps", 5]]),
        "A callback among other fields.",
    )


def _sets(shelf: Shelf) -> None:
    def kept(name: str, described: list[Json], meaning: str, *items: bytes) -> None:
        shelf.put(f"set.{name}", "VAL-15", members(*items), typed("set", described), meaning)

    kept("empty", [], "The empty set.")
    kept("one", [1], "A set of one.", integer(1))
    kept(
        "int",
        [0, 23, 24, 256, -1, -25],
        "Integers, sorted by their encoded bytes: those below 0 come after the others.",
        *map(integer, (0, 23, 24, 256, -1, -25)),
    )
    kept(
        "int.bignum",
        [whole(2**64 - 1), -1, whole(2**64)],
        "A bignum is an integer too, and its tag sorts it behind the others.",
        integer(2**64 - 1),
        integer(-1),
        bignum(2**64),
    )
    kept(
        "text",
        ["", "b", "aa"],
        "Shorter texts come first: their heads are less.",
        text(""),
        text("b"),
        text("aa"),
    )
    kept(
        "bytes",
        [typed("bytes", "ff"), typed("bytes", "0000")],
        "Shorter byte strings come first.",
        octets(b"\xff"),
        octets(b"\0\0"),
    )
    kept("bool", [False, True], "false is before true.", FALSE, TRUE)
    kept(
        "float",
        [typed("float", value) for value in ("Infinity", "0.0", "1.5", "-1.5")],
        "Floats: infinity has the shorter form and comes first, the sign bit puts negative ones last.",
        INFINITY,
        f64(0.0),
        f64(1.5),
        f64(-1.5),
    )
    kept(
        "date",
        [typed("date", "2026-11-23"), typed("date", "2026-11-24")],
        "Dates.",
        day("2026-11-23"),
        day("2026-11-24"),
    )
    kept(
        "time",
        [typed("time", "08:00:00"), typed("time", "09:00:00")],
        "Times.",
        clock("08:00:00"),
        clock("09:00:00"),
    )
    first, second = "2026-11-23T08:30:00Z", "2026-11-24T08:30:00Z"
    kept(
        "datetime",
        [typed("datetime", first), typed("datetime", second)],
        "Datetimes.",
        moment(first),
        moment(second),
    )
    kept("duration", [typed("duration", "1"), typed("duration", "-1")], "Durations.", span(1), span(-1))
    kept(
        "decimal",
        [typed("decimal", "2"), typed("decimal", "1.5")],
        "Decimals sort by bytes, not by number: exponent 0 is before exponent -1.",
        decimal(0, 2),
        decimal(-1, 15),
    )
    kept(
        "uuid",
        [
            typed("uuid", "00000000-0000-0000-0000-000000000000"),
            typed("uuid", "00112233-4455-6677-8899-aabbccddeeff"),
        ],
        "UUIDs.",
        tag(UUID, octets(bytes(16))),
        tag(UUID, octets(ID)),
    )


def _bounds(shelf: Shelf) -> None:
    shelf.bare("depth.64.arrays", "VAL-17", nested(63, array()), "64 arrays, the innermost is empty.")
    shelf.bare(
        "depth.64.scalar", "VAL-17", nested(64, NULL), "64 arrays; what is no container counts nothing."
    )
    data = pairs()
    for _ in range(63):
        data = pairs((text("a"), data))
    shelf.bare("depth.64.maps", "VAL-17", data, "64 maps.")
    identity = tag(UUID, octets(bytes(16)))
    shelf.bare("depth.64.tag", "VAL-17", nested(63, identity), "63 arrays and a tag, which counts one.")
    shelf.bare(
        "depth.64.decimal",
        "VAL-17",
        nested(62, decimal(-1, 15)),
        "62 arrays, and the tag and the array of a decimal.",
    )
    shelf.bare(
        "depth.64.set", "VAL-17", nested(62, members(TRUE)), "62 arrays, and the tag and the array of a set."
    )
    shelf.put(
        "items.most",
        "VAL-18",
        head(4, MOST_ITEMS - 1) + NULL * (MOST_ITEMS - 1),
        typed("nulls", MOST_ITEMS - 1),
        "1,048,576 items, the most: the array and 1,048,575 nulls in it.",
        "[null, ... 1048575 times]",
    )
    parts = tagged_items(0)
    shelf.book.add(
        entry(
            "items.most.tags",
            "VAL-18",
            b"".join(part * times for part, times in parts),
            "1,048,576 items: an array, 262,143 decimals of four items each, and three nulls.",
            diag="[4([0, 0]), ... 262143 times, null, null, null]",
            parts=parts,
        )
    )
    parts = hashed()
    shelf.book.add(
        entry(
            "squares.most",
            "VAL-22",
            b"".join(part * times for part, times in parts),
            "128 maps and 128 sets of 1,024 integers each: the squares of their sizes are 2^28 together, the most.",
            diag="[{0: null, ... 1023: null}, ... 128 times, 258([0, ... 1023]), ... 128 times]",
            parts=parts,
        )
    )


def hashed(*more: bytes) -> list[tuple[bytes, int]]:
    """As many integer keys and elements of sets as a body may have (VAL-22), and `more`, all in one array."""
    keys = pairs(*((integer(number), NULL) for number in range(1024)))
    elements = members(*map(integer, range(1024)))
    return [(head(4, 256 + len(more)), 1), (keys, 128), (elements, 128), *((item, 1) for item in more)]


def tagged_items(more: int) -> list[tuple[bytes, int]]:
    """As many items as a body may have, and `more` nulls, with tags and their content among them."""
    count = (MOST_ITEMS - 1) // 4
    nulls = MOST_ITEMS - 1 - 4 * count + more
    return [(head(4, count + nulls), 1), (decimal(0, 0), count), (NULL, nulls)]
