"""`segue log` on both engines, beside processes that write to the log meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

from ari_app.bootstrap.premises import Premises, engine, subject_key
from ari_app.cli import logs
from ari_app.cli.log_app import log_app
from ari_app.cli.log_export import Export
from ari_app.cli.logs import Tail
from ari_app.config import Settings, load
from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    ConversationOpened,
    Event,
    TextPromised,
    TextSubmitted,
    name_of,
    to_payload,
)
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.ports import Effect
from ari_app.privacy.ports import Mode, Reason
from ari_app.store.browsing import LogReader, Stored, Wanted
from ari_app.store.figures import figures
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

NUMBER = E164("+12025550147")
WORDS = "the quick brown heron"
BODY = "Your table is under the willow."
SECRETS = (NUMBER.value, WORDS, "heron", BODY, "willow")
PATIENCE = 30.0
ROOT = Path(__file__).parents[2]

LIFE: list[Event] = [
    ConversationOpened(channel="voice", did="1", language="en", number=NUMBER.value),
    CallerSpoke(
        call="c", text=WORDS, words=((WORDS, 0.0, 1.0, 1.0),), confidence=1.0, endpoint_ms=1
    ),
    TextPromised(message="msg_1", template="hours", to=NUMBER.value, body=BODY),
    TextSubmitted(message="msg_1", carrier="main", ids=("1",), attempts=1),
]


class Site:
    """An installation on one of the engines: `conv_a` of a person, `conv_b` of nobody."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.config = folder / "segue.toml"
        place = f'url = "{url}"\n' if url else ""
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\n{place}')

    @property
    def settings(self) -> Settings:
        return load(self.config)

    @property
    def subject(self) -> str:
        return NUMBER.subject(subject_key(self.settings))

    def write(self, story: Callable[[EventStore], Any]) -> Any:
        """What the story returns."""

        async def run() -> Any:
            premises = Premises(self.settings, SystemClock(), PrometheusMeter())
            await premises.open()
            try:
                return await story(premises.store)
            finally:
                await premises.aclose()

        return asyncio.run(run())

    def append(self, stream: str, events: Sequence[Event], **more: Any) -> list[str]:
        """The ids of what was written."""
        written = self.write(lambda store: store.append(stream, events, **more))
        return [envelope.id for envelope in written]

    def erase(self) -> None:
        premises = Premises(self.settings, SystemClock(), PrometheusMeter())
        premises.privacy.open()
        premises.privacy.erasure.erase(self.subject, Mode.SHRED, Reason.REQUEST)
        premises.privacy.close()

    @contextlib.contextmanager
    def reader(self, *, read_only: bool = True) -> Iterator[LogReader]:
        database = engine(self.settings, SystemClock(), read_only=read_only)
        database.open()
        with contextlib.closing(LogReader(database)) as reader:
            yield reader
        database.close()

    def alter(self, sql: str, *values: object) -> None:
        """What somebody with access to the database may do."""
        database = engine(self.settings, SystemClock())
        with contextlib.closing(database.connect()) as link:
            link.run(sql, values)

    def all(self, wanted: Wanted | None = None) -> list[Stored]:
        with self.reader() as reader:
            return [event for page in reader.pages(wanted, 2) for event in page]

    def process(self, code: str) -> subprocess.Popen[str]:
        """Another process: `config` is our settings file, `logs` and `log_export` are there."""
        given = f"config = Path({str(self.config)!r})"
        code = (
            f"from pathlib import Path\nfrom ari_app.cli import log_export, logs\n{given}\n{code}"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    url = "" if request.param == "sqlite" else request.getfixturevalue("database")
    site = Site(tmp_path, url)
    effects = [Effect("sms", "msg_1", 0, {"to": NUMBER.value, "body": BODY})]
    site.append("conv_a", LIFE, subject=site.subject, effects=effects)
    site.append("conv_b", [CallAnswered(call=f"call_{n}") for n in range(6)])
    return site


def said(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def tailed(site: Site, capsys: pytest.CaptureFixture[str], **options: Any) -> list[Any]:
    capsys.readouterr()
    assert logs.tail(site.config, Tail(as_json=True, **options)) == 0
    return said(capsys)


def places(events: Sequence[Any]) -> list[tuple[str, int]]:
    return [(event["stream"], event["sequence"]) for event in events]


# -- reading ----------------------------------------------------------------------------------


def test_pages_of_any_size_are_the_whole_log_in_its_order(site: Site) -> None:
    whole = site.all()
    assert [e.stream for e in whole] == ["conv_a"] * 4 + ["conv_b"] * 6
    assert [e.place for e in whole] == sorted(e.place for e in whole)
    with site.reader() as reader:
        assert reader.after(whole[3].place) == whole[4:]
        assert reader.newest(3) == (whole[-1].place, whole[-3:])
        assert reader.newest(0) == (whole[-1].place, [])
        assert reader.event(whole[2].id) == whole[2]
        assert reader.event("evt_x") is None


def test_the_database_chooses_as_we_do(site: Site) -> None:
    whole = site.all()
    with site.reader() as reader:
        for wanted, count in (
            (Wanted(names=("call.*",)), 6),
            (Wanted(names=("text.?ubmitted", "CALLER.*")), 2),
            (Wanted(names=("call_answered",)), 0),
            (Wanted(names=("%",)), 0),
            (Wanted(streams=("conv_a", "conv_x")), 4),
            (Wanted(streams=()), 0),
            (Wanted(names=("call.*",), streams=("conv_a",)), 0),
            (Wanted(since=whole[0].at, until=whole[0].at + 1), 4),
        ):
            chosen = [event for event in whole if wanted.takes(event)]
            assert len(chosen) == count
            assert [event for page in reader.pages(wanted, 2) for event in page] == chosen
            assert reader.newest(2, wanted)[1] == chosen[-2:]


def test_a_time_span_begins_with_its_first_microsecond_and_ends_before_its_last(
    site: Site,
) -> None:
    a, b = site.all()[0], site.all()[-1]
    assert b.at > a.at
    assert {e.stream for e in site.all(Wanted(since=a.at, until=b.at))} == {"conv_a"}
    assert {e.stream for e in site.all(Wanted(since=b.at))} == {"conv_b"}


# -- tail -------------------------------------------------------------------------------------


def test_the_newest_are_shown_in_their_order(site: Site, capsys: Any) -> None:
    assert places(tailed(site, capsys, lines=3)) == [("conv_b", 4), ("conv_b", 5), ("conv_b", 6)]
    assert places(tailed(site, capsys, names=["text.*"])) == [("conv_a", 3), ("conv_a", 4)]
    assert places(tailed(site, capsys, stream="conv_a", lines=1)) == [("conv_a", 4)]
    assert tailed(site, capsys, stream="conv_x") == []


def test_nothing_personal_is_shown_unless_it_is_to_be_revealed(site: Site, capsys: Any) -> None:
    logs.tail(site.config, Tail())
    logs.tail(site.config, Tail(as_json=True))
    logs.show(site.config, "conv_a", None, False, False)
    logs.show(site.config, "conv_a", None, True, False)
    for event in site.all()[:4]:
        logs.show(site.config, event.id, None, False, False)
        logs.show(site.config, event.id, None, True, False)
    logs.export(site.config, Export())
    logs.replay(site.config, [], True, None, False)
    shown = capsys.readouterr()
    assert [s for s in SECRETS if s in shown.out + shown.err] == []
    assert "+120******47" in shown.out

    logs.tail(site.config, Tail(reveal=True))
    revealed = capsys.readouterr().out
    assert [s for s in SECRETS if s not in revealed] == []


def test_after_an_erasure_nothing_can_be_revealed(site: Site, capsys: Any) -> None:
    site.erase()
    logs.tail(site.config, Tail(reveal=True))
    logs.export(site.config, Export(reveal=True))
    logs.show(site.config, "conv_a", None, False, True)
    shown = capsys.readouterr().out
    assert [s for s in SECRETS if s in shown] == []
    assert "text=[erased]" in shown
    assert "number=[erased]" in shown


def test_one_that_was_started_again_goes_on_from_its_place(site: Site, capsys: Any) -> None:
    first = tailed(site, capsys, lines=100)
    site.append("conv_c", [CallAnswered(call="new")])
    rest = tailed(site, capsys, after=first[-1]["place"])
    assert places(rest) == [("conv_c", 1)]
    assert tailed(site, capsys, after=rest[-1]["place"]) == []
    assert places(tailed(site, capsys, after="0")) == places([*first, *rest])


@pytest.mark.parametrize("place", ["x", "-1", "1.5", "9" * 50])
def test_a_place_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    site = Site(tmp_path)
    site.append("conv_a", LIFE)
    with pytest.raises(SettingsError, match="--after"):
        logs.tail(site.config, Tail(after=place))


class Lines:
    """What a process says, as it says it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            self._said.put(text)

    def take(self, count: int) -> list[Any]:
        return [json.loads(self._said.get(timeout=PATIENCE)) for _ in range(count)]

    @property
    def empty(self) -> bool:
        return self._said.empty()


def test_one_that_follows_sees_what_other_processes_write_and_ends_by_ctrl_c(site: Site) -> None:
    code = (
        "raise SystemExit(logs.tail(config, logs.Tail(lines=1, follow=True, as_json=True, "
        "names=['call.*'])))"
    )
    with site.process(code) as process:
        lines = Lines(process)
        assert places(lines.take(1)) == [("conv_b", 6)]
        site.append("conv_c", [CallAnswered(call="1"), *LIFE, CallAnswered(call="2")])
        assert places(lines.take(2)) == [("conv_c", 1), ("conv_c", 6)]
        site.append("conv_e", LIFE[:1])  # a page without any that is wanted
        (last,) = site.append("conv_d", [CallAnswered(call="3")])
        (shown,) = lines.take(1)
        assert shown["id"] == last
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == f"segue: to go on from here: --after {shown['place']}\n"
        assert lines.empty


def test_one_that_follows_writers_at_work_misses_nothing(site: Site) -> None:
    """Several at once, so that on PostgreSQL transactions end in another order than they began."""
    code = (
        "raise SystemExit(logs.tail(config, logs.Tail(lines=0, follow=True, as_json=True, "
        "after='0')))"
    )
    with site.process(code) as process:
        lines = Lines(process)
        lines.take(10)

        async def busy(store: EventStore) -> None:
            await asyncio.gather(
                *(store.append(f"conv_{n % 7}", [CallAnswered(call=str(n))]) for n in range(200))
            )

        writers = [threading.Thread(target=site.write, args=(busy,)) for _ in range(2)]
        for writer in writers:
            writer.start()
        seen = lines.take(400)
        for writer in writers:
            writer.join()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert [event["id"] for event in seen] == [event.id for event in site.all()[10:]]


# -- show -------------------------------------------------------------------------------------


def test_an_event_is_shown_with_what_led_to_it_and_what_it_led_to(site: Site, capsys: Any) -> None:
    (first,) = site.append("conv_c", [CallAnswered(call="1")])
    (second,) = site.append("conv_d", [CallAnswered(call="2")], cause=first)
    third, fourth = site.append("conv_c", [CallAnswered(call="3")] * 2, cause=second)
    capsys.readouterr()
    logs.show(site.config, second, None, True, False)
    shown = json.loads(capsys.readouterr().out)
    assert shown["payload"] == {"call": "2"}
    assert len(shown["link"]) == 64
    assert [e["id"] for e in shown["caused_by"]] == [first]
    assert [e["id"] for e in shown["led_to"]] == [third, fourth]
    logs.show(site.config, third, None, True, False)
    assert [e["id"] for e in json.loads(capsys.readouterr().out)["caused_by"]] == [first, second]
    logs.show(site.config, first, None, False, False)
    text = capsys.readouterr().out
    assert "it led to:" in text
    assert all(id in text for id in (first, second, third, fourth))


def test_causes_that_go_round_in_a_circle_end(site: Site, capsys: Any) -> None:
    (first,) = site.append("conv_c", [CallAnswered(call="1")])
    (second,) = site.append("conv_d", [CallAnswered(call="2")], cause=first)
    site.alter("UPDATE event SET cause = ? WHERE id = ?", second, first)
    capsys.readouterr()
    logs.show(site.config, first, None, True, False)
    shown = json.loads(capsys.readouterr().out)
    assert [e["id"] for e in shown["caused_by"]] == [second]


def test_a_stream_is_shown_as_it_was(site: Site, capsys: Any) -> None:
    def state(at: str | None) -> Any:
        capsys.readouterr()
        logs.show(site.config, "conv_a", at, True, True)
        return json.loads(capsys.readouterr().out)

    assert state("1")["state"]["turns"] == []
    assert state("2")["state"]["turns"][0]["text"] == WORDS
    assert state("2")["state"]["messages"] == {}
    assert state("3")["state"]["messages"]["msg_1"]["state"] == "promised"
    now = state(None)
    assert now["state"]["messages"]["msg_1"]["state"] == "submitted"
    assert (now["events"], now["of"], now["subject"]) == (4, 4, site.subject)
    assert state("2030-01-01") == now
    assert state("1h")["events"] == 0


def test_what_is_not_there_is_said(site: Site) -> None:
    for what in ("evt_x", "conv_x"):
        with pytest.raises(SettingsError, match="there is no"):
            logs.show(site.config, what, None, False, False)
    with pytest.raises(SettingsError, match="subject"):
        logs.export(site.config, Export(subject="+12025550148"))
    with pytest.raises(SettingsError, match="conv_x"):
        logs.replay(site.config, ["conv_x"], False, None, False)
    with pytest.raises(SettingsError, match="--all"):
        logs.replay(site.config, [], False, None, False)


# -- export -----------------------------------------------------------------------------------


def exported(site: Site, **options: Any) -> list[Any]:
    out = site.folder / "out.jsonl"
    assert logs.export(site.config, Export(out=str(out), **options)) == 0
    return [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]


def test_what_was_exported_is_the_log_again(site: Site) -> None:
    read = exported(site)
    whole = site.all()
    assert [e["id"] for e in read] == [e.id for e in whole]
    for there, stored in zip(read, whole, strict=True):
        assert stored.payload is not None
        assert there["payload"] == json.loads(stored.payload)
        assert bytes.fromhex(there["link"]) == stored.link
        assert (int(there["place"]), there["at"]) == (stored.place, stored.at)
    assert list(site.folder.glob(".out*")) == []


def test_a_revealed_export_has_the_events_that_were_written(site: Site) -> None:
    read = [e for e in exported(site, reveal=True) if e["stream"] == "conv_a"]
    assert [(e["name"], e["payload"]) for e in read] == [
        (name_of(event)[0], json.loads(json.dumps(to_payload(event)))) for event in LIFE
    ]


def test_of_an_export_everything_else_can_be_left_out(site: Site) -> None:
    assert {e["stream"] for e in exported(site, streams=["conv_b"])} == {"conv_b"}
    for person in (site.subject, NUMBER.value):
        assert {e["stream"] for e in exported(site, subject=person)} == {"conv_a"}
    assert exported(site, until="1h") == []
    assert len(exported(site, since="1h")) == 10


def test_an_export_that_is_stopped_leaves_nothing_behind(site: Site) -> None:
    site.append("conv_c", [CallAnswered(call="x" * 100)] * 3000)
    code = """
import os, signal
from ari_app.store.browsing import LogReader
pages = LogReader.pages
def interrupted(*given):
    for n, page in enumerate(pages(*given)):
        if n == 2:
            os.kill(os.getpid(), signal.SIGINT)
        yield page
LogReader.pages = interrupted
logs.export(config, log_export.Export(out=str(config.parent / "out.jsonl")))
"""
    with site.process(code) as process:
        process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
    assert [p.name for p in site.folder.iterdir() if "out" in p.name] == []


def test_an_export_and_figures_need_no_key(site: Site, capsys: Any) -> None:
    for secret in ("kek", "subject.key", "keys.db"):
        os.rename(site.folder / secret, site.folder / f"{secret}.away")  # noqa: PTH104
    assert len(exported(site)) == 10
    logs.stats(site.config, False, True)
    capsys.readouterr()
    assert not (site.folder / "kek").exists()


# -- replay, figures --------------------------------------------------------------------------


def replayed(site: Site, capsys: Any, *streams: str, to: str | None = None) -> tuple[int, Any]:
    capsys.readouterr()
    status = logs.replay(site.config, streams, not streams, to, True)
    return status, json.loads(capsys.readouterr().out)


def test_a_log_as_it_was_written_replays_without_a_fault(site: Site, capsys: Any) -> None:
    status, found = replayed(site, capsys)
    assert (status, found["streams"], found["events"], found["faults"]) == (0, 2, 10, [])
    assert replayed(site, capsys, "conv_a", to="2")[1]["events"] == 2
    assert replayed(site, capsys, "conv_a", to="1h")[1]["events"] == 0
    site.erase()
    assert replayed(site, capsys)[0] == 0


def test_a_log_that_was_changed_does_not_replay(site: Site, capsys: Any) -> None:
    site.alter("DELETE FROM event WHERE stream = 'conv_b' AND sequence IN (2, 6)")
    site.alter("UPDATE event SET payload = '{}' WHERE stream = 'conv_a' AND sequence = 4")
    status, found = replayed(site, capsys)
    assert status == 1
    assert [(f["stream"], f["sequence"]) for f in found["faults"]] == [
        ("conv_a", 4),
        ("conv_b", 3),
        ("conv_b", 5),
    ]


def test_many_streams_are_replayed_in_many_pages(site: Site, capsys: Any) -> None:
    async def fill(store: EventStore) -> None:
        call = [CallAnswered(call="x")]
        await asyncio.gather(*(store.append(f"conv_{n:05}", call * 3) for n in range(2100)))

    site.write(fill)
    status, found = replayed(site, capsys)
    assert (status, found["streams"], found["events"]) == (0, 2102, 6310)


def test_figures_say_what_there_is(site: Site, capsys: Any) -> None:
    async def work(store: EventStore) -> None:
        seen = await store.tail("threads", 4)
        await store.advance("threads", seen[-1].position)
        await store.lease("sealer", 60.0)

    site.write(work)
    capsys.readouterr()
    assert logs.stats(site.config, False, True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["streams"], found["exact"]) == (10, 2, True)
    assert found["names"]["call.answered"] == 6
    assert sum(found["names"].values()) == 10
    assert found["payload_bytes"] == sum(len((e.payload or "").encode()) for e in site.all())
    assert [(c["name"], c["lag"]) for c in found["consumers"]] == [("threads", 6)]
    assert ("sealer", 1) in [(lease["name"], lease["epoch"]) for lease in found["leases"]]
    (promised,) = found["outbox"]
    assert (promised["kind"], promised["state"], promised["count"]) == ("sms", "due", 1)
    assert promised["oldest"] > 1_000_000  # due since 1970
    assert found["per_second"] == pytest.approx(1.0)
    assert logs.stats(site.config, True, False) == 0
    assert "call.answered" in capsys.readouterr().out


def test_of_a_large_log_figures_are_reckoned_from_a_sample(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.append("conv_c", [CallAnswered(call="x" * 10)] * 4990)
    monkeypatch.setattr("ari_app.store.figures._SAMPLED", 1000)
    monkeypatch.setattr("ari_app.store.figures._SAMPLES", 100)
    with site.reader() as reader:
        about, exact = figures(reader), figures(reader, exact=True)
    assert (about.exact, exact.exact) == (False, True)
    assert about.events == exact.events == 5000
    assert about.names["call.answered"] == pytest.approx(exact.names["call.answered"], rel=0.05)
    assert about.payload_bytes == pytest.approx(exact.payload_bytes, rel=0.2)


def test_read_models_that_are_not_there_yet_are_what_the_log_says(site: Site, capsys: Any) -> None:
    assert logs.verify_projections(site.config, True) == 0
    capsys.readouterr()


# -- the command ------------------------------------------------------------------------------


def run(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(log_app, [*arguments, "--config", str(site.config)])


def test_every_option_reaches_what_it_is_for(site: Site) -> None:
    tail = run(site, "tail", "-n", "2", "--name", "call.*", "--name", "text.*", "--json")
    assert (tail.exit_code, len(tail.stdout.splitlines())) == (0, 2)
    event = json.loads(tail.stdout.splitlines()[0])
    assert places([json.loads(run(site, "tail", "--after", "0", "--json").stdout.split()[0])]) == [
        ("conv_a", 1)
    ]
    assert WORDS in run(site, "tail", "--stream", "conv_a", "--reveal").stdout
    assert event["id"] in run(site, "show", event["id"]).stdout
    assert "msg_1" in run(site, "show", "conv_a", "--at", "3").stdout
    assert WORDS in run(site, "show", "conv_a", "--reveal").stdout
    assert len(run(site, "export", "--out", "-").stdout.splitlines()) == 10
    assert len(run(site, "export", "--stream", "conv_a", "--since", "1h").stdout.splitlines()) == 4
    assert run(site, "export", "--until", "1h", "--subject", site.subject).stdout == ""
    assert WORDS in run(site, "export", "--reveal").stdout
    assert json.loads(run(site, "stats", "--json", "--exact").stdout)["events"] == 10
    assert run(site, "verify-projections").exit_code == 0
    assert run(site, "replay", "--all").exit_code == 0
    site.alter("DELETE FROM event WHERE stream = 'conv_b' AND sequence = 2")
    assert run(site, "replay", "conv_b", "--to", "1").exit_code == 0
    assert run(site, "replay", "conv_b").exit_code == 1


def test_a_wrong_time_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.append("conv_a", LIFE)
    wrong = run(site, "export", "--since", "yesterday", "--out", str(tmp_path / "out.jsonl"))
    assert isinstance(wrong.exception, SettingsError)
    assert not (tmp_path / "out.jsonl").exists()


def test_streams_are_completed_and_nothing_is_if_there_is_no_log(
    tmp_path: Path,
) -> None:
    context = typer.Context(get_command(log_app))
    context.params["config"] = tmp_path / "segue.toml"
    assert logs.complete_stream(context, "") == []
    site = Site(tmp_path)
    assert logs.complete_stream(context, "") == []
    site.append("conv_a", LIFE)
    assert logs.complete_stream(context, "") == ["conv_a"]
    assert logs.complete_stream(context, "conv_b") == []


def test_it_is_among_the_commands(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.append("conv_a", LIFE)
    command = [sys.executable, "-m", "ari_app", "log", "stats", "--json", "-c", str(site.config)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True, cwd=ROOT)
    assert json.loads(done.stdout)["events"] == 4
