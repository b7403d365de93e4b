"""The TLS context that a carrier's profile asks for."""

from __future__ import annotations

import ssl
from pathlib import Path

from smpp.profile_keys import ProfileError
from smpp.profile_sections import Tls, TlsVersion

_VERSIONS = {
    TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}


def context(tls: Tls) -> ssl.SSLContext | None:
    """For a client; None if the carrier's port is not encrypted.

    Verification and SNI are on; the name is the caller's to give (`server_hostname`). Without
    verification the traffic is encrypted to whoever answers. Files are read now, so it may take
    a while; ProfileError if one of them cannot be used.
    """
    if not tls.on:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = _VERSIONS[tls.minimum]
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is not None:
        _trust(made, tls.ca_file)
    else:
        made.load_default_certs()
    if tls.certificate_file is not None and tls.key_file is not None:
        _show(made, tls.certificate_file, tls.key_file)
    return made


def _trust(made: ssl.SSLContext, file: Path) -> None:
    try:
        made.load_verify_locations(file)
    except ssl.SSLError:
        raise ProfileError(f"tls.ca_file {file} has no certificate; allowed: PEM") from None
    except OSError as error:
        raise ProfileError(f"tls.ca_file {file}: {error.strerror}") from error


def _show(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for name, file in (("certificate_file", certificate), ("key_file", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            # load_cert_chain does not say which of the two it is.
            raise ProfileError(f"tls.{name} {file}: {error.strerror}") from error
    try:
        # Without this word OpenSSL asks the terminal for a pass phrase, and a service hangs.
        made.load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise ProfileError(
            f"tls.certificate_file {certificate} and tls.key_file {key} are no pair; allowed: a"
            " certificate in PEM and its own key without a pass phrase"
        ) from None
