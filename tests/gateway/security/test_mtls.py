"""The scheme mtls: real certificates of a real authority, and the facts of real TLS links."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import graftwire
from graftwire.gateway.security.errors import CredentialError, SecurityError
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.mtls import MtlsCredential, MutualTls
from graftwire.gateway.security.plugins import Attempt, Occasion, Refusal
from graftwire.gateway.security.roles import AnyIdentity
from graftwire.protocol.connection import Role
from graftwire.transport.contexts import client_context, server_context
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.url import parse

URI = "spiffe://works.example/press-3"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
END = START + timedelta(days=2)
ISSUER = "O=the works"


@dataclass
class Works:
    """An authority of one's own, and a folder for what it issues."""

    folder: Path
    ca: trustme.CA

    @property
    def roots(self) -> Path:
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(path)
        return path

    def gateway(self) -> Path:
        path = self.folder / "gateway.pem"
        self.ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def client(
        self, *names: x509.GeneralName, common_names: tuple[str, ...] = ("press 3",), end: datetime = END
    ) -> Path:
        """A client certificate with exactly these names: trustme has no URIs."""
        signer = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        mine = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one) for one in common_names]))
            .issuer_name(signer.subject)
            .public_key(mine.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(end)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = builder.sign(key, hashes.SHA256())
        path = self.folder / "client.pem"
        path.write_bytes(
            mine.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        return path


@pytest.fixture
def works(tmp_path: Path) -> Works:
    return Works(tmp_path, trustme.CA(organization_name="the works", organization_unit_name="x"))


async def facts_of(works: Works, certificate: Path | None, *, optional: bool = False) -> LinkFacts:
    """What a TLS listener knows about a link whose client showed this certificate."""
    context = server_context(works.gateway(), client_ca=works.roots, require_client_certificate=not optional)
    return await link_facts(context, client_context(ca=works.roots, certificate=certificate))


async def link_facts(server: ssl.SSLContext, client: ssl.SSLContext) -> LinkFacts:
    url = parse("tls://127.0.0.1:0")
    listener = await transport_for("tls").listen(url, ListenOptions(tls=server))
    found: list[LinkFacts] = []
    done = trio.Event()

    async def handle(link: Link) -> None:
        found.append(link.facts)
        await link.aclose()
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, handle)
        async with transport_for("tls").connect(parse(listener.url), ConnectOptions(tls=client)):
            await done.wait()
        listener.stop()
        nursery.cancel_scope.cancel()
    return found[0]


def attempt(facts: LinkFacts, proof: bytes = b"") -> Attempt:
    return Attempt("mtls", proof, facts, Role.INITIATOR, lambda: (b"", b""))


async def judge(works: Works, authenticator: MutualTls, *names: x509.GeneralName) -> Identity | Refusal:
    return await authenticator.authenticate(attempt(await facts_of(works, works.client(*names))))


# --- who is let in -------------------------------------------------------------------------------------------------


def uri(text: str = URI) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def dns(text: str) -> x509.GeneralName:
    return x509.DNSName(text)


async def test_a_name_of_the_certificate_is_the_subject(works: Works) -> None:
    certificate = works.client(uri(), dns("Press-3.works.example"))
    facts = await facts_of(works, certificate)
    assert facts.tls is not None
    assert facts.tls.certificate is not None
    signer = x509.load_pem_x509_certificate(works.ca.cert_pem.bytes()).subject.rfc4514_string()
    for by, subject in (
        ("san-uri", URI),
        ("san-dns", "press-3.works.example"),
        ("common-name", "press 3"),
        ("fingerprint", sha256(facts.tls.certificate).hexdigest()),
    ):
        found = await MutualTls.from_text(by).authenticate(attempt(facts))
        assert found == Identity(subject, "mtls", signer, frozenset(), END, {by: subject})
        assert MutualTls(by).withdrawn(found) is None
    assert "O=the works" in signer
    found = await MutualTls("san-uri", issuer="works").authenticate(attempt(facts))
    assert isinstance(found, Identity)
    assert found.who == ("works", URI)


async def test_a_file_says_who_it_is(works: Works) -> None:
    facts = await facts_of(works, works.client(uri(), uri("urn:other"), dns("press-3.works.example")))
    assert facts.tls is not None
    assert facts.tls.certificate is not None
    fingerprint = sha256(facts.tls.certificate).hexdigest()
    colons = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    path = works.folder / "clients.toml"
    for known in (f'san-uri = "{URI}"', 'san-dns = "PRESS-3.works.example"', f'fingerprint = "{colons}"'):
        path.write_text(f'[[client]]\n{known}\nsubject = "press-3"\nroles = ["machine"]\n', encoding="utf-8")
        found = await MutualTls.from_text(str(path)).authenticate(attempt(facts))
        assert isinstance(found, Identity)
        assert found.subject == "press-3"
        assert found.roles == {"machine"}
        assert found.expires == END


async def test_the_file_is_read_again(works: Works) -> None:
    now = 0.0
    path = works.folder / "clients.toml"
    path.write_text(f'[[client]]\nsan-uri = "{URI}"\nsubject = "press-3"\n', encoding="utf-8")
    authenticator = MutualTls(clients=path, clock=lambda: now)
    facts = await facts_of(works, works.client(uri()))
    assert isinstance(await authenticator.authenticate(attempt(facts)), Identity)
    path.write_text('[[client]]\nsan-uri = "urn:somebody"\nsubject = "somebody"\n', encoding="utf-8")
    now = 1.0
    assert await authenticator.authenticate(attempt(facts)) == Refusal(
        "the certificate is none of the clients in the file"
    )


async def test_an_identity_counts_as_long_as_the_file_has_it(works: Works) -> None:
    now = 0.0
    path = works.folder / "clients.toml"
    client = f'[[client]]\nsan-uri = "{URI}"\nsubject = "press-3"\n'
    path.write_text(client, encoding="utf-8")
    authenticator = MutualTls(clients=path, clock=lambda: now)
    found = await judge(works, authenticator, uri())
    assert isinstance(found, Identity)
    for text, reason in (
        (client.replace("press-3", "press-5"), "the client is gone from the file"),
        (client.replace('"press-3"', '"press-5"'), "the client stands for something else now"),
        (client + 'roles = ["boss"]\n', "the client stands for something else now"),
        (client, None),
    ):
        path.write_text(text, encoding="utf-8")
        now += 1.0
        assert authenticator.withdrawn(found) == reason


def test_a_file_that_others_may_write_to(works: Works) -> None:
    path = works.folder / "clients.toml"
    path.write_text(f'[[client]]\nsan-uri = "{URI}"\nsubject = "press-3"\n', encoding="utf-8")
    path.chmod(0o664)
    with pytest.raises(
        SecurityError, match=r"the file of clients .* can be written by others than its owner"
    ):
        MutualTls(clients=path)


class Stock:
    async def who(self) -> str:
        found = graftwire.current_identity()
        assert found is not None
        return found.subject


async def test_the_certificate_counts_only_after_its_frame(works: Works) -> None:
    """Clause AUTH-11: the same link, with and without AUTH; and over a link without a certificate."""
    options = ListenOptions(
        tls=server_context(works.gateway(), client_ca=works.roots, require_client_certificate=False)
    )
    with_one = ConnectOptions(tls=client_context(ca=works.roots, certificate=works.client(uri())))
    without = ConnectOptions(tls=client_context(ca=works.roots))
    async with graftwire.serve(
        {"Stock": Stock()},
        "tls://127.0.0.1:0",
        auth=MutualTls("san-uri"),
        allow=AnyIdentity(),
        options=options,
    ) as gateway:
        url = gateway.urls[0]
        async with graftwire.connect(url, options=with_one, credential=MtlsCredential()) as client:
            assert await client.call("Stock.who") == URI
        async with graftwire.connect(url, options=with_one) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Stock.who")
        with pytest.raises(graftwire.Unauthenticated):
            async with graftwire.connect(url, options=without, credential=MtlsCredential()) as client:
                await client.call("Stock.who")


# --- who is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "names", "common_names", "reason"),
    [
        ("san-uri", (dns("a.example"),), ("a",), "the certificate has no san-uri"),
        ("san-uri", (), ("a",), "the certificate has no san-uri"),
        ("san-dns", (uri(),), ("a",), "the certificate has no san-dns"),
        ("common-name", (uri(),), (), "the certificate has no common-name"),
        (
            "san-uri",
            (uri(), uri("urn:other")),
            (),
            "the certificate has more than one san-uri, so it is not clear whose it is",
        ),
        (
            "common-name",
            (uri(),),
            ("a", "b"),
            "the certificate has more than one common-name, so it is not clear whose it is",
        ),
        ("san-dns", (dns("*.example"),), (), "the san-dns of the certificate can't be a subject"),
        ("common-name", (uri(),), ("a\nb",), "the common-name of the certificate can't be a subject"),
    ],
)
async def test_a_certificate_that_does_not_say_who(
    works: Works, by: str, names: tuple[x509.GeneralName, ...], common_names: tuple[str, ...], reason: str
) -> None:
    facts = await facts_of(works, works.client(*names, common_names=common_names))
    assert await MutualTls(by).authenticate(attempt(facts)) == Refusal(reason)


