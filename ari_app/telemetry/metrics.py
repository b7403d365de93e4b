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
_CALL = (1, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
# A command to Asterisk on the same machine takes a tenth of a millisecond.
_ARI = (0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 1)
_GROUP = (1, 2, 5, 10, 20, 50, 100, 200, 500)

METRICS: dict[str, Metric] = {
    # calls
    "segue_calls_total": _counter("Calls, by how they ended.", "outcome"),
    "segue_calls_refused_total": _counter("Calls that were not taken.", "reason"),
    "segue_calls_adopted_total": _counter("Callers found on the line, by what was done.", "how"),
    "segue_calls_active": _gauge("Calls that are up now."),
    "segue_call_duration_seconds": _histogram("How long calls lasted.", _CALL),
    "segue_recordings_total": _counter("Recordings of calls, by why they ended.", "outcome"),
    # media
    "segue_rtp_packets_total": _counter("RTP packets, when their line closes.", "kind"),
    "segue_rtp_rejected_packets_total": _counter("Datagrams that were not taken.", "reason"),
    # speech
    "segue_asr_final_latency_seconds": _histogram("End of turn to final result.", _TURN),
    "segue_asr_confidence": _histogram("Confidence of utterances.", _CONFIDENCE),
    "segue_asr_workers_alive": _gauge("Workers that run."),
    "segue_asr_dropped_ms_total": _counter("Audio nobody heard: the worker was too slow."),
    "segue_asr_lost_total": _counter("Recognisers lost in a call.", "reason"),
    # prompts
    "segue_prompts_total": _counter("Prompts that were made ready, by where from.", "source"),
    "segue_prompt_faults_total": _counter("Sources of prompts that failed.", "source"),
    "segue_synthesis_seconds": _histogram("A text to its speech.", _TURN, "synthesizer"),
    "segue_comfort_total": _counter("Signs of life to callers who wait for an answer.", "sign"),
    # turns
    "segue_turn_response_seconds": _histogram(
        "End of the caller's speech to the first packet of our reply.", _TURN
    ),
    "segue_endpointing_delay_seconds": _histogram(
        "End of the caller's speech to our decision that it has ended.", _ENDPOINTING
    ),
    "segue_barge_in_total": _counter("Prompts that the caller interrupted."),
    "segue_barge_in_false_total": _counter('Prompts that a noise or an "mm-hm" paused.'),
    "segue_speculations_total": _counter("Answers worked out before a turn was over.", "result"),
    # decisions
    "segue_decisions_total": _counter("Decisions of the policy.", "action"),
    # hand-off
    "segue_handoffs_total": _counter("Hand-offs.", "route", "result"),
    # texts
    "segue_sms_total": _counter("Texts, by what became of sending them.", "status"),
    "segue_sms_submit_seconds": _histogram("A text from its claim to its answer.", _SUBMIT),
    "segue_sms_replies_total": _counter("Texts from handsets."),
    "segue_sms_receipts_total": _counter("Delivery receipts.", "known"),
    "segue_sms_receipts_overdue_total": _counter("Texts whose receipt did not come in time."),
    "segue_sms_blocked_total": _counter("Texts that a rule of ours forbade.", "rule"),
    "segue_sms_held_total": _counter("Texts that a rule of ours let wait.", "rule"),
    "segue_sms_pumping_total": _counter("Texts that look paid for, by what shows it.", "rule"),
    "segue_sms_keywords_total": _counter("Texts that are about texts, by what they say.", "says"),
    "segue_sms_possible_duplicates_total": _counter("Texts that were sent again, in doubt."),
    "segue_sms_paused": _gauge("1 while the kill switch of this scope is off.", "scope"),
    "segue_outbox_failures_total": _counter("Effects that failed unexpectedly.", "kind"),
    "segue_smpp_bind_up": _gauge("1 while the bind is up.", "carrier", "bind"),
    "segue_smpp_late_answers_total": _counter("Answers after their deadline.", "carrier"),
    "segue_smpp_bind_refused_total": _counter("Binds that the SMSC refused.", "carrier"),
    "segue_smpp_submits_total": _counter("submit_sm, by their answer.", "carrier", "outcome"),
    "segue_smpp_submit_seconds": _histogram("A whole text to its answer.", _SUBMIT, "carrier"),
    "segue_smpp_received_total": _counter("deliver_sm, by what they were.", "carrier", "kind"),
    # store
    "segue_store_append_seconds": _histogram("An append until it is on disk.", _APPEND),
    "segue_store_group_size": _histogram("Appends in one transaction.", _GROUP),
    "segue_store_pruned_total": _counter("Rows that were too old to be of use.", "table"),
    "segue_wal_bytes": _gauge("SQLite's write-ahead log; it grows while somebody reads for long."),
    # the feed of other systems
    "segue_feed_lag_events": _gauge("Committed events that are not there yet.", "consumer"),
    "segue_feed_events_total": _counter("Events that are there.", "consumer"),
    "segue_lease_held": _gauge("1 while this worker has the lease.", "lease"),
    "segue_people_total": _counter(
        "Phones of people that rang for callers, by what became of them.", "outcome"
    ),
    "segue_callbacks_open": _gauge("Call-backs that are promised and not made yet."),
    "segue_callbacks_total": _counter("Attempts to call back, and those given up.", "outcome"),
    "segue_orphans_total": _counter("Calls that were closed for a worker that is gone."),
    # read models
    "segue_projection_lag_events": _gauge("Events that the views do not show yet."),
    # Asterisk
    "segue_ari_up": _gauge("1 while the event stream is up."),
    "segue_ari_events_total": _counter("Events from Asterisk.", "type"),
    "segue_ari_unreadable_events_total": _counter("Events that could not be read."),
    "segue_ari_link_failures_total": _counter("Times the link could not be made, or was lost."),
    "segue_ari_silences_total": _counter("Times the event stream died without a word."),
    "segue_ari_lag_seconds": _gauge("From asking for an event of our own to reading it."),
    "segue_ari_requests_total": _counter("Requests to Asterisk.", "operation", "outcome"),
    "segue_ari_request_seconds": _histogram("A request to its answer.", _ARI, "operation"),
    "segue_pbx_up": _gauge("1 while AMI answers."),
    "segue_pbx_calls_active": _gauge("Calls in Asterisk, ours and others."),
    "segue_pbx_uptime_seconds": _gauge("How long Asterisk has been running."),
    # synthetic calls
    "segue_probe_ok": _gauge("1 if the last synthetic call went well."),
    "segue_probe_last_run_timestamp_seconds": _gauge("When the last synthetic call ended (UTC)."),
    "segue_probe_seconds": _gauge("How long a step of the last synthetic call took.", "step"),
    "segue_probe_runs_total": _counter(
        "Synthetic calls: ok, the step that failed, or not run.", "result"
    ),
    # the process
    "segue_loop_lag_seconds": _histogram("How late the event loop is, ten times a second.", _LAG),
    "segue_tasks": _gauge("Tasks of the event loop."),
    "segue_job_runs_total": _counter("Runs of repeated jobs.", "job", "result"),
    "segue_job_seconds": _histogram("How long a run took.", _SUBMIT, "job"),
    "segue_unknown_metric_total": _counter("Figures whose name or labels are not in this table."),
}
