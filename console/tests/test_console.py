"""The console and the report in a real browser.

Needs pytest, playwright, Debian's chromium and axe-core:
    TIDEMILL_AXE      axe.min.js of the npm package axe-core
    TIDEMILL_PROGRAM  the program whose console is tried, or
    TIDEMILL_CONSOLE_MOCK  a script that prints the address of a stand-in for it
"""

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = [*ROOT.glob("*.*"), *ROOT.glob("vendor/*")]
CONSOLE = [
    p for p in FILES if p.stem != "report" and (p.suffix in {".js", ".css", ".html", ".svg"} or p.name == "LICENSES")
]
HOSTILE = "<img src=x onerror=window.hacked=1>"
RUN = "big-20260102T030405678Z-1f0a9c33aa00"
CREATED = "2026-01-02T03:04:05.678Z"

Json = dict[str, Any]


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a console, token and all, and the endpoint of the emulator behind it."""
    mock = os.environ.get("TIDEMILL_CONSOLE_MOCK")
    program = os.environ.get("TIDEMILL_PROGRAM")
    if mock:
        command = [sys.executable, mock, "0"]
    elif program:
        command = [program, "local", "--dir", str(tmp_path_factory.mktemp("data")), "--port", "0"]
    else:
        pytest.skip("neither TIDEMILL_PROGRAM nor TIDEMILL_CONSOLE_MOCK is set")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+\?token=\S+", line)))
            yield address, "http://" + urlsplit(address).netloc
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def themed(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    yield from opened(browser, color_scheme=request.param)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


def opened(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page that may write nothing to its log and break no rule of its policy."""
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1200, "height": 900}, **options)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said


@pytest.fixture(scope="session")
def axe() -> str:
    path = os.environ.get("TIDEMILL_AXE")
    if not path:
        pytest.skip("TIDEMILL_AXE is not set")
    return pathlib.Path(path).read_text()


