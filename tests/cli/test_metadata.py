"""`graftwire metadata`: what it shows, what it says of changes, and the sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graftwire.gateway.metadata.encode import decode, decode_all

from .conftest import Here

SHOP = """
from decimal import Decimal
import graftwire

class OverLimit(Exception):
    limit: int

@graftwire.interface(version="1.2")
class Books:
    @graftwire.raises(OverLimit)
    def total(self, customer: str, net: int = 1) -> Decimal: ...

@graftwire.interface
class Other:
    def lines(self) -> list[int]: ...

class Loose:
    def a(self, x): ...
    def b(self, y: complex) -> None: ...
"""
TEXT = """Books 1.2
  total(customer: text, net: integer = …) -> decimal raises OverLimit
  exception OverLimit
    limit: integer
"""


@pytest.fixture
def books(shop: Path) -> Path:
    (shop / "books.py").write_text(SHOP)
    (shop / "newer.py").write_text(
        SHOP.replace("net: int = 1", "net: int | None").replace("customer: str", "customer: str | None")
    )
    return shop


def test_it_shows_what_is_known(here: Here, books: Path) -> None:
    assert here("metadata", "books:Books").out == TEXT
    assert here("metadata", "show", "books:Books").out == TEXT
    assert here("metadata", "books").out == TEXT + "Other\n  lines() -> list[integer]\n"
    assert here("metadata", "New=books:Other").out == "New\n  lines() -> list[integer]\n"
    shown = [json.loads(line) for line in here("metadata", "--json", "books").out.splitlines()]
    assert [each["name"] for each in shown] == ["Books", "Other"]


@pytest.mark.parametrize("form", ["--cbor", "--json"])
def test_files_can_be_read_again(here: Here, books: Path, form: str) -> None:
    for what in ("books", "books:Books"):
        assert here("metadata", what, form, "--output", "kept").out == ""
        assert here("metadata", "kept").out == here("metadata", what).out
    data = (books / "kept").read_bytes()
    if form == "--cbor":
        assert decode_all(data) == [decode(data)]
    assert here("metadata", "diff", "kept", "books:Books").out == "no change\n"


def test_changes(here: Here, books: Path) -> None:
    done = here("metadata", "diff", "books", "newer")
    assert done.out == (
        "no harm         Books.total: the parameter customer: text is now text | null\n"
        "no harm         Books.total: the parameter net: integer is now integer | null\n"
        "breaks callers  Books.total: the parameter net has no default any more\n"
    )
    assert done.sentence == "1 of 3 changes breaks callers that were made from the old interface"
    assert done.code == 1
    assert here("metadata", "diff", "books:Books", "books:Books").code == 0
    done = here("metadata", "diff", "books", "newer:Other", "--json")
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"where": "Books", "what": "is gone", "breaking": True}
    ]
    assert json.loads(done.err)["error"]["kind"] == "breaking"
    done = here("metadata", "diff", "newer:Other", "books")
    assert (done.code, done.out) == (0, "no harm         Books: is new\n")


X = "books.py, line 18: the parameter x of Loose.a has no type; annotate it, as in x: str (Any takes everything)"
RETURN = "books.py, line 18: Loose.a has no return type; annotate it, as in `-> None`"
COMPLEX = (
    "books.py, line 19: the parameter y of Loose.b can't cross the wire: complex has no form on the wire; the "
    "documentation lists what can under Types"
)


@pytest.mark.parametrize(
    "command", [("metadata",), ("serve", "--listen", "tcp://127.0.0.1:0", "--auth", "anonymous")]
)
def test_all_that_is_wrong_is_said(here: Here, books: Path, command: tuple[str, ...]) -> None:
    done = here(*command, "books:Loose")
    assert (done.code, done.out) == (2, "")
    assert done.err == "".join(f"graftwire: {each}\n" for each in (X, RETURN, COMPLEX))
    done = here(*command, "books:Loose", "--allow-untyped")
    assert (done.code, done.sentence) == (2, COMPLEX)
    done = here(*command, "books:Loose", "--json")
    assert json.loads(done.err)["error"] == {
        "kind": "interface",
        "sentence": X,
        "problems": [X, RETURN, COMPLEX],
    }


TWO_HERE = "there are two modules called twice in this directory, twice.py and the folder twice; rename one"
HIDDEN = "there are two modules called colorsys: colorsys.py in this directory, and one that hides it; rename yours"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "missing argument 'WHAT'; see graftwire metadata show --help"),
        (["diff", "books"], "missing argument 'NEW'; see graftwire metadata diff --help"),
        (["nowhere"], "there is no module nowhere in this directory or among the installed packages"),
        (["books:Nothing"], "the module books has nothing called Nothing; check the name"),
        (["failing2"], "the module failing2 can't be imported: KeyError in failing2.py, line 1"),
        (["twice"], TWO_HERE),
        (["colorsys:A"], HIDDEN),
        (
            ["text"],
            (
                "text is no metadata; write it with graftwire metadata --cbor or --json, or name a class as in "
                "shop:Invoices"
            ),
        ),
        (
            ["broken"],
            (
                "broken can't be used: this is no metadata of an interface: its bytes end too soon (META-1); write it "
                "anew with graftwire metadata --cbor"
            ),
        ),
        (
            ["old/books.cbor"],
            "there is no file old/books.cbor; write it with graftwire metadata --cbor --output",
        ),
        (
            ["diff", "books.json", "books"],
            "there is no file books.json; write it with graftwire metadata --json --output",
        ),
        (["books", "--output", "nowhere/file"], "nowhere/file can't be written: no such file or directory"),
    ],
)
def test_mistakes(here: Here, books: Path, arguments: list[str], sentence: str) -> None:
    import colorsys  # noqa: F401 - so that it is loaded, as much of the standard library is

    (books / "failing2.py").write_text("{}['secret']\n")
    (books / "colorsys.py").write_text("class A: ...\n")
    (books / "twice.py").write_text("")
    (books / "twice").mkdir(exist_ok=True)
    (books / "twice" / "__init__.py").write_text("")
    (books / "text").write_text(TEXT, encoding="utf-8")
    (books / "broken").write_bytes(b"\x87\x01")
    try:
        done = here("metadata", *arguments)
    finally:
        (books / "colorsys.py").unlink()
    assert done.out == ""
    assert done.sentence == sentence
    assert done.code == (1 if "--output" in arguments else 2)


def test_one_form(here: Here, books: Path) -> None:
    done = here("metadata", "books", "--cbor", "--json")
    assert done.code == 2
    assert (
        json.loads(done.err)["error"]["sentence"] == "--cbor and --json are two forms of the same; choose one"
    )


def test_two_of_one_name(here: Here, books: Path) -> None:
    done = here("serve", "books:Books", "newer", "--listen", "tcp://127.0.0.1:0", "--auth", "anonymous")
    assert done.code == 2
    assert done.sentence == "two of them would be called Books; rename one, as in Other=newer:Books"
