"""The commands of the line from bedside to chart: demo, recordings, services, and the tools around them."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from neopain.cli.grammar import Commands, box, command, count, group, natural, positive, said, seed
from neopain.cli.privacy import moment
from neopain.cli.services import SERVICES, add_service, start


def add_line(commands: Commands[argparse.ArgumentParser]) -> None:
    """The demo, recordings, services and the tools around them."""
    _add_demo(commands)
    _add_score(commands)
    for service in SERVICES:
        add_service(commands, service)
    _add_tools(commands)
    _add_beds(commands)
    _add_policy(commands)
    _add_api(commands)
    _add_dashboard(commands)
    _add_drugs(commands)
    _add_codes(commands)


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = command(commands, "demo", _demo, "The whole line on this machine, with a ward of simulated infants")
    demo.add_argument("--seconds", type=positive, help="stop after this long; without it, at Ctrl-C")
    demo.add_argument("--json", action="store_true", help="print one JSON summary as the last line instead of a table")
    demo.add_argument("--beds", type=count, default=2, help="number of beds (default 2)")
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated infants (default 1)")
    demo.add_argument("--state", type=Path, help="folder for data and logs (default var/demo in the checkout)")
    demo.add_argument("--no-dashboard", action="store_true", help="without the dashboard, without building its page")


def _add_score(commands: Commands[argparse.ArgumentParser]) -> None:
    score = command(commands, "score", _score, "Score your own recordings; never charted")
    score.add_argument("--video", type=Path, metavar="FILE", help="mp4, webm or mov; the face needs --face-box")
    score.add_argument("--audio", type=Path, metavar="FILE", help="wav, mp3 or m4a")
    score.add_argument("--hl7", type=Path, metavar="FILE", nargs="+", default=[], help="HL7 v2 text: CR, LF or CRLF")
    score.add_argument("--face-box", type=box, metavar="X,Y,W,H", help="where the face is, in pixels of the video")
    for way in ("video", "audio", "hl7"):
        text = f"seconds by which the {way} begins later than the others (default: aligned at first samples)"
        score.add_argument(f"--{way}-offset", type=float, default=0.0, metavar="S", help=text)
    score.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    score.add_argument("--state", type=Path, help="folder for data and logs (default var/score in the checkout)")


def _add_tools(commands: Commands[argparse.ArgumentParser]) -> None:
    bench = group(commands, "bench", "Measurements that print JSON")
    latency = command(bench, "latency", _bench_latency, "Window complete to score on the bus, with its parts")
    latency.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    latency.add_argument("--seconds", type=positive, default=60.0, help="how long to measure (default 60)")
    latency.add_argument("--beds", type=count, default=1, help="beds at one window a second (default 1)")
    latency.add_argument("--state", type=Path, help="folder for data and logs (default var/bench in the checkout)")
    ingest = command(bench, "ingest", _bench_ingest, "HL7 messages a second per core, beside two other listeners")
    ingest.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    ingest.add_argument("--seconds", type=positive, default=10.0, help="of each of four measurements (default 10)")
    ingest.add_argument(
        "--messages",
        type=natural,
        help="measure the listener's memory instead, over so many messages (720000: an hour's)",
    )
    ingest.add_argument("--connections", type=natural, default=100, help="monitors that send at once (default 100)")
    ingest.add_argument("--state", type=Path, help="folder for data and logs (default var/bench in the checkout)")
    text = "An infant's last hour found among many aggregates, and what writing those of 100 beds costs"
    sums = command(bench, "aggregates", _bench_aggregates, text)
    sums.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    sums.add_argument("--rows", type=natural, default=1_000_000, help="aggregates in the table (default 1000000)")
    sums.add_argument("--searches", type=natural, default=200, help="how many are measured (default 200)")
    sums.add_argument("--state", type=Path, help="folder for data and logs (default var/bench-aggregates)")
    text = "Scores to confirmed entries, the walk over the audit trail, and searches among many Observations"
    charting = command(bench, "charting", _bench_charting, text)
    charting.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    charting.add_argument("--entries", type=natural, default=1000, help="charted to the demo EHR (default 1000)")
    charting.add_argument("--audit-rows", type=natural, default=200_000, help="in the trail (default 200000)")
    charting.add_argument("--observations", type=natural, default=1_000_000, help="searched among (default 1000000)")
    charting.add_argument("--searches", type=natural, default=50, help="of each sort (default 50)")
    charting.add_argument("--state", type=Path, help="folder for data and logs (default var/bench-charting)")
    text = "Charting to an EHR that fails, while its own parts are killed; exit 1 if an entry is lost or doubled"
    faults = command(bench, "faults", _bench_faults, text)
    faults.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    faults.add_argument("--entries", type=natural, default=1000, help="how many are charted (default 1000)")
    faults.add_argument("--infants", type=natural, default=50, help="of so many infants in turn (default 50)")
    faults.add_argument("--interval", type=positive, default=10.0, metavar="S", help="of each infant (default 10)")
    faults.add_argument("--moments", type=natural, default=5, help="kill -9 of each part so often (default 5)")
    faults.add_argument("--share", type=float, default=0.1, help="of requests to the EHR that go wrong (default 0.1)")
    faults.add_argument("--batches", action="store_true", help="send to the EHR in batches, of which parts fail too")
    faults.add_argument("--seed", type=seed, help="of faults and moments; without it a new one, which is printed")
    faults.add_argument("--state", type=Path, help="folder for data and logs (default var/bench-faults)")
    dicom = group(commands, "dicom", "DICOM objects (docs/conformance/dicom.md)")
    info = command(dicom, "info", _dicom_info, "What an object holds; nothing of the patient is read")
    info.add_argument("file", type=Path, metavar="FILE", help="a video or waveform object in the DICOM file format")
    info.add_argument("--zone", default="UTC", help="IANA time zone of times that carry no offset (default UTC)")
    info.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_beds(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "Who lies where, and which beds are held, why and since when: patient data; audited"
    beds = command(commands, "beds", _beds, text)
    beds.add_argument("--held", action="store_true", help="only beds that are held")
    beds.add_argument("--by", type=said, metavar="NAME", help="who reads it (default: the user)")
    beds.add_argument("--json", action="store_true", help="print one JSON object per line")
    parts = beds.add_subparsers(title="commands", metavar="COMMAND")
    text = "Let a held bed go, after looking at the infant; what was held meanwhile is charted for it; kept and audited"
    release = command(parts, "release", _beds_release, text)
    release.add_argument("bed", metavar="BED", help="the bed as listed, unit/room/bed@facility")
    release.add_argument("--by", type=said, metavar="NAME", required=True, help="who decided it")
    release.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why, e.g. what the name band says")
    release.add_argument("--infant", default="", metavar="NUMBER", help="which one lies there, where there are several")
    text = "Chart an entry of the bed's last minute now; who asked for it is audited"
    chart = command(parts, "chart", _beds_chart, text)
    chart.add_argument("bed", metavar="BED", help="the bed as listed, unit/room/bed@facility")
    chart.add_argument("--by", type=said, metavar="NAME", required=True, help="who asks for it")
    text = "Document a procedure that is over: it gets an entry of baseline, peak and recovery; audited"
    procedure = command(parts, "procedure", _beds_procedure, text)
    procedure.add_argument("bed", metavar="BED", help="the bed as listed, unit/room/bed@facility")
    procedure.add_argument("--begin", type=moment, metavar="TIME", required=True, help="ISO 8601, UTC without offset")
    procedure.add_argument("--end", type=moment, metavar="TIME", required=True, help="likewise")
    procedure.add_argument("--what", type=said, metavar="TEXT", required=True, help="what it was, e.g. heel lance")
    procedure.add_argument("--by", type=said, metavar="NAME", required=True, help="who documents it")


def _add_api(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "The FHIR R4 API, the same as `neopain charting api`; settings NEOPAIN_CHARTING_API_*"
    api = command(commands, "api", start("charting", "api"), text)
    parts = api.add_subparsers(title="commands", metavar="COMMAND")
    text = "Print a bearer token of the local issuer (NEOPAIN_CHARTING_API_LOCAL_ISSUER)"
    token = command(parts, "token", _api_token, text)
    token.add_argument("--scope", default="system/*.rs", help="SMART scopes, separated by spaces (default system/*.rs)")
    token.add_argument(
        "--seconds", type=positive, default=300.0, help="how long it is good (default 300, at most 3600)"
    )
    token.add_argument(
        "--patient", default="", metavar="ID", help="the one infant of patient/ scopes: id or system|value"
    )
    token.add_argument("--unit", action="append", default=[], metavar="UNIT", help="only this unit; may come again")


def _add_dashboard(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "The dashboard of a ward, the same as `neopain dashboard serve`; settings NEOPAIN_DASHBOARD_*"
    dashboard = command(commands, "dashboard", start("dashboard", "serve"), text)
    parts = dashboard.add_subparsers(title="commands", metavar="COMMAND")
    command(parts, "serve", start("dashboard", "serve"), "Serve the page, and pass FHIR on for it")
    command(parts, "link", _dashboard_link, "Print an address that signs in once, on this machine")
    command(parts, "build", _dashboard_build, "Build the page, if it is not built from these sources already")


def _add_policy(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "The charting policy in force, by site and unit; with --file, a file's, which is checked"
    policy = command(commands, "policy", _policy, text)
    policy.add_argument("--file", type=Path, metavar="FILE", help="a charting policy (TOML), before it is put in force")
    policy.add_argument("--bed", default="", metavar="BED", help="only the policy of this bed, unit/room/bed@facility")
    policy.add_argument("--json", action="store_true", help="print one JSON object per policy")


def _add_drugs(commands: Commands[argparse.ArgumentParser]) -> None:
    drugs = group(commands, "drugs", "Drugs that hide pain, from pharmacy messages")
    text = "Codes that no table knows, most frequent first; NEOPAIN_INGEST_DRUG_CODES takes the site's own"
    unknown = command(drugs, "unknown", _drugs_unknown, text)
    unknown.add_argument("--json", action="store_true", help="print one JSON object per line")


def _add_codes(commands: Commands[argparse.ArgumentParser]) -> None:
    text = (
        "Codes of vital signs in force, then codes and units that came and no table knows; NEOPAIN_INGEST_VITAL_CODES "
        "adds some codes"
    )
    codes = command(commands, "codes", _codes, text)
    codes.add_argument("--unknown", action="store_true", help="only what no table knows")
    codes.add_argument("--json", action="store_true", help="print one JSON object per line")


def _codes(options: argparse.Namespace) -> int:
    from neopain.bootstrap.codes import list_codes

    return list_codes(only_unknown=options.unknown, as_json=options.json)


def _drugs_unknown(options: argparse.Namespace) -> int:
    from neopain.bootstrap.drugs import list_unknown_drugs

    return list_unknown_drugs(as_json=options.json)


def _beds(options: argparse.Namespace) -> int:
    from neopain.bootstrap.beds import list_beds

    return list_beds(only_held=options.held, by=options.by or "", as_json=options.json)


def _beds_release(options: argparse.Namespace) -> int:
    from neopain.bootstrap.beds import ReleaseOptions, release_bed

    return release_bed(ReleaseOptions(bed=options.bed, by=options.by, reason=options.reason, infant=options.infant))


def _beds_procedure(options: argparse.Namespace) -> int:
    from neopain.bootstrap.policy import document_procedure
    from neopain.domain.identity import BedId
    from neopain.domain.procedure import Procedure

    procedure = Procedure(BedId(options.bed), options.begin, options.end, options.what)
    return document_procedure(procedure, by=options.by)


def _beds_chart(options: argparse.Namespace) -> int:
    from neopain.bootstrap.policy import chart_bed

    return chart_bed(options.bed, by=options.by)


def _api_token(options: argparse.Namespace) -> int:
    from neopain.bootstrap.api import TokenOptions, print_token

    return print_token(
        TokenOptions(scope=options.scope, seconds=options.seconds, patient=options.patient, units=tuple(options.unit))
    )


def _dashboard_link(_: argparse.Namespace) -> int:
    from neopain.bootstrap.dashboard import print_link

    return print_link()


def _dashboard_build(_: argparse.Namespace) -> int:
    from neopain.bootstrap.dashboard import run_build

    return run_build()


def _policy(options: argparse.Namespace) -> int:
    from neopain.bootstrap.policy import show_policy

    return show_policy(file=options.file, bed=options.bed, as_json=options.json)


def _demo(options: argparse.Namespace) -> int:
    from neopain.bootstrap.demo import DemoOptions, run_demo

    return run_demo(
        DemoOptions(
            seconds=options.seconds,
            as_json=options.json,
            beds=options.beds,
            seed=options.seed,
            state_dir=options.state,
            with_dashboard=not options.no_dashboard,
        )
    )


def _score(options: argparse.Namespace) -> int:
    from neopain.bootstrap.score import ScoreOptions, run_score

    return run_score(
        ScoreOptions(
            video=options.video,
            audio=options.audio,
            hl7=tuple(options.hl7),
            face_box=options.face_box,
            video_offset_seconds=options.video_offset,
            audio_offset_seconds=options.audio_offset,
            hl7_offset_seconds=options.hl7_offset,
            as_json=options.json,
            state_dir=options.state,
        )
    )


def _bench_latency(options: argparse.Namespace) -> int:
    from neopain.bootstrap.latency import LatencyOptions, run_latency

    return run_latency(
        LatencyOptions(seconds=options.seconds, beds=options.beds, as_json=options.json, state_dir=options.state)
    )


def _bench_ingest(options: argparse.Namespace) -> int:
    from neopain.bootstrap.ingest_bench.command import IngestBenchOptions, run_ingest_bench
    from neopain.bootstrap.ingest_bench.memory import MemoryBenchOptions, run_memory_bench

    if options.messages is not None:
        return run_memory_bench(
            MemoryBenchOptions(options.messages, options.connections, as_json=options.json, state_dir=options.state)
        )
    return run_ingest_bench(
        IngestBenchOptions(
            seconds=options.seconds,
            connections=options.connections,
            as_json=options.json,
            state_dir=options.state,
        )
    )


def _bench_aggregates(options: argparse.Namespace) -> int:
    from neopain.bootstrap.aggregates_bench import AggregatesBenchOptions, run_aggregates_bench

    return run_aggregates_bench(
        AggregatesBenchOptions(options.rows, options.searches, as_json=options.json, state_dir=options.state)
    )


def _bench_charting(options: argparse.Namespace) -> int:
    from neopain.bootstrap.charting_bench import ChartingBenchOptions, run_charting_bench

    return run_charting_bench(
        ChartingBenchOptions(
            entries=options.entries,
            audit_rows=options.audit_rows,
            observations=options.observations,
            searches=options.searches,
            as_json=options.json,
            state_dir=options.state,
        )
    )


def _bench_faults(options: argparse.Namespace) -> int:
    from neopain.bootstrap.faults_bench.command import FaultsBenchOptions, run_faults_bench

    return run_faults_bench(
        FaultsBenchOptions(
            entries=options.entries,
            infants=options.infants,
            moments=options.moments,
            share=options.share,
            interval_seconds=options.interval,
            seed=secrets.randbelow(2**31) if options.seed is None else options.seed,
            as_json=options.json,
            state_dir=options.state,
            in_batches=options.batches,
        )
    )


def _dicom_info(options: argparse.Namespace) -> int:
    from neopain.bootstrap.dicom import dicom_info

    return dicom_info(options.file, zone=options.zone, as_json=options.json)
