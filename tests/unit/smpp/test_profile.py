"""What carriers disagree on, read from TOML."""

import contextlib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.address import Address
from smpp.errors import LocalProtocolError
from smpp.ids import IdRule
from smpp.national import Language
from smpp.profile import Profile
from smpp.profile_file import describe, example, examples, load, parse
from smpp.profile_keys import ProfileError
from smpp.profile_kinds import Host
from smpp.profile_sections import (
    Binds,
    Meaning,
    Mode,
    Reconnect,
    Session,
    Statuses,
    Texts,
    Tls,
    TlsVersion,
)
from smpp.style import Concatenation, DefaultAlphabet, TextStyle


def read(document: str, folder: Path = Path("/etc/carriers")) -> Profile:
    return parse(f'name = "north"\n{document}'.encode(), origin="north.toml", folder=folder)


# -- examples and documents -------------------------------------------------------------------


def test_every_example_can_be_read_and_is_called_as_its_file() -> None:
    assert len(examples()) >= 8
    for name in examples():
        assert example(name).name == name


def test_the_default_example_has_every_key_and_says_the_defaults() -> None:
    assert example("default") == Profile()
    document = tomllib.loads(_text_of("default"))
    written = {
        f"{table}.{key}" if isinstance(keys, dict) else table
        for table, keys in document.items()
        for key in (keys if isinstance(keys, dict) else [""])
    }
    unset = {row.key for row in describe() if not row.default}
    assert written == {row.key for row in describe()} - unset
    # What has no default is there as a comment.
    assert all(f"# {key.split('.')[1]} = " in _text_of("default") for key in unset)


def _text_of(name: str) -> str:
    return (resources.files("smpp") / "profiles" / f"{name}.toml").read_text()


def test_the_defaults_in_the_description_are_those_that_are_used() -> None:
    document = ""
    table = ""
    for row in describe():
        section, _, key = row.key.rpartition(".")
        if section != table:
            table = section
            document += f"[{table}]\n"
        if row.default:
            document += f"{key} = {row.default}\n"
    assert parse(document.encode(), origin="described", folder=Path()) == Profile()


def test_the_description_says_what_every_key_is_for() -> None:
    rows = describe()
    assert all(row.meaning and row.allowed for row in rows)
    assert len({row.key for row in rows}) == len(rows)


def test_an_example_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProfileError, match="no example 'north'; allowed: default, "):
        example("north")


def test_the_examples_show_what_carriers_differ_in() -> None:
    narrow = example("narrow-window")
    assert (narrow.session.window, narrow.session.rate, narrow.bind.per_host) == (10, 10.0, 2)
    assert narrow.tls.on
    assert example("hexadecimal-receipts").receipts.id_rule is IdRule.RECEIPT_HEX
    assert example("latin1").text.default_alphabet is DefaultAlphabet.LATIN1
    assert example("sar").text.concatenation is Concatenation.SAR
    assert example("header-only").session.inactivity_timeout == 60
    assert (example("pairs").bind.mode, len(example("pairs").hosts)) == (Mode.TX_RX, 2)
    assert example("tls-on-2775").tls.minimum is TlsVersion.TLS_1_3
    assert example("tls-on-2775").hosts[0].port == 2775
    assert example("plain-numbers").submit.tlvs == ((0x1400, b"segue\0"), (0x1401, b"\x01"))


# -- what is read -----------------------------------------------------------------------------