def violations(page: Page, axe: str) -> list[tuple[str, list[str]]]:
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def ask(address: str, path: str, body: Json | None = None) -> Any:
    parts = urlsplit(address)
    token = parse_qs(parts.query)["token"][0]
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.netloc}{parts.path}api/{path}",
        headers={"authorization": f"Bearer {token}", "content-type": "application/json", "prefer": "wait=20"},
        data=json.dumps(body).encode() if body else None,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def big_run(tasks: int, state: str = "succeeded") -> tuple[Json, Json]:
    """A run of many tasks, 100 at once, and its status and records."""
    at = [700 + 2000 * (i // 100) for i in range(tasks)]
    numbers = list(range(tasks))
    done = tasks if state == "succeeded" else tasks // 2
    stage = {
        "stage": 0,
        "sent": 600,
        "started": {"task": numbers, "at": at},
        "committed": {"task": numbers[:done], "at": [start + 1000 + i % 997 for i, start in enumerate(at[:done])]},
        "bytes": [1000] * done,
    }
    status: Json = {
        "run": RUN,
        "state": state,
        "request": {
            "run": RUN,
            "job": "big",
            "source": {"bucket": "b", "key": "jobs/big.sql", "etag": "e", "sequencer": "0", "time": CREATED},
            "created": CREATED,
            "spec": {"sql": "SELECT 1", "options": {}},
        },
        "stages": [
            {
                "stage": 0,
                "operators": "DataSource → Filter",
                "tasks": tasks,
                "committed": done,
                "inputs": [],
                "worker": "normal",
            }
        ],
    }
    if state == "succeeded":
        usage = dict.fromkeys(
            [
                "requests",
                "read_bytes",
                "exchange_requests",
                "exchange_bytes",
                "milliseconds",
                "peak_memory_bytes",
                "spilled_bytes",
                "large_tasks",
            ],
            7,
        )
        files = [{"key": "results/big/part-00000.parquet", "rows": 1, "bytes": 10}]
        status["outcome"] = {
            "run": RUN,
            "job": "big",
            "status": state,
            "files": files,
            "rows": 1,
            "bytes": 10,
            "seconds": at[-1] / 1000 + 3,
            "tasks": tasks,
            "usage": usage,
        }
    return status, {"created": CREATED, "spent_usd": 0.1, "stages": [stage]}


def serve(page: Page, status: Json, tasks: Json) -> list[str]:
    """Answers for one run in the server's place; a run that goes on has no news until it is cancelled."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        asked.append(f"{route.request.method} {path.rsplit('/', 1)[1]}")
        if path.endswith("/tasks"):
            route.fulfill(json=tasks)
        elif path.endswith("/results"):
            route.fulfill(
                json={
                    "rows": 1,
                    "bytes": 10,
                    "columns": [{"name": "note", "type": "varchar"}],
                    "preview": [[HOSTILE]],
                    "files": [],
                }
            )
        elif path.endswith("/cancel"):
            route.fulfill(status=202, json={"run": RUN, "state": "running"})
        elif "if-none-match" in route.request.headers:
            page.wait_for_timeout(100)
            route.fulfill(status=304)
        else:
            route.fulfill(json=status, headers={"etag": '"1"'})

    page.route(f"**/api/runs/{RUN}**", answer)
    return asked


def test_sizes() -> None:
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in CONSOLE) <= 60_000
    assert len(gzip.compress(inlined({}).encode(), 9)) <= 40_000


def test_every_page_is_accessible_in_both_themes(themed: Page, console: tuple[str, str], axe: str) -> None:
    address, _ = console
    ended = ask(address, "runs", {"sql": "SELECT 1 AS n", "job": "one"})["run"]
    for place in ["runs", "runs?state=failed", f"runs/{ended}", "tables", "sql", "pipelines"]:
        themed.goto("about:blank")
        themed.goto(f"{address}#/{place}")
        themed.wait_for_selector("main h1")
        themed.wait_for_load_state("networkidle" if place != f"runs/{ended}" else "load")
        assert violations(themed, axe) == [], place
        assert themed.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        assert themed.title().endswith("· Tidemill")


def test_a_run_is_accessible_and_fits_a_narrow_window(themed: Page, console: tuple[str, str], axe: str) -> None:
    serve(themed, *big_run(300))
    themed.set_viewport_size({"width": 400, "height": 800})
    themed.goto(f"{console[0]}#/runs/{RUN}")
    themed.wait_for_selector(".values td")
    themed.get_by_text("As tables").click()
    assert violations(themed, axe) == []
    assert themed.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_filters_are_in_the_address(page: Page, console: tuple[str, str]) -> None:
    page.goto(f"{console[0]}#/runs")
    page.get_by_role("link", name="Failed", exact=True).click()
    page.get_by_label("Job").fill("top")
    page.wait_for_url("**#/runs?state=failed&job=top")
    page.reload()
    assert page.get_by_label("Job").input_value() == "top"
    assert page.get_by_role("link", name="Failed", exact=True).get_attribute("aria-current") == "true"


def test_a_run_is_cancelled_by_keyboard(page: Page, console: tuple[str, str]) -> None:
    asked = serve(page, *big_run(300, "running"))
    page.goto(f"{console[0]}#/runs/{RUN}")
    page.get_by_role("button", name="Cancel").wait_for()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Cancel":
            break
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Yes, cancel").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Yes, cancel").wait_for()
    assert "POST cancel" not in asked
    page.keyboard.press("Enter")
    page.get_by_text("Asked to end").wait_for()
    assert "POST cancel" in asked


def test_values_are_text(page: Page, console: tuple[str, str]) -> None:
    page.goto(f"{console[0]}#/sql")
    page.get_by_label("Statement").fill(f"SELECT '{HOSTILE}' AS note")
    page.keyboard.press("Control+Enter")
    page.locator(".values td", has_text=HOSTILE).first.wait_for()
    assert page.evaluate("window.hacked") is None
    page.reload()
    assert HOSTILE in page.get_by_label("Statement").input_value()


def test_many_tasks_do_not_block_the_page(page: Page, console: tuple[str, str]) -> None:
    serve(page, *big_run(100_000))
    page.add_init_script(
        "window.blocked = [];"
        "new PerformanceObserver(list => blocked.push(...list.getEntries().map(one => one.duration)))"
        ".observe({entryTypes: ['longtask']})"
    )
    page.goto(f"{console[0]}#/runs/{RUN}")
    page.locator(".picture").focus()
    for key in ["ArrowRight", "+", "+", "ArrowRight", "0"]:
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    assert "Stage 0 at" in page.locator(".tip").inner_text()
    page.wait_for_timeout(300)
    assert max(page.evaluate("blocked"), default=0) < 1000


def test_a_lost_server_is_said_and_found_again(browser: Browser, console: tuple[str, str]) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console[0]}#/runs")
    page.wait_for_selector("footer:has-text('Tidemill')")
    context.set_offline(True)
    page.get_by_text("The server does not answer. What").wait_for()
    context.set_offline(False)
    page.get_by_text("The server does not answer. What").wait_for(state="detached")
    context.close()


def inlined(data: Json) -> str:
    """A report as the program makes it: everything in one file."""
    script = ""
    for name in (ROOT / "report.files").read_text().split():
        lines = (ROOT / name).read_text().splitlines(keepends=True)
        script += "".join(line.removeprefix("export ") for line in lines if not line.startswith("import "))
    text = json.dumps(data).replace("<", "\\u003c")
    page = (ROOT / "report.html").read_text()
    for place, filled in [
        ('<link rel="stylesheet" href="app.css">', f"<style>{(ROOT / 'app.css').read_text()}</style>"),
        (
            '<script type="application/json" id="data"></script>',
            f'<script type="application/json" id="data">{text}</script>',
        ),
        ('<script type="module" src="report.js"></script>', f'<script type="module">{script}</script>'),
    ]:
        assert page.count(place) == 1
        page = page.replace(place, filled)
    return page


@pytest.mark.parametrize("compared", [False, True])
def test_a_report_opens_from_a_file(themed: Page, axe: str, tmp_path: pathlib.Path, compared: bool) -> None:
    status, tasks = big_run(300)
    results = {
        "rows": 1,
        "bytes": 10,
        "columns": [{"name": "note", "type": "varchar"}],
        "preview": [["</script>" + HOSTILE]],
        "files": [],
    }
    data: Json = {
        "status": status,
        "tasks": tasks,
        "results": results,
        "bucket": "b",
        "made": CREATED,
        "version": "0.1.0",
    }
    if compared:
        data["compare"] = {"status": status, "tasks": tasks}
    path = tmp_path / "report.html"
    path.write_text(inlined(data))
    themed.goto(path.as_uri())
    themed.locator(".values td", has_text=HOSTILE).wait_for()
    assert themed.locator("canvas").count() == 1 + compared
    assert themed.get_by_text("This / other").count() == compared
    assert themed.evaluate("window.hacked") is None
    assert violations(themed, axe) == []