async def test_a_certificate_that_is_two_clients(works: Works) -> None:
    path = works.folder / "clients.toml"
    path.write_text(
        f'[[client]]\nsan-uri = "{URI}"\nsubject = "a"\n[[client]]\nsan-dns = "b.example"\nsubject = "b"\n',
        encoding="utf-8",
    )
    assert await judge(works, MutualTls(clients=path), uri(), dns("b.example")) == Refusal(
        "the certificate is more than one of the clients in the file"
    )


@pytest.mark.parametrize("now", [END, END + timedelta(days=1), START - timedelta(seconds=1)])
async def test_a_certificate_out_of_its_dates(works: Works, now: datetime) -> None:
    """The handshake was in time; the session is older than the certificate."""
    assert await judge(works, MutualTls("san-uri", now=lambda: now), uri()) == Refusal(
        "the certificate is out of its dates"
    )


async def test_the_last_second_counts(works: Works) -> None:
    just = END - timedelta(seconds=1)
    assert isinstance(await judge(works, MutualTls("san-uri", now=lambda: just), uri()), Identity)


async def test_the_proof_is_empty_and_for_the_session(works: Works) -> None:
    facts = await facts_of(works, works.client(uri()))
    authenticator = MutualTls("san-uri")
    assert await authenticator.authenticate(attempt(facts, b"\0")) == Refusal(
        "the proof of mtls is empty, and this one is not"
    )
    assert await authenticator.authenticate(replace(attempt(facts), single_call=True)) == Refusal(
        "a certificate belongs to the link, and can't be the credential of one call"
    )