def test_everything_can_be_said_otherwise() -> None:
    profile = read(
        """
        hosts = ["smsc.example:2775", "192.0.2.1:2776", "[2001:db8::1]:3550"]
        [bind]
        mode = "tx_rx"
        per_host = 3
        system_type = "VMA"
        address_range = "^33"
        [tls]
        on = true
        verify = false
        server_name = "smsc.example"
        minimum = "1.3"
        ca_file = "ca.pem"
        certificate_file = "/keys/client.pem"
        key_file = "client.key"
        [session]
        window = 50
        rate = 12.5
        enquire_link_interval = 20
        inactivity_timeout = 60
        connect_timeout = 5
        response_timeout = 60
        throttle_patience = 90
        handler_timeout = 4
        drain_timeout = 3
        [reconnect]
        first = 30
        longest = 120
        held = 40
        refused = 600
        healthy_after = 10
        [text]
        default_alphabet = "packed"
        concatenation = "udh16"
        national = ["turkish", "hindi"]
        replace = true
        [receipts]
        id_rule = "receipt_decimal"
        """
    )
    assert profile.hosts == (
        Host("smsc.example", 2775),
        Host("192.0.2.1", 2776),
        Host("2001:db8::1", 3550),
    )
    assert [str(host) for host in profile.hosts][2] == "[2001:db8::1]:3550"
    assert profile.bind == Binds(
        mode=Mode.TX_RX, per_host=3, system_type="VMA", address_range="^33"
    )
    assert profile.tls == Tls(
        on=True,
        verify=False,
        server_name="smsc.example",
        minimum=TlsVersion.TLS_1_3,
        ca_file=Path("/etc/carriers/ca.pem"),
        certificate_file=Path("/keys/client.pem"),
        key_file=Path("/etc/carriers/client.key"),
    )
    assert profile.session == Session(
        window=50,
        rate=12.5,
        enquire_link_interval=20.0,
        inactivity_timeout=60.0,
        connect_timeout=5.0,
        response_timeout=60.0,
        throttle_patience=90.0,
        handler_timeout=4.0,
        drain_timeout=3.0,
    )
    assert profile.reconnect == Reconnect(
        first=30.0, longest=120.0, held=40.0, refused=600.0, healthy_after=10.0
    )
    assert profile.text == TextStyle(
        default_alphabet=DefaultAlphabet.PACKED,
        concatenation=Concatenation.UDH16,
        national=(Language.TURKISH, Language.HINDI),
        replace=True,
    )
    assert profile.receipts.id_rule is IdRule.RECEIPT_DECIMAL


def test_tlvs_are_written_as_strings_octets_or_hexadecimal() -> None:
    profile = read(
        '[submit]\ntlvs = { 0x1400 = "string:a:b", 0x1401 = "octets:ab", 0x3FFF = "hex:00 ff" }'
    )
    assert profile.submit.tlvs == ((0x1400, b"a:b\0"), (0x1401, b"ab"), (0x3FFF, b"\x00\xff"))


def test_the_sender_has_the_ton_and_npi_of_its_kind() -> None:
    profile = read("[addresses]\nsource_short_code = [6, 1]\nsource_name = [5, 1]")
    assert profile.source("+33123456789") == Address(1, 1, "33123456789")
    assert profile.source("36200") == Address(6, 1, "36200")
    assert profile.source("Segue") == Address(5, 1, "Segue")


def test_the_recipient_is_a_number_or_a_short_code() -> None:
    profile = read("[addresses]\ndestination_number = [0, 0]\ndestination_short_code = [2, 8]")
    assert profile.destination("+33123456789") == Address(0, 0, "33123456789")
    assert profile.destination("36200") == Address(2, 8, "36200")
    with pytest.raises(LocalProtocolError, match="number or a short code"):
        profile.destination("Segue")


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0x58, Meaning.THROTTLED),
        (0x14, Meaning.THROTTLED),
        (0x0B, Meaning.PERMANENT),
        (0x08, Meaning.TEMPORARY),
        (0x45, Meaning.TEMPORARY),
        (0x64, Meaning.TEMPORARY),
        (0x442, Meaning.TEMPORARY),  # nobody has told what it means
        (0xFFFFFFFF, Meaning.TEMPORARY),
    ],
)
def test_a_refusal_has_a_meaning_by_default(status: int, meaning: Meaning) -> None:
    assert Statuses().meaning(status) is meaning


def test_a_carrier_may_give_a_refusal_a_meaning_of_its_own() -> None:
    statuses = read("[statuses]\nopted_out = [0x442]\nthrottled = [0x401]").statuses
    assert statuses.meaning(0x442) is Meaning.OPTED_OUT
    assert statuses.meaning(0x401) is Meaning.THROTTLED
    assert statuses.meaning(0x58) is Meaning.TEMPORARY


