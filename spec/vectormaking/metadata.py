"""The metadata of interfaces, as METADATA.md has it."""

from __future__ import annotations

from conformance.cbor import FALSE, NULL, TRUE, array, f64, integer, octets, pairs, tag, text

from .vector import Book, entry

ANY, _, BOOLEAN, INTEGER, FLOAT, TEXT, BYTES = map(integer, range(7))
DECIMAL = integer(11)
NONE = array()


def fill(book: Book) -> None:
    """Put the interfaces into the book."""
    _good(book)
    _bad_form(book)
    _bad_content(book)
    _bad_types(book)


def names(*each: str) -> bytes:
    """An array of texts."""
    return array(*map(text, each))


def method(
    name: str = "a",
    *parameters: bytes,
    shape: int = 0,
    takes: bytes = NULL,
    gives: bytes = TEXT,
    raises: bytes = NONE,
) -> bytes:
    """A method."""
    return array(text(name), integer(shape), array(*parameters), takes, gives, raises)


def parameter(name: str = "x", kind: int = 1, takes: bytes = TEXT, default: bytes = FALSE) -> bytes:
    """A parameter."""
    return array(text(name), integer(kind), takes, default)


def interface(
    *methods: bytes,
    name: str = "A",
    version: bytes = NULL,
    enums: bytes = NONE,
    exceptions: bytes = NONE,
    records: bytes = NONE,
    form: bytes | None = None,
) -> bytes:
    """An interface, of one method where none is given."""
    return array(
        form if form is not None else integer(1),
        text(name),
        version,
        enums,
        exceptions,
        records,
        array(*(methods or (method(),))),
    )


def gives(what: bytes, **tables: bytes) -> bytes:
    """An interface whose only method gives this type."""
    return interface(method(gives=what), **tables)


def compound(number: int, *parts: bytes) -> bytes:
    """A type with parts."""
    return array(integer(number), *parts)


def choice(
    *, integers: bytes = NONE, texts: bytes = NONE, octets: bytes = NONE, booleans: bytes = NONE
) -> bytes:
    """A choice among values."""
    return compound(20, integers, texts, octets, booleans)


def union(*types: bytes) -> bytes:
    """A union."""
    return compound(21, array(*types))


def record(name: str, *fields: tuple[str, bytes, bytes], closed: bytes = FALSE) -> bytes:
    """A record."""
    return array(
        text(name), closed, array(*(array(text(key), kind, required) for key, kind, required in fields))
    )


def enum(name: str, *members: str) -> bytes:
    """An enum."""
    return array(text(name), names(*members))


def _good(book: Book) -> None:
    def good(name: str, clause: str, data: bytes, meaning: str) -> None:
        book.add(entry(name, clause, data, meaning))

    good("least", "META-2", interface(), "The least: one method without parameters that gives a text.")
    good(
        "invoices",
        "META-2",
        interface(
            method("total", parameter("customer"), parameter("net", 1, INTEGER, TRUE), gives=DECIMAL),
            name="Invoices",
            version=text("1.2"),
        ),
        "The example of the page.",
    )
    kinds = [parameter(f"p{kind}", kind) for kind in range(5)]
    good("parameters", "META-6", interface(method("a", *kinds)), "A parameter of each kind.")
    shapes = [
        method(f"m{shape}", shape=shape, takes=INTEGER if shape > 1 else NULL, gives=ANY)
        for shape in range(4)
    ]
    good("shapes", "META-6", interface(*shapes), "A method of each shape.")
    scalars = compound(17, array(*map(integer, range(14))))
    good("scalars", "META-7", gives(scalars), "Every type without parts.")
    good("list", "META-7", gives(compound(14, compound(14, INTEGER))), "A list of lists.")
    good("set", "META-7", gives(compound(15, BYTES)), "A set.")
    good("map", "META-7", gives(compound(16, INTEGER, ANY)), "A map with integers as keys.")
    good(
        "map.union",
        "META-7",
        gives(compound(16, union(INTEGER, TEXT), ANY)),
        "The type of a map's keys may be a union.",
    )
    good("tuple.empty", "META-7", gives(compound(17, NONE)), "A list without items.")
    good("union", "META-8", gives(union(integer(1), INTEGER, compound(14, TEXT))), "A union.")
    values = choice(
        integers=array(integer(-1), integer(2**64 - 1)),
        texts=names("a", "b"),
        octets=array(octets(b"")),
        booleans=array(FALSE, TRUE),
    )
    good("choice", "META-8", gives(values), "A choice among values of each type.")
    node = record("Node", ("children", compound(14, compound(18, text("Node"))), TRUE))
    good(
        "record.itself",
        "META-5",
        gives(compound(18, text("Node")), records=array(node)),
        "A record inside of itself.",
    )
    closed = record("R", ("a", TEXT, TRUE), ("b", TEXT, FALSE), closed=TRUE)
    good(
        "record.closed",
        "META-2",
        gives(compound(18, text("R")), records=array(closed)),
        "A closed record with a field that may be missing.",
    )
    good(
        "enum",
        "META-5",
        gives(compound(19, text("E")), enums=array(enum("E", "A", "B"))),
        "An enum, by the names of its members.",
    )
    good(
        "exception",
        "META-5",
        interface(
            method(raises=names("Unknown")),
            exceptions=array(array(text("Unknown"), array(array(text("customer"), TEXT)))),
        ),
        "A declared exception with a field.",
    )
    good(
        "name.unicode", "META-3", interface(method("a", parameter("größe"))), "A parameter's name in Unicode."
    )
    good("version.longest", "META-3", interface(version=text("v" * 64)), "The longest version.")
    good("depth.16", "META-9", gives(_deep(16)), "Types 16 deep.")


