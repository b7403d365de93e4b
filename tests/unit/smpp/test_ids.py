"""Ids that change between response and receipt."""

from smpp.ids import IdRule, MessageIds


def test_an_equal_id_is_found() -> None:
    ids = MessageIds()
    ids.remember("abc-1")
    assert ids.find("abc-1") == "abc-1"
    assert ids.rule is IdRule.SAME


def test_case_and_leading_zeros_do_not_matter() -> None:
    ids = MessageIds()
    ids.remember("00aF")
    assert ids.find("AF") == "00aF"


def test_a_decimal_receipt_of_a_hexadecimal_id_is_found_and_the_rule_learned() -> None:
    ids = MessageIds()
    ids.remember("f4241")
    assert ids.find("1000001") == "f4241"
    assert ids.rule is IdRule.RECEIPT_DECIMAL
    assert ids.find("1000002") == "f4242"  # gone from memory: by the rule, in the carrier's case


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
