"""From a text to the submit_sm that one carrier wants."""

from __future__ import annotations

from datetime import timedelta

from smpp import times
from smpp.address import Address
from smpp.pdu import SubmitSm
from smpp.profile import Profile
from smpp.segmentation import split


def compose(
    profile: Profile,
    text: str,
    *,
    source: Address,
    destination: Address,
    reference: int,
    validity: float | None = None,
) -> tuple[SubmitSm, ...]:
    """The parts of the text, written, cut and marked as the profile says.

    The addresses are from `profile.source` and `profile.destination`. `reference` must differ
    from that of the recipient's recent long texts. `validity` in seconds (§5.2.16) is the
    text's own and goes before the profile's. LocalProtocolError if no PDU can carry it.
    """
    submit = profile.submit
    seconds = submit.validity if validity is None else validity
    valid = times.relative(timedelta(seconds=seconds)) if seconds else ""
    return tuple(
        SubmitSm(
            source=source,
            destination=destination,
            short_message=segment.octets,
            data_coding=segment.data_coding,
            esm_class=segment.esm_class,
            registered_delivery=submit.registered_delivery,
            service_type=submit.service_type,
            protocol_id=submit.protocol_id,
            priority_flag=submit.priority,
            validity_period=valid,
            tlvs=segment.tlvs + submit.tlvs,
        )
        for segment in split(text, reference, profile.text)
    )