def _deep(depth: int) -> bytes:
    found = TEXT
    for _ in range(depth - 1):
        found = compound(14, found)
    return found


def _bad(book: Book, name: str, clause: str, data: bytes, meaning: str, *either: str) -> None:
    vector = entry(f"bad.{name}", clause, data, meaning, either=either, extra={"refused": True})
    if either:
        vector["or"] = list(either)
    book.add(vector)


def _bad_form(book: Book) -> None:
    whole = interface()
    _bad(book, "empty", "META-1", b"", "No bytes.")
    _bad(book, "trailing", "META-1", whole + NULL, "An item behind it.")
    _bad(book, "cut", "META-1", whole[:-1], "It ends too soon.")
    _bad(
        book, "long-head", "META-1", interface(form=integer(1, 1)), "A head that is not in its shortest form."
    )
    _bad(book, "not-text", "META-1", interface(version=text(b"\xff")), "A text that is not UTF-8.")
    _bad(book, "form", "META-2", interface(form=integer(2)), "Another format.")
    _bad(book, "form.true", "META-2", interface(form=TRUE), "True is no 1.")
    _bad(book, "map", "META-2", pairs((text("name"), text("A"))), "A map.")
    _bad(book, "longer", "META-2", array(*([NULL] * 8)), "An interface with one element more.")
    _bad(
        book,
        "docstring",
        "META-2",
        interface(
            array(text("a"), integer(0), NONE, NULL, TEXT, NONE, text("Adds up what a customer owes."))
        ),
        "A method with one element more: there is no place for a docstring.",
    )
    _bad(
        book,
        "default",
        "META-2",
        interface(method("a", parameter("x", default=text("ACME")))),
        "A default in the place of whether there is one.",
    )
    _bad(
        book,
        "enum.values",
        "META-2",
        gives(
            compound(19, text("E")), enums=array(array(text("E"), array(array(text("A"), text("secret")))))
        ),
        "A member of an enum with its value.",
    )
    _bad(book, "tag", "META-2", interface(version=tag(37, octets(bytes(16)))), "A version that is a UUID.")
    _bad(book, "float", "META-2", interface(method(), version=f64(1.5)), "A version that is a float.")
    _bad(book, "shape", "META-2", interface(method(shape=4)), "There is no such shape.")
    _bad(book, "kind", "META-2", interface(method("a", parameter("x", 5))), "There is no such kind.")
    nothing = array(integer(1), text("A"), NULL, NONE, NONE, NONE, NONE)
    _bad(book, "no-method", "META-2", nothing, "No method.")