def test_a_file_is_read_with_its_paths_seen_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "north.toml"
    file.write_text('name = "north"\n[tls]\non = true\nca_file = "ca.pem"\n')
    assert load(file).tls.ca_file == tmp_path / "ca.pem"


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("[session]\nwindow = 0", "session.window is 0; allowed: a whole number from 1 to 10000"),
        ("[session]\nwindow = '7'", "session.window is '7'; allowed: a whole number from 1 to"),
        ("[session]\nwindow = true", "session.window is True; allowed: a whole number from 1"),
        ("[session]\nwindow = 1.0", "session.window is 1.0; allowed: a whole number from 1 to"),
        ("[session]\nrate = -1", "session.rate is -1.0; allowed: segments a second from 0.01"),
        ("[session]\nrate = nan", "session.rate is nan; allowed: segments a second from 0.01"),
        ("[session]\nrate = false", "session.rate is False; allowed: segments a second from"),
        ("[session]\nconnect_timeout = inf", "session.connect_timeout is inf; allowed: seconds"),
        ("[session]\nconnect_timeout = 0", "session.connect_timeout is 0.0; allowed: seconds"),
        (
            "[session]\nenquire_link_interval = 60\ninactivity_timeout = 60",
            "session.enquire_link_interval is 60; allowed: less than inactivity_timeout, which is",
        ),
        ("[reconnect]\nfirst = 90", "reconnect.first is 90; allowed: at most longest, which is 60"),
        ("windows = 1", "'windows' is no key; allowed: name, hosts, [bind], [tls], [session]"),
        ("[sesion]\nwindow = 1", "'sesion' is no key; allowed: name, hosts, [bind], [tls],"),
        ("[tls]\nca = 'x'", "tls.ca is no key; allowed: on, verify, server_name, ca_file, cert"),
        ("tls = true", "tls is not a table; allowed: [tls] with its keys below"),
        ("[[tls]]\non = true", "tls is not a table; allowed: [tls] with its keys below"),
        ("[tls]\non = 'yes'", "tls.on is 'yes'; allowed: true or false"),
        ("[tls]\non = 1", "tls.on is 1; allowed: true or false"),
        ("[tls]\nminimum = '1.1'", 'tls.minimum is \'1.1\'; allowed: "1.2" or "1.3"'),
        ("[tls]\nserver_name = 'a b'", "tls.server_name is 'a b'; allowed: a host name"),
        ("[tls]\non = true\nkey_file = 'k'", "tls.certificate_file and key_file go together;"),
        ("[tls]\non = true\nca_file = ''", "tls.ca_file is ''; allowed: a path, from the folder"),
        ("[tls]\nca_file = 'ca.pem'", "tls.on is false, but other keys are set; allowed: on ="),
        ("[tls]\nserver_name = 'smsc'", "tls.on is false, but other keys are set; allowed: on ="),
        ("[tls]\ncertificate_file = 'c'\nkey_file = 'k'", "tls.on is false, but other keys are "),
        ("[bind]\nmode = 'TRX'", 'bind.mode is \'TRX\'; allowed: "trx", "tx_rx", "tx" or "rx"'),
        ("[bind]\nmode = ['trx']", 'bind.mode is [\'trx\']; allowed: "trx", "tx_rx", "tx"'),
        ("[bind]\nsystem_type = 'thirteen char'", "bind.system_type is 'thirteen char'; allowed:"),
        ("[bind]\nsystem_type = 'ж'", "bind.system_type is 'ж'; allowed: at most 12 characters"),
        ("[text]\nnational = ['welsh']", "text.national is ['welsh']; allowed: a list of \"turk"),
        ("[text]\nnational = 'turkish'", "text.national is 'turkish'; allowed: a list of \"turk"),
        (
            "[text]\nnational = ['turkish', 'turkish']",
            "text.national is (<Language.TURKISH: 1>, <Language.TURKISH: 1>); allowed: a list",
        ),
        (
            "[text]\nnational = ['turkish']\ndefault_alphabet = 'latin1'",
            'text.national is set; allowed: with default_alphabet "gsm7" or "packed" only',
        ),
        ("[text]\nconcatenation = 'udh'", 'text.concatenation is \'udh\'; allowed: "udh8", "ud'),
        ("hosts = 'smsc:2775'", "hosts is 'smsc:2775'; allowed: a list of different hosts with"),
        ("hosts = ['smsc']", "hosts is ['smsc']; allowed: a list of different hosts with ports"),
        ("hosts = ['2001:db8::1:2775']", "hosts is ['2001:db8::1:2775']; allowed: a list of dif"),
        ("hosts = ['a:0']", "hosts is (Host(name='a', port=0),); allowed: a list of different"),
        ("hosts = ['a:1', 'a:1']", "hosts is (Host(name='a', port=1), Host(name='a', port=1))"),
        ("hosts = ['a:65536']", "hosts is (Host(name='a', port=65536),); allowed: a list of"),
        ("hosts = [2775]", "hosts is [2775]; allowed: a list of different hosts with ports, such"),
        ("[addresses]\nsource_name = [5]", "addresses.source_name is [5]; allowed: [TON, NPI]"),
        ("[addresses]\nsource_name = [5, 256]", "addresses.source_name is (5, 256); allowed: [T"),
        ("[addresses]\nsource_name = ['5', 0]", "addresses.source_name is ('5', 0); allowed: [T"),
        ("[submit]\ntlvs = []", "submit.tlvs is []; allowed: a table such as { 0x1400 = "),
        ("[submit]\ntlvs = { 1400 = 'hex:00' }", "submit.tlvs is {'1400': 'hex:00'}; allowed: a"),
        ("[submit]\ntlvs = { 0x1400 = 'a' }", "submit.tlvs is {'0x1400': 'a'}; allowed: a table"),
        ("[submit]\ntlvs = { 0x1400 = 5 }", "submit.tlvs is {'0x1400': 5}; allowed: a table such"),
        ("[submit]\ntlvs = { 0x1400 = 'hex:0' }", "submit.tlvs is {'0x1400': 'hex:0'}; allowed:"),
        ("[submit]\ntlvs = { 0xab00='hex:', 0xAB00='hex:' }", "submit.tlvs is ((43776, b''), (4"),
        ("[submit]\nvalidity = 59", "submit.validity is 59.0; allowed: seconds from 60 to 267840"),
        ("[submit]\nregistered_delivery = 32", "submit.registered_delivery is 32; allowed: a wh"),
        ("[receipts]\nid_rule = 'hex'", 'receipts.id_rule is \'hex\'; allowed: "learned", "sa'),
        ("[statuses]\nthrottled = [0]", "statuses.throttled is frozenset({0}); allowed: a list"),
        ("[statuses]\nthrottled = [[1]]", "statuses.throttled is [[1]]; allowed: a list of comm"),
        ("[statuses]\nthrottled = [true]", "statuses.throttled is frozenset({True}); allowed: a"),
        (
            "[statuses]\nopted_out = [0x58]",
            "statuses.throttled, opted_out and permanent share 0x58; allowed: ",
        ),
        (
            "[statuses]\nopted_out = [0x0B]",
            "statuses.throttled, opted_out and permanent share 0x0B; allowed: ",
        ),
        (
            "[statuses]\nthrottled = [0x0B]",
            "statuses.throttled, opted_out and permanent share 0x0B; allowed: ",
        ),
        ("[session", "not TOML: "),
        ("name = 'twice'", "not TOML: "),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(document: str, sentence: str) -> None:
    with pytest.raises(ProfileError) as refused:
        read(document)
    assert str(refused.value).startswith(f"north.toml: {sentence}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "é", "x" * 65])
def test_the_name_is_one_that_logs_and_metrics_can_show(name: str) -> None:
    with pytest.raises(ProfileError, match="allowed: 1 to 64 letters"):
        parse(f'name = "{name}"'.encode(), origin="x.toml", folder=Path())


def test_a_profile_says_whose_it_is() -> None:
    with pytest.raises(ProfileError, match="x.toml: name is missing; allowed: the name of the"):
        parse(b"", origin="x.toml", folder=Path())


def test_a_value_that_is_made_in_python_is_checked_as_well() -> None:
    with pytest.raises(ProfileError, match="window is 0; allowed: a whole number"):
        Session(window=0)
    with pytest.raises(ProfileError, match="national is set"):
        Texts(national=(Language.TURKISH,), default_alphabet=DefaultAlphabet.ASCII)


def test_a_long_value_is_not_shown_in_full() -> None:
    with pytest.raises(ProfileError) as refused:
        read(f'[bind]\nsystem_type = "{"x" * 10_000}"')
    assert len(str(refused.value)) < 200


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent\.toml: No such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ProfileError, match="Is a directory"):
        load(tmp_path)


def test_a_file_that_is_too_long_or_no_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    file.write_bytes(b"#" * (64 * 1024 + 1))
    with pytest.raises(ProfileError, match="too long; allowed: at most 65536 octets"):
        load(file)
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(ProfileError, match="not UTF-8"):
        load(file)


def test_a_file_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(ProfileError):
        read("a = " + "[" * 20_000)


_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.one_of(st.integers(-1, 300), st.text(max_size=5)), max_size=3),
)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
        case list():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return str(value)


@given(st.sampled_from(describe()), _VALUES)
def test_any_value_of_any_key_is_taken_or_refused_as_documented(row: Any, value: object) -> None:
    table, _, key = row.key.rpartition(".")
    document = f"{key} = {_toml(value)}"
    octets = (f"[{table}]\n{document}" if table else document).encode(errors="replace")
    name = b"" if row.key == "name" else b'name = "north"\n'
    with contextlib.suppress(ProfileError):
        parse(name + octets, origin="north.toml", folder=Path())
