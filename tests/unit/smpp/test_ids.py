"""Ids that change between response and receipt."""

import pytest

from smpp.ids import Evidence, IdRule, MessageIds, folded, in_receipt, in_response, proven


@pytest.mark.parametrize(
    ("response", "receipt", "rule"),
    [
        ("abc-1", "abc-1", IdRule.SAME),
        ("00aF", "AF", IdRule.SAME),
        ("7", "0000000007", IdRule.SAME),
        ("0", "000", IdRule.SAME),
        ("F4241", "1000001", IdRule.RECEIPT_DECIMAL),
        ("000f4241", "1000001", IdRule.RECEIPT_DECIMAL),
        ("1000001", "F4241", IdRule.RECEIPT_HEX),
        ("1000001", "000f4241", IdRule.RECEIPT_HEX),
        # 65 digits: no machine word holds it.
        ("9" * 65, f"{int('9' * 65):X}", IdRule.RECEIPT_HEX),
    ],
)
def test_both_ways_lead_to_the_same_folded_id(response: str, receipt: str, rule: IdRule) -> None:
    assert in_response(receipt)[rule] == folded(response)
    assert in_receipt(response)[rule] == folded(receipt)


@pytest.mark.parametrize("id", ["a-b", "1_000", "+1", " 7", "٣", "1.5", "ﬀ", ""])
def test_what_is_no_number_is_only_ever_itself(id: str) -> None:
    assert in_response(id) == in_receipt(id) == {IdRule.SAME: folded(id)}


def test_nothing_but_zeros_is_zero() -> None:
    assert folded("000") == folded("0") == "0"


def test_a_known_rule_gives_one_key_or_none() -> None:
    assert in_response("12", IdRule.RECEIPT_DECIMAL) == {IdRule.RECEIPT_DECIMAL: "c"}
    assert in_response("xyz", IdRule.RECEIPT_DECIMAL) == {}
    assert in_receipt("c", IdRule.RECEIPT_DECIMAL) == {IdRule.RECEIPT_DECIMAL: "12"}


def test_the_very_id_is_tried_first_then_hexadecimal_then_decimal() -> None:
    assert [*in_response("12")] == [IdRule.SAME, IdRule.RECEIPT_DECIMAL, IdRule.RECEIPT_HEX]
    assert [*in_receipt("12")] == [IdRule.SAME, IdRule.RECEIPT_DECIMAL, IdRule.RECEIPT_HEX]


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        ({"12"}, IdRule.SAME),
        ({"c"}, IdRule.RECEIPT_DECIMAL),
        ({"18"}, IdRule.RECEIPT_HEX),
        ({"12", "c"}, None),
        (set(), None),
    ],
)
def test_only_what_is_unambiguous_proves_a_rule(known: set[str], rule: IdRule | None) -> None:
    assert proven(in_response("12"), known) is rule


def test_an_id_that_is_the_same_in_every_form_proves_nothing() -> None:
    assert proven(in_response("5"), {"5"}) is None


def test_a_rule_is_known_after_three_proofs() -> None:
    evidence = Evidence().plus(IdRule.RECEIPT_HEX).plus(IdRule.RECEIPT_HEX)
    assert evidence.rule is None
    assert evidence.plus(IdRule.RECEIPT_HEX).rule is IdRule.RECEIPT_HEX


def test_a_coincidence_is_outweighed() -> None:
    evidence = Evidence(same=3, receipt_decimal=1)
    assert evidence.rule is None
    assert evidence.plus(IdRule.SAME).rule is IdRule.SAME
    assert Evidence(same=1, receipt_decimal=2, receipt_hex=5).rule is None
    assert Evidence(same=1, receipt_decimal=2, receipt_hex=6).rule is IdRule.RECEIPT_HEX


# -- in memory --------------------------------------------------------------------------------


def test_an_equal_id_is_found() -> None:
    ids = MessageIds()
    ids.remember("abc-1")
    assert ids.find("abc-1") == "abc-1"


def test_case_and_leading_zeros_do_not_matter() -> None:
    ids = MessageIds()
    ids.remember("00aF")
    assert ids.find("AF") == "00aF"


def test_a_decimal_receipt_of_a_hexadecimal_id_is_found_and_the_rule_learned() -> None:
    ids = MessageIds()
    for number in range(3):
        ids.remember(f"{1_000_001 + number:x}")
        assert ids.rule is None
        assert ids.find(str(1_000_001 + number)) == f"{1_000_001 + number:x}"
    assert ids.rule is IdRule.RECEIPT_DECIMAL
    assert ids.find("1000009") == "f4249"  # gone from memory: by the rule, in the carrier's case


def test_a_learned_rule_is_the_only_one_that_is_used() -> None:
    ids = MessageIds()
    for id in ("aa", "bb", "cc"):
        ids.remember(id)
        ids.find(id)
    assert ids.rule is IdRule.SAME
    assert ids.find("170") == "170"  # 0xAA in decimal: another text's


def test_a_hexadecimal_receipt_of_a_decimal_id_is_found() -> None:
    ids = MessageIds()
    ids.remember("1000001")
    assert ids.find("F4241") == "1000001"


def test_a_given_rule_is_used_before_anything_was_seen() -> None:
    ids = MessageIds(IdRule.RECEIPT_DECIMAL)
    assert ids.find("1000001") == "F4241"
    assert ids.find("not-a-number") == "not-a-number"


def test_an_unknown_id_stays_as_it_is() -> None:
    ids = MessageIds()
    assert ids.find("12") == "12"
    assert ids.find("x y") == "x y"
    assert ids.rule is None


def test_memory_is_bounded() -> None:
    ids = MessageIds(most=2)
    for id in ("A1", "A2", "A3"):
        ids.remember(id)
    assert ids.find("a1") == "a1"
    assert ids.find("a3") == "A3"
