"""``agentic-dsl traces``, and ``explain --trace`` of the same files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import Sampling, Stats
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.trace import RequestTrace, TraceWriter

TRACE = RequestTrace(time="2026-11-21T10:00:00.000000Z", request_id="r0", engine="vllm", model="m", valid=True)
SMALL = Constraints(max_nodes=2, allowed_node_types=("assign", "end"), max_text_chars=20)


def write(path: Path, *traces: RequestTrace) -> Path:
    with TraceWriter(path) as writer:
        for trace in traces:
            writer.write(trace)
    return path


def answered(number: int, seconds: float) -> RequestTrace:
    stats = Stats(
        tokens=100,
        prompt_tokens=50,
        forward_passes=20,
        jump_forward_tokens=80,
        mask_us=1_000,
        seconds=seconds,
        cached_tokens=25,
    )
    return replace(TRACE, request_id=f"r{number}", time=f"2026-11-21T10:00:{number % 10:02}.000000Z", stats=stats)


def test_traces_add_up(cli: Cli, folder: Path) -> None:
    traces = [answered(number, 1 + number) for number in range(101)]
    failed = replace(TRACE, valid=False, error="engine")
    file = write(folder / "t.jsonl", *traces, failed, replace(TRACE, cached=True))
    result = cli("traces", file, "--format", "json")
    assert (result.code, result.err) == (0, "")
    record = json.loads(result.out)
    assert record["engines"] == {"vllm/m": record["total"]}
    total = record["total"]
    assert (total["requests"], total["valid"], total["cache_hits"], total["errors"]) == (103, 102, 1, {"engine": 1})
    assert total["valid_share"] == pytest.approx(102 / 103)
    assert (total["tokens"], total["prompt_tokens"], total["cached_prompt_tokens"]) == (10_100, 5_050, 2_525)
    assert (total["forward_passes"], total["jump_forward_tokens"]) == (2_020, 8_080)
    assert total["mask_us_per_token"] == 10
    assert total["seconds"] == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
    assert total["tokens_per_second"]["p50"] == pytest.approx(100 / 51)
    assert total["throughput"] == pytest.approx(10_100 / 109)  # number 99 begins at second 9 and takes 100


def test_engines_stand_side_by_side_with_their_sum(cli: Cli, folder: Path) -> None:
    one = write(folder / "one.jsonl", answered(1, 2.0))
    other = write(folder / "other.jsonl", replace(answered(2, 4.0), engine="openai", model=None, valid=False))
    result = cli("traces", one, other)
    lines = {line[:20].strip(): line[20:].split() for line in result.out.splitlines()}
    assert lines[""] == ["openai", "vllm/m", "all"]
    assert lines["requests"] == ["1", "1", "2"]
    assert lines["valid"] == ["0", "(0.0%)", "1", "(100.0%)", "1", "(50.0%)"]
    assert lines["tokens"] == ["100", "100", "200"]


def test_lines_that_cannot_be_read_are_named_and_left_out(cli: Cli, folder: Path) -> None:
    file = write(folder / "t.jsonl", answered(1, 2.0))
    file.write_bytes(file.read_bytes() + b'\x1b[31m\n{"version": 1, "ti')
    result = cli("traces", file, "--format", "json")
    assert result.code == 0
    assert result.err.splitlines() == [
        f"skipped: {file}: line 2 is not JSON",
        f"skipped: {file}: line 3 is cut short",
    ]
    record = json.loads(result.out)
    assert (record["skipped"], record["total"]["requests"]) == (2, 1)
    assert cli("traces", file, "--quiet").err == ""


def test_standard_input_is_read_once(cli: Cli) -> None:
    result = cli("traces", "-", "--format", "json", stdin=answered(1, 2.0).line())
    assert json.loads(result.out)["total"]["tokens"] == 100
    assert cli("traces", "-", "-").code == 2


def test_no_request_is_no_error(cli: Cli, folder: Path) -> None:
    (folder / "empty.jsonl").touch()
    result = cli("traces", "empty.jsonl", "--format", "json")
    assert result.code == 0
    total = json.loads(result.out)["total"]
    assert (total["requests"], total["valid_share"], total["seconds"], total["throughput"]) == (0, None, None, None)
    assert cli("traces", "empty.jsonl").out.splitlines()[1].split() == ["requests", "0"]


def test_a_time_that_is_none_and_a_name_with_control_characters_do_no_harm(cli: Cli, folder: Path) -> None:
    times = ["yesterday", "2026-11-21T10:00:00", "9999-12-31T23:59:59Z", TRACE.time]
    stats = Stats(tokens=5, seconds=1e15)
    traces = [replace(TRACE, time=time, stats=stats, model="\x1b[31mred") for time in times]
    result = cli("traces", write(folder / "t.jsonl", *traces))
    assert (result.code, result.err) == (0, "")
    assert "\x1b" not in result.out


def test_numbers_that_no_request_can_have_are_named_and_left_out(cli: Cli, folder: Path) -> None:
    huge = int("9" * 401)
    wrong = [{"tokens": -5}, {"tokens": huge}, {"prompt_tokens": huge}, {"cached_tokens": -1}]
    wrong += [{"forward_passes": huge}, {"jump_forward_tokens": -huge}, {"mask_us": -1.5}, {"seconds": 1e300}]
    good = answered(1, 2.0)
    lines = [json.loads(good.line()) for _ in range(len(wrong) + 1)]
    for line, stats in zip(lines, wrong, strict=False):
        line["stats"] |= stats
    file = folder / "t.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = cli("traces", file, "--format", "json")
    assert result.code == 0
    assert result.err.splitlines() == [
        f"skipped: {file}: line {number} is no request trace: "
        f"stats.{next(iter(stats))} should be between 0 and 9,007,199,254,740,992"
        for number, stats in enumerate(wrong, 1)
    ]
    record = json.loads(result.out)
    assert (record["skipped"], record["total"]["requests"], record["total"]["tokens"]) == (len(wrong), 1, 100)
    assert cli("traces", file, "--quiet").code == 0


def test_a_time_that_no_clock_shows_makes_no_rate(cli: Cli, folder: Path) -> None:
    file = write(folder / "t.jsonl", answered(1, 5e-324), answered(2, 2.0), answered(3, 5e-324))
    total = json.loads(cli("traces", file, "--format", "json").out)["total"]
    assert (total["requests"], total["tokens"]) == (3, 300)
    assert total["tokens_per_second"] == {"p50": 50.0, "p95": 50.0, "p99": 50.0}


def test_a_file_that_is_not_there_is_a_failure(cli: Cli) -> None:
    result = cli("traces", "nowhere.jsonl")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: nowhere.jsonl cannot be read")


# The same files, explained


def generate(path: Path, *tasks: Task, **options: bool) -> None:
    engine = RandomEngine("bytes", closing_boost=5.0)
    with (
        TraceWriter(path, **options) as writer,  # type: ignore[arg-type]  # switches only
        Observers((writer,)).call(engine.name, len(tasks)) as call,
    ):
        jobs = Jobs.of(tasks)
        with call.asking(jobs.jobs):
            results = engine.generate(jobs.requests(jobs.every))
        call.answered(jobs.jobs, results)
        call.done(jobs.merged(jobs.generations(jobs.every, results)))


def test_a_trace_file_can_be_explained_as_it_is_even_after_a_crash(cli: Cli, folder: Path) -> None:
    sampling = Sampling(temperature=0.7, seed=1)
    tasks = [Task("a", SMALL, sampling=sampling), Task("b", SMALL, changes={"min_nodes": 99}), Task("c", SMALL)]
    generate(folder / "t.jsonl", *tasks)
    with open(folder / "t.jsonl", "ab") as stream:
        stream.write(b'{"version": 1, "time": "2026')
    (folder / "c.json").write_text(SMALL.canonical_json, encoding="utf-8")
    result = cli("explain", "--trace", "t.jsonl", "--constraints", "c.json")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == ["t.jsonl#1: complete and allowed", "t.jsonl#2: complete and allowed"]
    narrower = cli("explain", "--trace", "t.jsonl", "--constraints", "c.json", "--max-output-tokens", "60")
    assert narrower.code == 1


def test_a_trace_file_without_tokens_cannot_be_explained(cli: Cli, folder: Path) -> None:
    generate(folder / "t.jsonl", Task("a", SMALL), token_ids=False)
    result = cli("explain", "--trace", "t.jsonl")
    assert result.code == 2
    assert "was written without token ids" in result.err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"token_ids": [' + "9" * 5_000 + "]}", "holds a number that is too long"),
        ('{"token_ids": [1]}\n{"token_ids": [' + "9" * 5_000 + "]}", "holds a number that is too long"),
        ('{"token_ids": [1]}\n' + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_token_trace_that_python_will_not_read_is_refused_with_the_reason(
    cli: Cli, folder: Path, text: str, why: str
) -> None:
    (folder / "t.json").write_text(text, encoding="utf-8")
    result = cli("explain", "--trace", "t.json", "--max-nodes", "3")
    assert result.code == 2
    assert result.err.startswith(f"error: the trace t.json {why}\nhelp: ")