async def test_a_link_without_a_verified_certificate(works: Works) -> None:
    facts = await facts_of(works, works.client(uri()))
    assert facts.tls is not None
    authenticator = MutualTls("san-uri")

    async def reason(facts: LinkFacts, claimant: Role = Role.INITIATOR) -> str:
        found = await authenticator.authenticate(replace(attempt(facts), claimant=claimant))
        assert isinstance(found, Refusal)
        return found.reason

    none_shown = await facts_of(works, None, optional=True)
    assert await reason(none_shown) == "the other end showed no certificate"
    # what a proxy that ended TLS leaves: its own address, and nothing of TLS
    proxied = LinkFacts("tcp", "here", "the client", proxied="the proxy")
    assert await reason(proxied) == "the link has no TLS that this end is part of"
    unverified = replace(facts, tls=replace(facts.tls, verified=False))
    assert await reason(unverified) == "the other end's certificate was not verified"
    only = "a client certificate is shown by who dialled, to who listens"
    assert await reason(facts, Role.ACCEPTOR) == only
    dialled = replace(facts, tls=replace(facts.tls, server_side=False))
    assert await reason(dialled) == only


@pytest.mark.parametrize("der", [b"", b"\0", b"0\x03\x02\x01\x00", b"garbage" * 100])
async def test_a_certificate_that_can_not_be_read(works: Works, der: bytes) -> None:
    facts = await facts_of(works, works.client(uri()))
    assert facts.tls is not None
    broken = replace(facts, tls=replace(facts.tls, certificate=der))
    assert await MutualTls("san-uri").authenticate(attempt(broken)) == Refusal(
        "the certificate can't be read (ValueError)"
    )


