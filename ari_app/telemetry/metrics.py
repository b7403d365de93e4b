"""The table of every figure that the application gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a figure is, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure; labels are few and bounded, never a phone number or an id."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is Kind.HISTOGRAM) != bool(self.buckets):
            raise ValueError("a histogram has buckets, and nothing else has")


def _counter(help: str, *labels: str) -> Metric:
    return Metric(Kind.COUNTER, help, labels)


def _gauge(help: str, *labels: str) -> Metric:
    return Metric(Kind.GAUGE, help, labels)


def _histogram(help: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(Kind.HISTOGRAM, help, labels, buckets)


_TURN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5)
_ENDPOINTING = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2)
_APPEND = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
# As OpenTelemetry's messaging conventions have them.
_SUBMIT = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_RECEIPT = (1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14400, 86400)
_HANDOFF = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900)
_CALL = (1, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
_REALTIME = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2)
_GROUP = (1, 2, 5, 10, 20, 50, 100, 200, 500)

METRICS: dict[str, Metric] = {
    # calls
    "segue_calls_total": _counter("Calls, by how they ended.", "outcome"),
    "segue_calls_active": _gauge("Calls that are up now."),
    "segue_call_duration_seconds": _histogram("How long calls lasted.", _CALL),
    "segue_calls_rejected_total": _counter("Calls sent away before an answer.", "reason"),
    # media
    "segue_rtp_packets_total": _counter("RTP packets.", "direction"),
    "segue_rtp_lost_packets_total": _counter("RTP packets that never came."),
    "segue_rtp_late_packets_total": _counter("RTP packets that came too late to be heard."),
    "segue_rtp_rejected_packets_total": _counter("Datagrams that were not taken.", "reason"),
    "segue_rtp_jitter_seconds": _gauge("RFC 3550 jitter, of the line that was read last."),
    # speech
    "segue_asr_realtime_factor": _histogram("Decoding time over audio time.", _REALTIME),
    "segue_asr_partial_latency_seconds": _histogram("Audio to partial result.", _TURN),
    "segue_asr_final_latency_seconds": _histogram("End of turn to final result.", _TURN),
    "segue_asr_confidence": _histogram("Confidence of utterances.", _CONFIDENCE),
    "segue_asr_queue_depth": _gauge("Audio waiting for a worker, in packets."),
    "segue_asr_workers_busy": _gauge("Workers with at least one call."),
    "segue_asr_workers_alive": _gauge("Workers that run."),
    "segue_asr_lost_total": _counter("Recognisers lost in a call.", "reason"),
    # turns
    "segue_turn_response_seconds": _histogram(
        "End of the caller's speech to the first packet of our reply.", _TURN
    ),
    "segue_endpointing_delay_seconds": _histogram(
        "End of the caller's speech to our decision that it has ended.", _ENDPOINTING
    ),
    "segue_decision_seconds": _histogram("Time to decide.", _APPEND),
    "segue_barge_in_total": _counter("Prompts that the caller interrupted."),
    "segue_reprompts_total": _counter("Questions that had to be asked again.", "reason"),
    # decisions
    "segue_decisions_total": _counter("Decisions of the policy.", "policy_version", "action"),
    # hand-off
    "segue_handoffs_total": _counter("Hand-offs.", "route", "result"),
    "segue_handoff_ack_seconds": _histogram("Hand-off to its acknowledgment.", _HANDOFF),
    "segue_handoff_fallbacks_total": _counter("Hand-offs that went on to the next route."),
    "segue_handoff_unacked": _gauge("Hand-offs that nobody has acknowledged yet."),
    # texts
    "segue_sms_total": _counter("Texts, by what the carrier said.", "carrier", "status"),
    "segue_sms_submit_seconds": _histogram("submit_sm to its answer.", _SUBMIT),
    "segue_sms_dlr_seconds": _histogram("submit_sm to the receipt.", _RECEIPT, "state"),
    "segue_sms_received_total": _counter("Texts from handsets.", "carrier"),
    "segue_sms_receipts_total": _counter("Delivery receipts.", "carrier", "state"),
    "segue_sms_outbox_depth": _gauge("Effects that are not settled.", "state"),
    "segue_sms_outbox_oldest_seconds": _gauge("Age of the oldest effect that is due."),
    "segue_sms_in_doubt": _gauge("Texts whose fate nobody knows."),
    "segue_sms_possible_duplicates_total": _counter("Texts that may have been sent twice."),
    "segue_sms_blocked_total": _counter("Texts that a limit held back.", "rule"),
    "segue_smpp_bind_up": _gauge("1 while the bind is up.", "bind"),
    "segue_smpp_window_in_use": _gauge("Requests without an answer.", "bind"),
    # store
    "segue_store_append_seconds": _histogram("An append until it is on disk.", _APPEND),
    "segue_store_group_size": _histogram("Appends in one transaction.", _GROUP),
    "segue_tail_lag_events": _gauge("Events that a consumer has not seen.", "consumer"),
    "segue_wal_bytes": _gauge("Size of SQLite's write-ahead log."),
    # Asterisk
    "segue_pbx_up": _gauge("1 while AMI answers."),
    "segue_pbx_calls_active": _gauge("Calls in Asterisk, ours and others."),
    "segue_pbx_uptime_seconds": _gauge("How long Asterisk has been running."),
    # the process
    "segue_job_runs_total": _counter("Runs of repeated jobs.", "job", "result"),
    "segue_job_seconds": _histogram("How long a run took.", _SUBMIT, "job"),
    "segue_event_loop_lag_seconds": _gauge("How late the event loop is."),
    "segue_unknown_metric_total": _counter("Figures whose name or labels are not in this table."),
}
