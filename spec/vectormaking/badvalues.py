"""Values that every receiver must refuse: one fault in each, and the clause that forbids it.

Where the bytes can't help breaking two clauses, the second one stands under `or`.
"""

from __future__ import annotations

from conformance.cbor import (
    BREAK,
    FALSE,
    NAN,
    NULL,
    TRUE,
    UNDEFINED,
    array,
    bignum,
    f16,
    f32,
    f64,
    head,
    indefinite,
    integer,
    nested,
    octets,
    pairs,
    simple,
    tag,
    text,
)

from .values import (
    DATE,
    DATETIME,
    DECIMAL,
    DURATION,
    ID,
    MOST_ITEMS,
    REFERENCE,
    SET,
    TIME,
    UUID,
    day,
    decimal,
    hashed,
    members,
    moment,
    span,
    tagged_items,
)
from .vector import Book, entry

ONE, TWO = integer(1), integer(2)


class Bin:
    """The bad values of one book."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def put(
        self, name: str, clause: str, data: bytes, meaning: str, *either: str, diag: str | None = None
    ) -> None:
        """Take one bad value."""
        self.book.add(entry(name, clause, data, meaning, diag=diag, error="bad-arguments", either=either))


def fill(book: Book) -> None:
    """Put the bad values into the book."""
    bin_ = Bin(book)
    _broken(bin_)
    _open_ends(bin_)
    _long_heads(bin_)
    _bignums(bin_)
    _floats(bin_)
    _texts(bin_)
    _keys(bin_)
    _tags(bin_)
    _datetimes(bin_)
    _dates(bin_)
    _times(bin_)
    _durations(bin_)
    _decimals(bin_)
    _uuids(bin_)
    _sets(bin_)
    _references(bin_)
    _bounds(bin_)
    _simples(bin_)


def _broken(bin_: Bin) -> None:
    def broken(name: str, data: bytes, meaning: str, *either: str) -> None:
        bin_.put(f"broken.{name}", "VAL-1", data, meaning, *either)

    broken("empty", b"", "No item at all.")
    broken("trailing.byte", NULL + b"\x00", "A byte after the item.")
    broken("trailing.item", array() + array(), "A second item.")
    broken("cut.head", b"\x19\x01", "Ends inside the head of an integer.")
    broken("cut.head.nothing", b"\x1b", "Ends right after the first byte of a head.")
    broken("cut.text", b"\x65ACM", "Ends inside a text.")
    broken("cut.bytes", b"\x58\x20\x00", "Ends inside a byte string.")
    broken("cut.array", b"\x82\x01", "Ends where the second element was due.")
    broken("cut.map.value", b"\xa1\x61a", "Ends where a value was due.")
    broken("cut.map.key", b"\xa1", "Ends where a key was due.")
    broken("cut.tag", b"\xd8\x25", "Ends where the content of a tag was due.")
    broken("cut.float", b"\xfb\x3f\xf0", "Ends inside a float.")
    broken("claims.bytes", head(2, 2**40), "Bytes that claim 2^40 bytes, of which none is there.")
    broken("claims.text", head(3, 2**64 - 1), "A text that claims 2^64-1 bytes.")
    broken("claims.array", head(4, 2**40), "An array that claims 2^40 elements.", "VAL-18")
    broken("claims.array.within-bound", head(4, 1_000_000) + NULL, "An array that claims a million elements.")
    broken("claims.map", head(5, 2**63), "A map that claims 2^63 entries.", "VAL-18")
    for major, name in enumerate(("unsigned", "negative", "bytes", "text", "array", "map", "tag", "simple")):
        for info in (28, 29, 30):
            if major in (0, 7) or info == 28:
                data = bytes([major << 5 | info])
                broken(
                    f"reserved.{name}.{info}", data, f"Additional information {info}, which CBOR reserves."
                )
    broken("break", BREAK, "A break code without anything to break.", "VAL-19", "VAL-2")
    broken("break.inside", b"\x81" + BREAK, "A break code as an element.", "VAL-19", "VAL-2")


def _open_ends(bin_: Bin) -> None:
    for name, data, meaning in (
        ("array", indefinite(4, ONE), "An array without a length."),
        ("array.empty", indefinite(4), "An empty array without a length."),
        ("map", indefinite(5, text("a"), ONE), "A map without a length."),
        ("text", indefinite(3, text("a"), text("b")), "A text in chunks."),
        ("text.empty", indefinite(3), "A text in no chunks."),
        ("bytes", indefinite(2, octets(b"a")), "A byte string in chunks."),
        ("inside", array(indefinite(4)), "An array without a length, as an element."),
        ("key", pairs((indefinite(3, text("a")), ONE)), "A key in chunks."),
        ("bignum", tag(2, indefinite(2, octets(b"\x01" + bytes(8)))), "A bignum in chunks."),
        ("datetime", tag(DATETIME, indefinite(3, text("2026-11-23T08:30:00Z"))), "A datetime in chunks."),
        ("decimal", tag(DECIMAL, indefinite(4, ONE, ONE)), "A decimal without a length."),
        ("set", tag(SET, indefinite(4, ONE)), "A set without a length."),
        ("uuid", tag(UUID, indefinite(2, octets(ID))), "A UUID in chunks."),
    ):
        bin_.put(f"indefinite.{name}", "VAL-2", data, meaning)


def _long_heads(bin_: Bin) -> None:
    for value, width in (
        (0, 1),
        (23, 1),
        (23, 2),
        (255, 2),
        (255, 4),
        (65_535, 4),
        (65_535, 8),
        (2**32 - 1, 8),
    ):
        meaning = f"{value} takes {width + 1} bytes."
        bin_.put(f"long.int.{value}.{width}", "VAL-3", integer(value, width), meaning)
        if width in (1, 8):
            bin_.put(
                f"long.int.minus.{value + 1}.{width}",
                "VAL-3",
                integer(-1 - value, width),
                f"-{value + 1}, too.",
            )
    for name, data, meaning in (
        ("text", text("a", 1), "The length 1 takes two bytes."),
        ("text.255", text("x" * 255, 2), "The length 255 takes three bytes."),
        ("bytes", octets(b"", 1), "The length 0 takes two bytes."),
        ("bytes.8", octets(b"a", 8), "The length 1 takes nine bytes."),
        ("array", array(ONE, width=1), "The count 1 takes two bytes."),
        ("array.empty", array(width=4), "The count 0 takes five bytes."),
        ("map", pairs((text("a"), ONE), width=1), "The count 1 takes two bytes."),
        ("map.key", pairs((integer(1, 1), ONE)), "The key 1 takes two bytes."),
        ("tag.0", tag(DATETIME, text("2026-11-23T08:30:00Z"), 1), "The tag 0 takes two bytes."),
        ("tag.37", tag(UUID, octets(ID), 2), "The tag 37 takes three bytes."),
        ("tag.258", tag(SET, array(), 4), "The tag 258 takes five bytes."),
        ("bignum.length", tag(2, octets(b"\x01" + bytes(8), 1)), "The length of a bignum takes two bytes."),
        ("uuid.length", tag(UUID, octets(ID, 1)), "The length of a UUID takes two bytes."),
        ("decimal.exponent", tag(DECIMAL, array(integer(-1, 1), ONE)), "The exponent -1 takes two bytes."),
        (
            "decimal.coefficient",
            tag(DECIMAL, array(integer(-1), integer(1, 1))),
            "The coefficient 1 takes two.",
        ),
        ("duration", tag(DURATION, integer(5, 2)), "A duration of 5 takes three bytes."),
        ("reference", tag(REFERENCE, integer(1, 1)), "The reference 1 takes two bytes."),
    ):
        bin_.put(f"long.{name}", "VAL-3", data, meaning)


def _bignums(bin_: Bin) -> None:
    for name, data, meaning in (
        ("zero", tag(2, octets(b"")), "No byte at all."),
        ("one", bignum(1), "1 fits 64 bits."),
        ("minus-one", tag(3, octets(b"")), "-1 fits 64 bits."),
        ("2^64-1", bignum(2**64 - 1), "2^64-1 fits 64 bits."),
        ("minus.2^64", bignum(-(2**64)), "-(2^64) fits the head of a negative integer."),
        ("leading-zero", bignum(2**64, 10), "A leading zero byte."),
        ("leading-zero.minus", bignum(-(2**64) - 1, 10), "A leading zero byte below 0."),
        ("leading-zeros.only", tag(2, octets(bytes(9))), "Nine zero bytes."),
        ("leading-zero.64-bytes", bignum(2**500, 64), "64 bytes of which the first is zero."),
        ("65-bytes", bignum(2**512), "65 bytes: 64 are the most."),
        ("minus.65-bytes", bignum(-(2**512) - 1), "65 bytes below 0."),
        ("65-bytes.leading-zero", bignum(2**500, 65), "65 bytes, though 63 would do."),
        ("text", tag(2, text("123456789")), "A text as the number."),
        ("integer", tag(2, ONE), "An integer as the number."),
        ("array", tag(3, array(ONE)), "An array as the number."),
        ("tag", tag(2, tag(2, octets(b"\x01" + bytes(8)))), "A bignum within a bignum."),
    ):
        bin_.put(f"bignum.bad.{name}", "VAL-4", data, meaning)


def _floats(bin_: Bin) -> None:
    for name, data, meaning in (
        ("16.zero", f16(0.0), "0.0 in 16 bits."),
        ("16.minus-zero", f16(-0.0), "-0.0 in 16 bits."),
        ("16.one-and-a-half", f16(1.5), "1.5 in 16 bits, though it fits them."),
        ("16.subnormal", b"\xf9\x00\x01", "The least subnormal of 16 bits."),
        ("16.largest", f16(65504.0), "The largest of 16 bits."),
        ("32.one-and-a-half", f32(1.5), "1.5 in 32 bits."),
        ("32.zero", f32(0.0), "0.0 in 32 bits."),
        ("32.nan", b"\xfa\x7f\xc0\x00\x00", "NaN in 32 bits."),
        ("32.infinity", b"\xfa\x7f\x80\x00\x00", "Infinity in 32 bits."),
        ("64.nan", b"\xfb\x7f\xf8" + bytes(6), "NaN in 64 bits."),
        ("64.nan.payload", b"\xfb\x7f\xf8" + bytes(5) + b"\x01", "NaN in 64 bits that carries something."),
        ("64.nan.signalling", b"\xfb\x7f\xf0" + bytes(5) + b"\x01", "A signalling NaN."),
        ("64.infinity", b"\xfb\x7f\xf0" + bytes(6), "Infinity in 64 bits."),
        ("64.minus-infinity", b"\xfb\xff\xf0" + bytes(6), "Minus infinity in 64 bits."),
        ("16.nan.payload", b"\xf9\x7e\x01", "NaN that carries a bit beside the one form."),
        ("16.nan.signalling", b"\xf9\x7c\x01", "A signalling NaN in 16 bits."),
        ("16.nan.minus", b"\xf9\xfe\x00", "NaN with the sign bit."),
    ):
        bin_.put(f"float.{name}", "VAL-5", data, meaning)


def _texts(bin_: Bin) -> None:
    for name, raw, meaning in (
        ("continuation", b"a\x80b", "A continuation byte that continues nothing."),
        ("cut", b"\xe2\x82", "A character of three bytes ends after two."),
        ("cut.four", b"\xf0\x9f\xa7a", "A character of four bytes has three."),
        ("overlong.two", b"\xc0\xaf", "A slash in two bytes."),
        ("overlong.zero", b"\xc0\x80", "Zero in two bytes."),
        ("overlong.three", b"\xe0\x80\xaf", "A slash in three bytes."),
        ("overlong.four", b"\xf0\x80\x80\xaf", "A slash in four bytes."),
        ("surrogate.high", b"\xed\xa0\x80", "A high surrogate."),
        ("surrogate.low", b"\xed\xbf\xbf", "A low surrogate."),
        ("surrogate.pair", b"\xed\xa0\xbd\xed\xb0\x80", "A pair of surrogates, which UTF-8 writes as one."),
        ("above", b"\xf4\x90\x80\x80", "A code point above U+10FFFF."),
        ("five", b"\xf8\x88\x80\x80\x80", "A form of five bytes."),
        ("ff", b"\xff", "The byte ff."),
        ("latin", b"M\xfcller", "Latin-1."),
    ):
        bin_.put(f"text.bad.{name}", "VAL-6", text(raw), meaning)
    bin_.put("text.bad.key", "VAL-6", pairs((text(b"\xff"), ONE)), "A key that is not UTF-8.")
    bin_.put("text.bad.split", "VAL-6", array(text(b"\xc3"), text(b"\xbc")), "A character over two texts.")


def _keys(bin_: Bin) -> None:
    a, b = text("a"), text("b")
    for name, data, meaning in (
        ("duplicate.text", pairs((a, ONE), (a, TWO)), "The same text twice."),
        ("duplicate.same", pairs((a, ONE), (a, ONE)), "The same entry twice."),
        (
            "duplicate.apart",
            pairs((a, ONE), (b, ONE), (a, TWO)),
            "The same text twice, with another in between.",
        ),
        ("duplicate.int", pairs((ONE, ONE), (ONE, TWO)), "The same integer twice."),
        ("duplicate.minus", pairs((integer(-1), ONE), (integer(-1), TWO)), "The same integer below 0 twice."),
        ("duplicate.empty", pairs((text(""), ONE), (text(""), TWO)), "The empty text twice."),
        ("mixed", pairs((a, ONE), (ONE, TWO)), "A text and an integer."),
        ("mixed.other", pairs((ONE, ONE), (a, TWO)), "An integer and a text."),
        ("float", pairs((f64(1.5), ONE)), "A float."),
        ("float.whole", pairs((f64(1.0), ONE)), "A float that is whole."),
        ("nan", pairs((NAN, ONE), (NAN, TWO)), "NaN, which many a reader takes twice."),
        ("bytes", pairs((octets(b"a"), ONE)), "A byte string."),
        ("true", pairs((TRUE, ONE)), "true."),
        (
            "false",
            pairs((integer(0), ONE), (FALSE, TWO)),
            "false beside 0, which some languages take for one.",
        ),
        ("null", pairs((NULL, ONE)), "null."),
        ("array", pairs((array(), ONE)), "An array."),
        ("map", pairs((pairs(), ONE)), "A map."),
        ("date", pairs((day("2026-11-23"), ONE)), "A date."),
        ("uuid", pairs((tag(UUID, octets(ID)), ONE)), "A UUID."),
        ("bignum", pairs((bignum(2**64), ONE)), "An integer beyond 64 bits."),
        ("reference", pairs((tag(REFERENCE, ONE), ONE)), "A reference."),
        ("inside", array(pairs((a, pairs((b, ONE), (b, TWO))))), "The same text twice in an inner map."),
    ):
        bin_.put(f"map.key.{name}", "VAL-7", data, meaning)


def _tags(bin_: Bin) -> None:
    for number, content, what in (
        (1, integer(1_800_000_000), "a time as seconds"),
        (5, array(ONE, ONE), "a number with a binary exponent"),
        (21, octets(b"a"), "a hint for base64url"),
        (22, octets(b"a"), "a hint for base64"),
        (23, octets(b"a"), "a hint for base16"),
        (24, octets(NULL), "CBOR within a byte string"),
        (25, integer(0), "a string told by its number"),
        (28, array(), "a value that others may share"),
        (29, integer(0), "a value that is shared, or cyclic"),
        (30, array(ONE, TWO), "a rational"),
        (32, text("http://a/"), "a URI"),
        (33, text("YQ"), "base64url"),
        (34, text("YQ=="), "base64"),
        (35, text("(a+)+"), "a regular expression"),
        (36, text("Content-Type: a/b\n\n"), "a MIME message"),
        (38, array(text("en"), text("a")), "a text with a language"),
        (100, integer(20_000), "a date as days"),
        (256, array(), "a namespace for strings"),
        (257, octets(b""), "a binary MIME message"),
        (259, pairs(), "a map with any keys"),
        (260, octets(b"\x7f\x00\x00\x01"), "a network address"),
        (1001, pairs((ONE, ONE)), "an extended time"),
        (1003, ONE, "an extended period"),
        (41990, ONE, "the number before those of this standard"),
        (41994, ONE, "the number after those of this standard"),
        (55799, NULL, "the mark of CBOR itself"),
        (2**64 - 1, NULL, "the largest tag"),
    ):
        bin_.put(f"tag.{number}", "VAL-8", tag(number, content), f"Tag {number}: {what}.")
    bin_.put("tag.cycle", "VAL-8", tag(28, array(tag(29, integer(0)))), "An array that contains itself.")
    bin_.put("tag.key", "VAL-8", pairs((tag(24, octets(b"a")), ONE)), "A closed tag at a key.", "VAL-7")


def _texts_under(
    bin_: Bin, kind: str, clause: str, number: int, cases: tuple[tuple[str, str, str], ...]
) -> None:
    for name, value, meaning in cases:
        bin_.put(f"{kind}.bad.{name}", clause, tag(number, text(value)), meaning)


def _datetimes(bin_: Bin) -> None:
    cases = (
        ("naive", "2026-11-23T08:30:00", "No offset: nobody knows when that is."),
        ("lower-z", "2026-11-23T08:30:00z", "A small z."),
        ("lower-t", "2026-11-23t08:30:00Z", "A small t."),
        ("space", "2026-11-23 08:30:00Z", "A space for the T."),
        ("zero-offset", "2026-11-23T08:30:00+00:00", "UTC is written Z."),
        (
            "minus-zero-offset",
            "2026-11-23T08:30:00-00:00",
            "UTC is written Z, and an unknown offset is not a value.",
        ),
        ("offset-24", "2026-11-23T08:30:00+24:00", "An offset of a day."),
        ("offset-minute-60", "2026-11-23T08:30:00+01:60", "An offset with minute 60."),
        ("offset-seconds", "2026-11-23T08:30:00+01:00:30", "An offset with seconds."),
        ("offset-no-colon", "2026-11-23T08:30:00+0100", "An offset without a colon."),
        ("offset-hour", "2026-11-23T08:30:00+01", "An offset of hours alone."),
        (
            "offset-typographic-minus",
            "2026-11-23T08:30:00\u221201:00",
            "A minus sign that is not the ASCII one.",
        ),
        ("fraction-7", "2026-11-23T08:30:00.1234567Z", "Seven digits of fraction: six are the most."),
        ("fraction-trailing-zero", "2026-11-23T08:30:00.50Z", "A trailing zero in the fraction."),
        ("fraction-zero", "2026-11-23T08:30:00.0Z", "A fraction of nothing."),
        ("fraction-zeros", "2026-11-23T08:30:00.000000Z", "Six zeros."),
        ("fraction-empty", "2026-11-23T08:30:00.Z", "A point without digits."),
        ("fraction-comma", "2026-11-23T08:30:00,5Z", "A comma for the point."),
        ("no-seconds", "2026-11-23T08:30Z", "No seconds."),
        ("second-60", "2016-12-31T23:59:60Z", "A leap second."),
        ("minute-60", "2026-11-23T08:60:00Z", "Minute 60."),
        ("hour-24", "2026-11-23T24:00:00Z", "Hour 24."),
        ("month-0", "2026-00-23T08:30:00Z", "Month 0."),
        ("month-13", "2026-13-23T08:30:00Z", "Month 13."),
        ("day-0", "2026-11-00T08:30:00Z", "Day 0."),
        ("day-31", "2026-11-31T08:30:00Z", "November has no day 31."),
        ("leap-day", "2026-02-29T08:30:00Z", "2026 has no leap day."),
        ("leap-day-100", "2100-02-29T08:30:00Z", "2100 has no leap day."),
        ("year-0", "0000-01-01T00:00:00Z", "Year 0."),
        ("year-10000", "10000-01-01T00:00:00Z", "A year of five digits."),
        ("year-signed", "+2026-11-23T08:30:00Z", "A year with a sign."),
        ("basic", "20261123T083000Z", "The basic format of ISO 8601."),
        ("week", "2026-W48-1T08:30:00Z", "A week of ISO 8601."),
        ("date-only", "2026-11-23", "A day without a time."),
        ("short-month", "2026-1-23T08:30:00Z", "A month of one digit."),
        ("empty", "", "The empty text."),
        ("blank-before", " 2026-11-23T08:30:00Z", "A space before it."),
        ("blank-after", "2026-11-23T08:30:00Z\n", "A line end after it."),
        ("other-digits", "\u0662\u0660\u0662\u0666-11-23T08:30:00Z", "Digits that are not ASCII."),
        ("zone-name", "2026-11-23T08:30:00[Europe/Vienna]", "The name of a zone."),
    )
    _texts_under(bin_, "datetime", "VAL-9", DATETIME, cases)
    for name, content in (("integer", ONE), ("bytes", octets(b"2026-11-23T08:30:00Z")), ("null", NULL)):
        bin_.put(f"datetime.bad.{name}", "VAL-9", tag(DATETIME, content), "The content is no text.")
    bin_.put(
        "datetime.bad.tag",
        "VAL-9",
        tag(DATETIME, moment("2026-11-23T08:30:00Z")),
        "A datetime in a datetime.",
    )
    bin_.put("datetime.bad.not-utf8", "VAL-6", moment(b"2026-11-23T08:30:00\xff"), "Not UTF-8.", "VAL-9")


def _dates(bin_: Bin) -> None:
    cases = (
        ("leap-day", "2026-02-29", "2026 has no leap day."),
        ("day-31", "2026-04-31", "April has no day 31."),
        ("month-13", "2026-13-01", "Month 13."),
        ("year-0", "0000-01-01", "Year 0."),
        ("year-five", "12026-01-01", "A year of five digits."),
        ("short", "2026-1-1", "Month and day of one digit."),
        ("basic", "20261123", "The basic format of ISO 8601."),
        ("week", "2026-W48-1", "A week of ISO 8601."),
        ("ordinal", "2026-327", "A day of the year."),
        ("slashes", "2026/11/23", "Slashes."),
        ("time", "2026-11-23T00:00:00", "A time behind it."),
        ("zone", "2026-11-23Z", "A zone behind it."),
        ("blank", "2026-11-23 ", "A space behind it."),
        ("other-digits", "\uff12\uff10\uff12\uff16-11-23", "Digits that are not ASCII."),
        ("empty", "", "The empty text."),
    )
    _texts_under(bin_, "date", "VAL-10", DATE, cases)
    for name, content in (("integer", integer(20_000)), ("bytes", octets(b"2026-11-23")), ("array", array())):
        bin_.put(f"date.bad.{name}", "VAL-10", tag(DATE, content), "The content is no text.")


def _times(bin_: Bin) -> None:
    cases = (
        ("hour-24", "24:00:00", "Hour 24."),
        ("minute-60", "23:60:00", "Minute 60."),
        ("second-60", "23:59:60", "Second 60."),
        ("no-seconds", "12:30", "No seconds."),
        ("short", "9:30:00", "An hour of one digit."),
        ("zone", "12:30:00Z", "A zone: times have none."),
        ("offset", "12:30:00+01:00", "An offset."),
        ("fraction-trailing-zero", "12:30:00.50", "A trailing zero in the fraction."),
        ("fraction-zero", "12:30:00.0", "A fraction of nothing."),
        ("fraction-empty", "12:30:00.", "A point without digits."),
        ("fraction-7", "12:30:00.1234567", "Seven digits of fraction."),
        ("fraction-comma", "12:30:00,5", "A comma for the point."),
        ("letter", "T12:30:00", "A T before it."),
        ("basic", "123000", "The basic format of ISO 8601."),
        ("twelve", "12:30:00 PM", "Half a day's clock."),
        ("other-digits", "\uff11\uff12:30:00", "Digits that are not ASCII."),
        ("empty", "", "The empty text."),
    )
    _texts_under(bin_, "time", "VAL-11", TIME, cases)
    bin_.put("time.bad.integer", "VAL-11", tag(TIME, integer(45_000)), "The content is no text.")


def _durations(bin_: Bin) -> None:
    for name, content, meaning in (
        ("2^63", integer(2**63), "2^63 microseconds: one more than the most."),
        ("minus.2^63", integer(-(2**63)), "-(2^63) microseconds: one less than the least."),
        ("2^64-1", integer(2**64 - 1), "The largest integer."),
        ("float", f64(1.5), "A float."),
        ("float.whole", f64(1.0), "A float that is whole."),
        ("text", text("PT1S"), "A text, as ISO 8601 has it."),
        ("bignum", bignum(2**64), "A bignum."),
        ("null", NULL, "null."),
        ("decimal", decimal(0, 1), "A decimal."),
        ("nested", span(1), "A duration in a duration."),
    ):
        bin_.put(f"duration.bad.{name}", "VAL-12", tag(DURATION, content), meaning)


def _decimals(bin_: Bin) -> None:
    for name, data, meaning in (
        ("coefficient", decimal(0, 10**34), "35 digits: 34 are the most."),
        ("coefficient.minus", decimal(0, -(10**34)), "35 digits below 0."),
        ("coefficient.huge", decimal(0, 2**512 - 1), "A coefficient of 64 bytes."),
        ("exponent.over", decimal(6112, 1), "Exponent 6112: 6111 is the most."),
        ("exponent.under", decimal(-6177, 1), "Exponent -6177: -6176 is the least."),
        ("exponent.billion", decimal(10**9, 1), "An exponent that would fill a memory."),
        ("exponent.bignum", tag(DECIMAL, array(bignum(2**64), ONE)), "An exponent that is a bignum."),
        ("exponent.float", tag(DECIMAL, array(f64(1.0), ONE)), "An exponent that is a float."),
        ("exponent.text", tag(DECIMAL, array(text("1"), ONE)), "An exponent that is a text."),
        ("coefficient.float", tag(DECIMAL, array(ONE, f64(1.5))), "A coefficient that is a float."),
        ("coefficient.nan", tag(DECIMAL, array(integer(0), NAN)), "NaN is no decimal."),
        ("coefficient.text", tag(DECIMAL, array(integer(0), text("1"))), "A coefficient that is a text."),
        ("coefficient.null", tag(DECIMAL, array(integer(0), NULL)), "A coefficient that is null."),
        (
            "coefficient.decimal",
            tag(DECIMAL, array(integer(0), decimal(0, 1))),
            "A decimal within a decimal.",
        ),
        ("empty", tag(DECIMAL, array()), "No exponent and no coefficient."),
        ("one", tag(DECIMAL, array(ONE)), "No coefficient."),
        ("three", tag(DECIMAL, array(ONE, ONE, ONE)), "A third element."),
        ("text", tag(DECIMAL, text("1.5")), "A text."),
        ("integer", tag(DECIMAL, ONE), "An integer."),
        ("map", tag(DECIMAL, pairs((ONE, ONE))), "A map."),
    ):
        bin_.put(f"decimal.bad.{name}", "VAL-13", data, meaning)
    fits = tag(DECIMAL, array(integer(0), bignum(2**64 - 1)))
    bin_.put(
        "decimal.bad.bignum-fits", "VAL-4", fits, "A coefficient as a bignum that fits 64 bits.", "VAL-13"
    )
    padded = tag(DECIMAL, array(integer(0), bignum(2**64, 10)))
    bin_.put("decimal.bad.bignum-zero", "VAL-4", padded, "A coefficient with a leading zero byte.", "VAL-13")


def _uuids(bin_: Bin) -> None:
    for name, content, meaning in (
        ("15", octets(ID[:15]), "15 bytes."),
        ("17", octets(ID + b"\x00"), "17 bytes."),
        ("empty", octets(b""), "No byte."),
        ("text", text("00112233-4455-6677-8899-aabbccddeeff"), "A text."),
        ("text-16", text("0123456789abcdef"), "A text of 16 bytes."),
        ("integer", ONE, "An integer."),
        ("array", array(*map(integer, ID)), "An array of 16 integers."),
    ):
        bin_.put(f"uuid.bad.{name}", "VAL-14", tag(UUID, content), meaning)


def _sets(bin_: Bin) -> None:
    first, same = moment("2026-11-23T08:30:00Z"), moment("2026-11-23T09:30:00+01:00")
    for name, data, meaning in (
        ("descending", members(TWO, ONE), "The members descend."),
        ("by-number", members(integer(-1), integer(0)), "Sorted as numbers, and not as bytes."),
        ("by-letter", members(text("aa"), text("b")), "Sorted as in a dictionary, and not as bytes."),
        ("bool", members(TRUE, FALSE), "true before false."),
        ("duplicate", members(ONE, ONE), "The same member twice."),
        ("duplicate.text", members(text("a"), text("a")), "The same text twice."),
        ("duplicate.apart", members(ONE, TWO, ONE), "The same member twice, with another in between."),
        ("mixed.int-text", members(ONE, text("a")), "An integer and a text."),
        ("mixed.int-bool", members(integer(0), FALSE), "An integer and a boolean."),
        ("mixed.int-float", members(ONE, f64(1.5)), "An integer and a float."),
        ("mixed.text-bytes", members(octets(b"a"), text("a")), "A byte string and a text."),
        ("mixed.dates", members(first, day("2026-11-23")), "A datetime and a date."),
        ("mixed.int-decimal", members(ONE, decimal(0, 2)), "An integer and a decimal."),
        ("null", members(NULL), "null is no member."),
        ("array", members(array()), "An array is no member."),
        ("map", members(pairs()), "A map is no member."),
        ("set", members(members()), "A set is no member."),
        ("reference", members(tag(REFERENCE, ONE)), "A reference is no member."),
        ("equal.float", members(f64(0.0), f64(-0.0)), "0.0 and -0.0 are equal."),
        ("equal.decimal", members(decimal(-1, 15), decimal(-2, 150)), "1.5 and 1.50 are equal."),
        ("equal.datetime", members(first, same), "The same moment at two offsets."),
        ("map-instead", tag(SET, pairs((ONE, NULL))), "A map as the content."),
        ("bytes-instead", tag(SET, octets(b"\x01")), "A byte string as the content."),
        ("null-instead", tag(SET, NULL), "null as the content."),
        ("twice", tag(SET, members(ONE)), "A set as the content."),
    ):
        bin_.put(f"set.bad.{name}", "VAL-15", data, meaning)


def _references(bin_: Bin) -> None:
    for name, content, meaning in (
        ("zero", integer(0), "0 is no reference."),
        ("minus", integer(-1), "A reference below 0."),
        ("2^53", integer(2**53), "2^53: one more than the largest id."),
        ("text", text("1"), "A text."),
        ("float", f64(1.0), "A float."),
        ("array", array(ONE, text("m")), "An array, as a target has it."),
        ("bignum", bignum(2**64), "A bignum."),
        ("null", NULL, "null."),
    ):
        bin_.put(f"reference.bad.{name}", "VAL-16", tag(REFERENCE, content), meaning)


def _bounds(bin_: Bin) -> None:
    identity = tag(UUID, octets(bytes(16)))
    maps = pairs()
    for _ in range(64):
        maps = pairs((text("a"), maps))
    for name, data, meaning in (
        ("arrays", nested(64, array()), "65 arrays."),
        ("arrays.full", nested(65, NULL), "65 arrays around null."),
        ("maps", maps, "65 maps."),
        ("tag", nested(64, identity), "64 arrays and a tag."),
        ("decimal", nested(63, decimal(-1, 15)), "63 arrays, and the tag and the array of a decimal."),
        ("set", nested(63, members(TRUE)), "63 arrays, and the tag and the array of a set."),
        ("bignum", nested(64, bignum(2**64)), "64 arrays and a bignum, whose tag counts one."),
    ):
        bin_.put(f"depth.65.{name}", "VAL-17", data, meaning)
    bin_.put(
        "depth.100000",
        "VAL-17",
        nested(100_000, NULL),
        "100,000 arrays: refused without a stack that grows with them.",
        diag="[[[ ... 100000 deep ... null ... ]]]",
    )
    bin_.put(
        "items.over",
        "VAL-18",
        head(4, MOST_ITEMS) + NULL * MOST_ITEMS,
        "1,048,577 items: the array and 1,048,576 nulls in it.",
        diag="[null, ... 1048576 times]",
    )
    half = head(4, MOST_ITEMS // 2) + NULL * (MOST_ITEMS // 2)
    bin_.put(
        "items.over.two-arrays",
        "VAL-18",
        array(half, half),
        "1,048,579 items in two arrays, each of which is within the bound.",
        diag="[[null, ... 524288 times], [null, ... 524288 times]]",
    )
    parts = tagged_items(1)
    bin_.book.add(
        entry(
            "items.over.tags",
            "VAL-18",
            b"".join(part * times for part, times in parts),
            "1,048,577 items: an array, 262,143 decimals of four items each, and four nulls.",
            diag="[4([0, 0]), ... 262143 times, null, null, null, null]",
            error="bad-arguments",
            parts=parts,
        )
    )
    for name, item, shown in (
        ("map", pairs((ONE, NULL)), "{1: null}"),
        ("set", members(ONE), "258([1])"),
    ):
        parts = hashed(item)
        bin_.book.add(
            entry(
                f"squares.over.{name}",
                "VAL-22",
                b"".join(part * times for part, times in parts),
                f"128 maps and 128 sets of 1,024 integers each, and a {name} of one: the squares are over 2^28.",
                diag=f"[{{0: null, ... 1023: null}}, ... 128 times, 258([0, ... 1023]), ... 128 times, {shown}]",
                error="bad-arguments",
                parts=parts,
            )
        )


def _simples(bin_: Bin) -> None:
    bin_.put("undefined", "VAL-19", UNDEFINED, "undefined.")
    for number in (0, 16, 19):
        bin_.put(
            f"simple.{number}", "VAL-19", simple(number), f"Simple value {number}, which nobody has assigned."
        )
    for number in (32, 255):
        bin_.put(f"simple.{number}", "VAL-19", simple(number), f"Simple value {number}, in two bytes.")
    for number, name in ((20, "false"), (22, "null"), (31, "31")):
        meaning = f"Simple value {name} in two bytes, which is not well-formed."
        bin_.put(f"simple.two-bytes.{name}", "VAL-19", simple(number, 1), meaning, "VAL-1")
    bin_.put("undefined.inside", "VAL-19", array(UNDEFINED), "undefined as an element.")
    bin_.put("undefined.field", "VAL-19", pairs((text("a"), UNDEFINED)), "undefined as a field.")
