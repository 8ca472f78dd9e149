"""The scanner finds a secret in every encoding, at every place, and nothing in what holds none."""

from __future__ import annotations

import base64
import gzip
import random
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from graftwire.conformance.scanning import Scanner

Encode = Callable[[bytes, int], bytes]


def deflate(data: bytes, _: int) -> bytes:
    compress = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compress.compress(data) + compress.flush()


def in_base64(data: bytes, shift: int) -> bytes:
    return base64.b64encode(b"\xa7" * (shift % 3) + data + b"\x5b" * (shift % 5))


ENCODINGS: dict[str, Encode] = {
    "raw": lambda data, _: data,
    "reversed": lambda data, _: data[::-1],
    "hex": lambda data, _: data.hex().encode(),
    "hex in capitals": lambda data, _: data.hex().upper().encode(),
    "reversed hex": lambda data, _: data[::-1].hex().encode(),
    "hex backwards": lambda data, _: data.hex()[::-1].encode(),
    "base64": in_base64,
    "base64url": lambda data, shift: in_base64(data, shift).translate(bytes.maketrans(b"+/", b"-_")),
    "base32": lambda data, shift: base64.b32encode(b"\x19" * (shift % 5) + data + b"\xee" * (shift % 7)),
    "base32, small": lambda data, shift: base64.b32encode(b"\x19" * (shift % 5) + data).lower(),
    "percent-encoding": lambda data, _: "".join(f"%{each:02x}" for each in data).encode(),
    "percent-encoding in capitals": lambda data, _: "".join(f"%{each:02X}" for each in data).encode(),
    "UTF-16, little end first": lambda data, _: data.decode("latin-1").encode("utf-16-le"),
    "UTF-16, big end first": lambda data, _: data.decode("latin-1").encode("utf-16-be"),
    "zlib": lambda data, level: zlib.compress(b"before " + data + b" behind", level % 10),
    "gzip": lambda data, _: gzip.compress(b"before " + data),
    "deflate": deflate,
    "hex in zlib": lambda data, _: zlib.compress(data.hex().encode()),
    "zlib in base64": lambda data, shift: in_base64(zlib.compress(data), shift),
    "base64 in base64": lambda data, shift: in_base64(in_base64(data, shift), shift // 3),
    "zlib in hex": lambda data, _: zlib.compress(data).hex().encode(),
    "a half": lambda data, shift: data[: (len(data) + 1) // 2] if shift % 2 else data[len(data) // 2 :],
    "a half in base64": lambda data, shift: in_base64(data[: (len(data) + 1) // 2], shift),
}
# Random bytes, as secrets are; and texts of random digits.
SECRETS = st.integers(0, 2**32).map(lambda seed: random.Random(seed).randbytes(24)) | st.integers(
    0, 2**32
).map(lambda seed: random.Random(seed).randbytes(16).hex().encode())
NOISE = st.tuples(st.integers(0, 2**32), st.integers(0, 300)).map(
    lambda of: random.Random(f"noise {of[0]}").randbytes(of[1])
)


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(secret=random.Random(2**32).randbytes(24), before=b"\xae", behind=b"", shift=0)
@given(secret=SECRETS, before=NOISE, behind=NOISE, shift=st.integers(0, 1_000))
def test_a_hidden_secret_is_found(name: str, secret: bytes, before: bytes, behind: bytes, shift: int) -> None:
    encoded = ENCODINGS[name](secret, shift)
    data = before + encoded + behind
    hits = Scanner({"it": secret, "other": bytes(range(40, 70))}).scan(data)
    assert {each.secret for each in hits} == {"it"}
    assert all(0 <= each.start < each.end <= len(data) for each in hits)
    # the place is right: with what stands there taken away, nothing is left
    assert any(each.start < len(before) + len(encoded) and each.end > len(before) for each in hits)


@settings(max_examples=200, deadline=None)
@given(secret=SECRETS, before=NOISE, behind=NOISE)
def test_the_place_and_the_name(secret: bytes, before: bytes, behind: bytes) -> None:
    scanner = Scanner({"it": secret})
    for encoding, text in (("raw", secret), ("hex", secret.hex().encode())):
        assert scanner.scan(before + text + behind) == [
            ("it", encoding, len(before), len(before) + len(text))
        ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), secret=SECRETS)
def test_nothing_is_found_in_noise(seed: int, secret: bytes) -> None:
    noise = random.Random(f"noise {seed}")
    scanner = Scanner({"it": secret, "text": noise.randbytes(16).hex().encode()})
    assert scanner.scan(noise.randbytes(30_000)) == []
    assert scanner.scan(base64.b64encode(noise.randbytes(3_000))) == []
    assert scanner.scan(noise.randbytes(3_000).hex().encode()) == []
    assert scanner.scan(zlib.compress(noise.randbytes(300).hex().encode())) == []


def test_long_runs_of_equal_bytes_hide_nothing() -> None:
    secret = b"\0\0\0" + bytes(range(60, 80)) + b"\0\0"
    (hit,) = Scanner({"it": secret}).scan(bytes(100_000) + secret[3:] + bytes(70_000))
    assert hit.secret == "it"
    assert hit.start <= 100_000 < hit.end


def test_a_run_that_is_cut_off_or_broken() -> None:
    secret = bytes(range(100, 124))
    packed = zlib.compress(secret * 3 + random.Random(1).randbytes(500))
    for data in (packed[:60], packed[:60] + b"\xff" * 40, b"xx" + packed + b"yy"):
        assert [each.secret for each in Scanner({"it": secret}).scan(data)] == ["it"]


def test_no_repr_shows_a_secret() -> None:
    assert "hunter2hunter2" not in repr(Scanner({"it": b"hunter2hunter2"}))
