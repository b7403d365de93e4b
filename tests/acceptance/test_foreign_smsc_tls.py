"""Over TLS nothing leaves before the SMSC has proved to be the one that was meant."""

from __future__ import annotations

from pathlib import Path

from smpp.profile_sections import Tls
from tests.support.foreign.certificates import Authority
from tests.support.foreign.ours import Ours
from tests.support.foreign.smsc_node import NodeSmsc


async def test_over_tls_an_smsc_that_nobody_vouches_for_is_refused(
    node_smsc: type[NodeSmsc], ours: Ours, tmp_path: Path
) -> None:
    theirs, known = Authority(tmp_path / "theirs"), Authority(tmp_path / "known")
    trust = Tls(on=True, ca_file=known.root)
    await _refused_before_the_bind(
        node_smsc, ours, tls=theirs.certify("localhost").switch, host="localhost", trust=trust
    )


async def test_over_tls_an_smsc_of_another_name_is_refused(
    node_smsc: type[NodeSmsc], ours: Ours, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    trust = Tls(on=True, ca_file=authority.root)
    await _refused_before_the_bind(
        node_smsc, ours, tls=authority.certify("smsc.test").switch, host="localhost", trust=trust
    )


async def test_over_tls_an_smsc_that_speaks_none_is_refused(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    trust = Tls(on=True)
    # node-smpp hears a PDU of endless length, and from then on neither speaks nor hangs up.
    async with node_smsc() as smsc:
        gateway = ours.gateway_to(smsc, host="localhost", tls=trust, connect_timeout=0.1)
        gateway.start()
        await smsc.told("error", 2)  # tried again, and again in vain
        assert not gateway.up
        await gateway.aclose()
    assert smsc.of("bind") == []


async def _refused_before_the_bind(
    node_smsc: type[NodeSmsc],
    ours: Ours,
    *,
    tls: dict[str, str],
    host: str,
    trust: Tls,
) -> None:
    async with node_smsc(tls=tls) as smsc:
        gateway = ours.gateway_to(smsc, host=host, tls=trust)
        gateway.start()
        await smsc.told("handshake_failed", 2)  # tried again, and again in vain
        assert not gateway.up
        await gateway.aclose()
    assert smsc.of("bind") == []  # the password has not left