def _bad_content(book: Book) -> None:
    _bad(book, "name.empty", "META-3", interface(name=""), "An interface without a name.")
    _bad(book, "name.space", "META-3", interface(name="A B"), "A name with a space.")
    _bad(book, "name.reserved", "META-3", interface(name="graftwire.a"), "A reserved name.")
    _bad(book, "name.method", "META-3", interface(method("größe")), "A method that no target can name.")
    _bad(
        book,
        "name.target",
        "META-3",
        interface(method("m" * 128), name="A" * 127),
        "A target of 256 characters.",
    )
    _bad(
        book, "name.control", "META-3", interface(method("a", parameter("x\n"))), "A name with a line's end."
    )
    _bad(
        book, "name.parameter", "META-3", interface(method("a", parameter(""))), "A parameter without a name."
    )
    _bad(
        book,
        "name.field",
        "META-3",
        gives(compound(18, text("R")), records=array(record("R", ("a\x1b", TEXT, TRUE)))),
        "A field whose name has a control character.",
    )
    _bad(
        book,
        "name.member",
        "META-3",
        gives(compound(19, text("E")), enums=array(enum("E", ""))),
        "A member of an enum without a name.",
    )
    _bad(book, "version.empty", "META-3", interface(version=text("")), "An empty version.")
    _bad(book, "version.long", "META-3", interface(version=text("v" * 65)), "A version that is too long.")
    _bad(book, "order.methods", "META-4", interface(method("b"), method("a")), "Methods in another order.")
    _bad(book, "twice.methods", "META-4", interface(method("a"), method("a")), "Two methods of one name.")
    _bad(
        book,
        "order.members",
        "META-4",
        gives(compound(19, text("E")), enums=array(enum("E", "B", "A"))),
        "Members of an enum in another order.",
    )
    _bad(
        book,
        "order.fields",
        "META-4",
        gives(compound(18, text("R")), records=array(record("R", ("b", TEXT, TRUE), ("a", TEXT, TRUE)))),
        "Fields in another order.",
    )
    _bad(book, "missing.record", "META-5", gives(compound(18, text("R"))), "A record that is not there.")
    _bad(
        book,
        "missing.enum",
        "META-5",
        gives(compound(19, text("R")), records=array(record("R"))),
        "A record in the place of an enum.",
    )
    _bad(
        book,
        "missing.exception",
        "META-5",
        interface(method(raises=names("X"))),
        "An exception that is not there.",
    )
    _bad(
        book,
        "unused.record",
        "META-5",
        interface(records=array(record("R"))),
        "A record that nothing leads to.",
    )
    _bad(book, "unused.enum", "META-5", interface(enums=array(enum("E"))), "An enum that nothing leads to.")
    _bad(
        book,
        "unused.exception",
        "META-5",
        interface(exceptions=array(array(text("X"), NONE))),
        "An exception that no method declares.",
    )
    _bad(
        book,
        "shared-name",
        "META-5",
        gives(
            compound(17, array(compound(18, text("R")), compound(19, text("R")))),
            enums=array(enum("R")),
            records=array(record("R")),
        ),
        "An enum and a record of one name.",
    )
    twice = method("a", parameter("x"), parameter("x"))
    _bad(book, "parameter.twice", "META-6", interface(twice), "Two parameters of one name.")
    turned = method("a", parameter("x", 3), parameter("y", 1))
    _bad(book, "parameter.order", "META-6", interface(turned), "Kinds in another order.")
    _bad(
        book,
        "parameter.rest-twice",
        "META-6",
        interface(method("a", parameter("x", 2), parameter("y", 2))),
        "Two that take any number.",
    )
    _bad(
        book,
        "parameter.rest-default",
        "META-6",
        interface(method("a", parameter("x", 2, default=TRUE))),
        "Any number of them, with a default.",
    )
    _bad(book, "items.none", "META-6", interface(method(shape=2)), "A client stream of no type.")
    _bad(
        book, "items.some", "META-6", interface(method(shape=1, takes=TEXT)), "Items without a client stream."
    )


def _bad_types(book: Book) -> None:
    _bad(book, "type.unknown", "META-2", gives(integer(14)), "A number that is no type.")
    _bad(book, "type.unknown-parts", "META-2", gives(compound(22, TEXT)), "The same with parts.")
    _bad(book, "type.empty", "META-2", gives(NONE), "An empty array.")
    _bad(book, "type.parts", "META-2", gives(compound(14, TEXT, TEXT)), "A list of two types.")
    _bad(book, "type.text", "META-2", gives(text("str")), "A type as text.")
    _bad(book, "type.set", "META-7", gives(compound(15, compound(14, TEXT))), "A set of lists.")
    _bad(book, "type.set.null", "META-7", gives(compound(15, union(integer(1), TEXT))), "A set with null.")
    _bad(book, "type.map", "META-7", gives(compound(16, FLOAT, TEXT)), "A map with floats as keys.")
    true = choice(booleans=array(TRUE))
    _bad(book, "type.map.choice", "META-7", gives(compound(16, true, TEXT)), "A map with true as a key.")
    _bad(book, "choice.empty", "META-8", gives(choice()), "A choice among nothing.")
    _bad(
        book,
        "choice.order",
        "META-8",
        gives(choice(integers=array(integer(2), integer(1)))),
        "In another order.",
    )
    _bad(
        book,
        "choice.texts",
        "META-4",
        gives(choice(texts=names("b", "a"))),
        "Texts in another order.",
        "META-8",
    )
    large = array(tag(2, octets(b"\x01" + bytes(8))))
    _bad(book, "choice.large", "META-8", gives(choice(integers=large)), "An integer of more than 64 bits.")
    _bad(book, "union.one", "META-8", gives(union(TEXT)), "A union of one.")
    _bad(book, "union.order", "META-8", gives(union(TEXT, INTEGER)), "A union in another order.")
    _bad(book, "union.twice", "META-8", gives(union(TEXT, TEXT)), "The same type twice.")
    _bad(book, "union.any", "META-8", gives(union(ANY, TEXT)), "A union with any.")
    _bad(book, "union.union", "META-8", gives(union(TEXT, union(BOOLEAN, TEXT))), "A union in a union.")
    both = union(choice(integers=array(integer(1))), choice(texts=names("a")))
    _bad(book, "union.choices", "META-8", gives(both), "Two choices in a union.")
    _bad(book, "depth.17", "META-9", gives(_deep(17)), "Types 17 deep.")
    _bad(book, "depth.100", "META-1", gives(_deep(100)), "Types deeper than a value can be.", "META-9")