# --- configuration -------------------------------------------------------------------------------------------------

BY = "san-uri, san-dns, common-name, fingerprint"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: MutualTls.from_text(""),
            f"mtls has to be told how a certificate becomes an identity: by one of {BY}, or by a file of clients",
        ),
        (
            lambda: MutualTls("san-uri", clients="clients.toml"),
            f"mtls has to be told how a certificate becomes an identity: by one of {BY}, or by a file of clients",
        ),
        (
            lambda: MutualTls("san-url"),
            f"mtls can't go by what it was told; did you mean san-uri? there are: {BY}",
        ),
        (
            lambda: MutualTls.from_text("sanuri"),
            f"mtls can't go by what it was told; did you mean san-uri? there are: {BY}",
        ),
        (
            lambda: MutualTls.from_text("no-such.toml"),
            f"the file of clients {Path.cwd()}/no-such.toml can't be read: there is no such file; check the path",
        ),
    ],
)
def test_a_configuration_that_can_not_be_used(make: Callable[[], MutualTls], sentence: str) -> None:
    with pytest.raises(SecurityError) as caught:
        make()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "{file}: the file has no client; add it"),
        (
            '[[client]]\nsubject = "a"',
            "{file}: a client is known by exactly one of fingerprint, san-uri, san-dns",
        ),
        (
            '#\n[[client]]\nsan-uri = "a"\nsan-dns = "b"\nsubject = "a"',
            "{file}, line 2: a client is known by exactly one of fingerprint, san-uri, san-dns",
        ),
        (
            '[[client]]\nfingerprint = "abc"\nsubject = "a"',
            "{file}, line 2: a fingerprint is the SHA-256 of a certificate: 64 hex digits, colons allowed",
        ),
        (
            '[[client]]\nsan-uri = "a"\nsubject = "a"\n[[client]]\nsan-uri = "a"\nsubject = "b"',
            "{file}, line 5: two clients have this san-uri; leave one of them out",
        ),
        (
            '[[client]]\nsan-url = "a"\nsubject = "a"',
            (
                "{file}, line 2: [[client]] number 1 has an unknown key san-url; did you mean san-uri? there are: "
                "fingerprint, san-uri, san-dns, subject, roles"
            ),
        ),
    ],
)
def test_a_file_of_clients_that_can_not_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SecurityError) as caught:
        MutualTls(clients=path)
    assert str(caught.value) == sentence.format(file=path)


def test_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from graftwire.gateway.security.registry import authenticator\n"
        "try: authenticator('mtls:san-uri')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "SecurityError the authenticator mtls needs the package cryptography; install graftwire[mtls]\n"
    )


async def test_the_provider_says_what_it_can_not_do(works: Works) -> None:
    facts = await facts_of(works, works.client(uri()))
    occasion = Occasion("tls://x", facts, Role.INITIATOR, lambda: (b"", b""))
    provider = MtlsCredential()
    made = await provider.credential(occasion)
    assert (made.scheme, made.proof, made.answer) == ("mtls", b"", None)
    for wrong, sentence in (
        (
            replace(occasion, target="Stock.who"),
            "mtls proves a session, not a single call; use it for the session",
        ),
        (
            replace(occasion, facts=replace(facts, tls=None)),
            "mtls needs a TLS link that ends at the other side; use tls:// or wss://",
        ),
        (
            replace(occasion, role=Role.ACCEPTOR),
            "mtls is for who dials; a listener shows its certificate as a server",
        ),
    ):
        with pytest.raises(CredentialError) as caught:
            await provider.credential(wrong)
        assert str(caught.value) == sentence
