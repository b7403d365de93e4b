"""The TLS context of a profile, against a real server with certificates made on the spot."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from smpp.profile_keys import ProfileError
from smpp.profile_sections import Tls, TlsVersion
from smpp.tls import context
from tests.support.certificates import Authority

SMSC = "smsc.north.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def listening(server: ssl.SSLContext) -> AsyncIterator[int]:
    """A server that says hello to whoever it lets in."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def greeting(port: int, tls: Tls, name: str = SMSC) -> bytes:
    """What the server said over TLS."""
    made = context(tls)
    assert made is not None
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=made, server_hostname=name
        )
        try:
            return await reader.read()
        finally:
            writer.transport.abort()


def test_without_tls_there_is_no_context() -> None:
    assert context(Tls()) is None


async def test_a_certificate_of_the_right_authority_and_name_passes(authority: Authority) -> None:
    async with listening(authority.server(*authority.issue("smsc", hosts=(SMSC,)))) as port:
        assert await greeting(port, Tls(on=True, ca_file=authority.file)) == b"hello"


async def test_an_address_in_the_certificate_passes_as_a_name(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=("127.0.0.1",)))
    async with listening(server) as port:
        assert await greeting(port, Tls(on=True, ca_file=authority.file), "127.0.0.1") == b"hello"


async def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=("other.example",)))
    async with listening(server) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await greeting(port, Tls(on=True, ca_file=authority.file))


async def test_a_certificate_that_has_expired_is_refused(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=(SMSC,), days=-1))
    async with listening(server) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await greeting(port, Tls(on=True, ca_file=authority.file))


async def test_a_certificate_of_somebody_else_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with listening(stranger.server(*stranger.issue("smsc", hosts=(SMSC,)))) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            await greeting(port, Tls(on=True, ca_file=authority.file))
        with pytest.raises(ssl.SSLCertVerificationError):  # nor does the system know it
            await greeting(port, Tls(on=True))


async def test_without_verification_anybody_passes(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=("other.example",), days=-1))
    async with listening(server) as port:
        assert await greeting(port, Tls(on=True, verify=False)) == b"hello"


async def test_the_server_is_told_which_name_is_meant(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=(SMSC,)))
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with listening(server) as port:
        await greeting(port, Tls(on=True, ca_file=authority.file))
        await greeting(port, Tls(on=True, verify=False))
    assert asked == [SMSC, SMSC]


async def test_a_client_certificate_is_shown_if_it_is_demanded(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=(SMSC,)), clients=True)
    certificate, key = authority.issue("client")
    tls = Tls(on=True, ca_file=authority.file, certificate_file=certificate, key_file=key)
    async with listening(server) as port:
        assert await greeting(port, tls) == b"hello"
        # In TLS 1.3 the client learns of the refusal after its handshake, if at all.
        with suppress(ssl.SSLError, ConnectionError):
            assert await greeting(port, Tls(on=True, ca_file=authority.file)) == b""


@pytest.mark.parametrize(
    ("minimum", "spoken"),
    [
        (TlsVersion.TLS_1_2, ssl.TLSVersion.TLSv1_1),
        (TlsVersion.TLS_1_3, ssl.TLSVersion.TLSv1_2),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_version_older_than_the_minimum_is_refused(
    authority: Authority, minimum: TlsVersion, spoken: ssl.TLSVersion
) -> None:
    server = authority.server(*authority.issue("smsc", hosts=(SMSC,)))
    server.minimum_version = server.maximum_version = spoken
    server.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(server) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await greeting(port, Tls(on=True, ca_file=authority.file, minimum=minimum))


async def test_tls_1_2_is_enough_by_default(authority: Authority) -> None:
    server = authority.server(*authority.issue("smsc", hosts=(SMSC,)))
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(server) as port:
        assert await greeting(port, Tls(on=True, ca_file=authority.file)) == b"hello"


def test_the_defaults_verify_and_begin_at_1_2() -> None:
    made = context(Tls(on=True))
    assert made is not None
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


def test_files_that_are_not_there_are_named(authority: Authority, tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    certificate, key = authority.issue("client")
    with pytest.raises(ProfileError, match=r"tls\.ca_file .*absent\.pem: No such file"):
        context(Tls(on=True, ca_file=absent))
    with pytest.raises(ProfileError, match=r"tls\.certificate_file .*absent\.pem: No such file"):
        context(Tls(on=True, certificate_file=absent, key_file=key))
    with pytest.raises(ProfileError, match=r"tls\.key_file .*absent\.pem: No such file"):
        context(Tls(on=True, certificate_file=certificate, key_file=absent))


def test_files_that_hold_something_else_are_refused(authority: Authority, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("hello")
    certificate, key = authority.issue("client")
    _, other = authority.issue("other")
    with pytest.raises(ProfileError, match=r"tls\.ca_file .* has no certificate; allowed: PEM"):
        context(Tls(on=True, ca_file=garbage))
    for pair in ((garbage, key), (certificate, garbage), (certificate, other)):
        with pytest.raises(ProfileError, match="are no pair; allowed: a certificate in PEM"):
            context(Tls(on=True, certificate_file=pair[0], key_file=pair[1]))


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked_for_it(
    authority: Authority,
) -> None:
    certificate, key = authority.issue(
        "client", encryption=serialization.BestAvailableEncryption(b"secret")
    )
    with pytest.raises(ProfileError, match="without a pass phrase"):
        context(Tls(on=True, certificate_file=certificate, key_file=key))
