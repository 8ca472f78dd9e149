"""What is read from certificates, against a library that reads all of them; and that nothing else breaks it."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from graftwire.transport.certificates import certificate_pin, names, public_key_pin, validity

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    *alternatives: x509.GeneralName,
    start: datetime = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    end: datetime = datetime(2034, 1, 2, 3, 4, 5, tzinfo=UTC),
) -> x509.Certificate:
    """A certificate with these names and dates, and an extension that is no name."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
    return builder.sign(KEY, hashes.SHA256())


def der(*alternatives: x509.GeneralName) -> bytes:
    return certificate(*alternatives).public_bytes(Encoding.DER)


def test_pins_are_digests_of_the_certificate_and_of_its_key() -> None:
    made = certificate()
    key = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate_pin(made.public_bytes(Encoding.DER)) == made.fingerprint(hashes.SHA256())
    assert public_key_pin(made.public_bytes(Encoding.DER)) == hashlib.sha256(key).digest()


def test_the_pin_of_a_key_outlives_its_certificate() -> None:
    one, other = der(x509.DNSName("a.example")), der(x509.DNSName("b.example"))
    assert certificate_pin(one) != certificate_pin(other)
    assert public_key_pin(one) == public_key_pin(other)


def test_the_names_in_a_certificate() -> None:
    found = names(
        der(
            x509.DNSName("a.example"),
            x509.DNSName("*.b.example"),
            x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
            x509.RFC822Name("somebody@a.example"),
            x509.UniformResourceIdentifier("https://a.example"),
        )
    )
    assert found == ["a.example", "*.b.example", "10.0.0.1", "2001:db8::1"]


def test_names_that_are_none_are_left_out() -> None:
    odd = [x509.DNSName("a b"), x509.DNSName("\x1b[31m"), x509.DNSName("x" * 254), x509.DNSName("c.example")]
    assert names(der(*odd)) == ["c.example"]
    assert names(der()) == []


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2049, 2050, 2100, 9999])
def test_the_dates_of_a_certificate(year: int) -> None:
    start = datetime(1950, 1, 1, tzinfo=UTC)
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = certificate(start=start, end=end)
    assert validity(made.public_bytes(Encoding.DER)) == (start, end)


def test_certificates_of_an_authority(ca: trustme.CA) -> None:
    made = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    assert validity(made.public_bytes(Encoding.DER)) == (made.not_valid_before_utc, made.not_valid_after_utc)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x05\x00",
        b"\x30\x82",
        b"\x30\x02\x30\x00",
        b"\x30\x0e\x30\x0c" + b"\x02\x00" * 6,
        b"\x30\x0e\x30\x0c" + b"\x02\x00" * 5 + b"\x30\x00",
    ],
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is for nobody
        validity(data)


def dated(*times: bytes) -> bytes:
    """As little of a certificate as `validity` looks at."""
    dates = b"".join(times)
    parts = b"\x02\x00" * 3 + bytes([0x30, len(dates)]) + dates + b"\x30\x00" * 2
    signed = bytes([0x30, len(parts)]) + parts
    return bytes([0x30, len(signed)]) + signed


def utc(text: bytes) -> bytes:
    return bytes([0x17, len(text)]) + text


@pytest.mark.parametrize(
    "data",
    [
        dated(),
        dated(utc(b"240101000000Z")),
        dated(utc(b"240101000000Z"), b"\x02\x01\x00"),
        dated(utc(b"240101000000Z"), utc(b"yesterday")),
        dated(utc(b"240101000000Z"), utc(b"\xff")),
        dated(*[utc(b"240101000000Z")] * 3),
    ],
)
def test_dates_that_are_none(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is for nobody
        validity(data)


@given(
    st.binary()
    | st.builds(
        lambda at, byte: bytearray(WHOLE[:at]) + bytes([byte]) + WHOLE[at + 1 :],
        st.integers(0, 500),
        st.integers(0, 255),
    )
)
def test_nothing_but_a_value_error_comes_of_bytes(data: bytes) -> None:
    for read in (names, validity, public_key_pin):
        with contextlib.suppress(ValueError):
            read(bytes(data))


WHOLE = der(x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("10.0.0.1")))
