"""What the settings say of the policy bundle."""

from __future__ import annotations

from ari_app.bootstrap.premises import load_bundle
from ari_app.config import Settings
from ari_app.conversation.message import MessageClass


def test_the_class_of_the_site_is_that_of_texts_that_name_none() -> None:
    site = Settings.model_validate({"sms": {"message_class": "at_least_once"}})
    assert {text.message_class for text in load_bundle(site).texts.values()} == {
        MessageClass.AT_LEAST_ONCE
    }
