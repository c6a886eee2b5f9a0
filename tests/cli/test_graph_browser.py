"""The page in a real browser: clicks, keys, search, and that nothing is run or loaded that is not ours.

Chromium is driven over a pipe (``--remote-debugging-pipe``), so that no driver is needed. Where no such browser is
installed the tests are skipped; ``AGENTIC_DSL_TEST_BROWSER`` names one that is not on the path.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_graph_formats import CALLS, hostile_document
from test_graph_layout import stages

from agentic_dsl.cli.app import run

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = os.environ.get("AGENTIC_DSL_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed")


class Browser:
    """One tab of a headless browser, and what it has asked the network for."""

    def __init__(self, profile: Path) -> None:
        to_browser, self.out = os.pipe()
        self.inward, from_browser = os.pipe()

        def connect() -> None:  # the browser reads from 3 and writes to 4
            here, there = os.dup(to_browser), os.dup(from_browser)
            os.dup2(here, 3)
            os.dup2(there, 4)

        assert BROWSER is not None
        self.process = subprocess.Popen(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--window-size=1200,800", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=connect,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.count = 0
        self.events: list[dict[str, Any]] = []
        self.session: str | None = None
        [page] = [t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.session = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            more = os.read(self.inward, 1 << 16)
            assert more, "the browser has gone"
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, page: Path) -> None:
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.read())

    def value(self, expression: str) -> Any:
        """What a script makes of the page; promises are waited for."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        x, y = self.value(
            f"(() => {{const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, text: str = "") -> None:
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def named(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.inward)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Opens the page of a document."""

    def open_page(text: str) -> Browser:
        (tmp_path / "x.md").write_text(text, encoding="utf-8")
        run(["graph", str(tmp_path / "x.md"), "-o", str(tmp_path / "x.html")])
        capsys.readouterr()
        browser.open(tmp_path / "x.html")
        return browser

    return open_page


def details(browser: Browser) -> str:
    return str(browser.value("document.getElementById('details').innerText"))


def view(browser: Browser) -> list[float]:
    text = browser.value("document.querySelector('#stage svg').getAttribute('viewBox')")
    return [float(number) for number in text.split()]


def test_a_click_on_a_node_shows_its_fields_and_its_lines(page: Any) -> None:
    browser = page(CALLS)
    browser.click("#n1 rect")
    shown = details(browser)
    assert "tool_call" in shown
    assert "output_keys" in shown
    assert "/main/x/b" in shown
    assert browser.value("document.querySelectorAll('.way.near').length") == 3
    browser.press("Escape")
    assert details(browser) == "Choose a node to see its fields."


def test_enter_on_a_focused_node_shows_its_fields(page: Any) -> None:
    browser = page(CALLS)
    browser.value("document.getElementById('c0_1').focus()")
    browser.press("Enter", "\r")
    assert "/lib/reasoning/generate_text@v1" in details(browser)


def test_a_finding_leads_to_its_node(page: Any) -> None:
    browser = page(CALLS)
    key = browser.value("document.querySelector('#findings button').dataset.key")
    browser.click("#findings button")
    assert browser.value("document.querySelector('.chosen').id") == key
    assert "ADL" in details(browser)


def test_search_marks_what_it_finds_and_enter_goes_there(page: Any) -> None:
    browser = page(stages(40))
    browser.press("/", "/")
    for character in "c17":
        browser.press(character, character)
    assert browser.value("document.getElementById('matches').textContent") == "3 matches"
    marked = browser.value("[...document.querySelectorAll('.item.hit .title')].map(e => e.textContent)")
    assert marked == ["f17", "c17", "j17"]  # the fork and the join name it
    browser.press("Enter", "\r")
    assert details(browser).startswith("c17")
    box = browser.value("(b => [b.x, b.y])(document.querySelector('.chosen').getBoundingClientRect())")
    assert 0 < box[0] < 1200
    assert 0 < box[1] < 800


def test_keys_wheel_and_mouse_move_the_picture(page: Any) -> None:
    browser = page(stages(40))
    begin = view(browser)
    browser.value("document.getElementById('stage').focus()")
    browser.press("ArrowDown")
    assert view(browser)[1] > begin[1]
    browser.press("+", "+")
    assert view(browser)[2] < begin[2]
    browser.press("0", "0")
    whole = view(browser)
    assert whole[:2] == [0, 0]
    browser.send("Input.dispatchMouseEvent", type="mouseWheel", x=300, y=300, deltaX=0, deltaY=-120)
    assert view(browser)[2] < whole[2]
    before = view(browser)
    browser.send("Input.dispatchMouseEvent", type="mousePressed", x=300, y=300, button="left", clickCount=1)
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=400, y=300, button="left", buttons=1)
    browser.send("Input.dispatchMouseEvent", type="mouseReleased", x=400, y=300, button="left", clickCount=1)
    assert view(browser)[0] < before[0]


def test_a_large_graph_begins_at_a_size_that_can_be_read(page: Any) -> None:
    browser = page(stages(40))
    height = browser.value("document.querySelector('#n0 .title').getBoundingClientRect().height")
    assert height >= 9
    box = browser.value("(b => [b.x, b.y])(document.querySelector('#n0').getBoundingClientRect())")
    assert 0 < box[0] < 1200
    assert 0 < box[1] < 800


def test_texts_fit_into_their_boxes(page: Any) -> None:
    browser = page(CALLS)
    wider = browser.value(
        "[...document.querySelectorAll('.item')].filter(g => [...g.querySelectorAll('text')].some("
        "t => t.getBBox().width > g.querySelector('rect').getBBox().width)).length"
    )
    assert wider == 0


@pytest.mark.parametrize("text", [CALLS, hostile_document()], ids=["calls", "hostile"])
def test_nothing_of_the_document_runs_and_nothing_is_loaded(page: Any, text: str) -> None:
    browser = page(text)
    for key in browser.value("JSON.parse(document.getElementById('diagram').textContent).items.map(i => i.key)"):
        browser.value(f"document.getElementById('{key}').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
        assert details(browser)
    requests = [event["request"]["url"] for event in browser.named("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith("file:")] == []
    assert len(requests) == 1
    assert browser.named("Page.javascriptDialogOpening") == []
    assert browser.named("Runtime.exceptionThrown") == []
    assert browser.named("Log.entryAdded") == []  # a policy that our own script or style broke would be told here
    assert browser.value("document.scripts.length") == 2


def test_hidden_characters_are_written_out_in_details(page: Any) -> None:
    browser = page(hostile_document())
    browser.value(
        "[...document.querySelectorAll('.item')].find(g => g.textContent.startsWith('left'))"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    shown = details(browser)
    assert "leftU+202Eright" in shown
    assert "\u202e" not in shown


def test_the_policy_stops_scripts_and_requests_that_somebody_adds(page: Any) -> None:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = page(CALLS)
        place = f"http://127.0.0.1:{server.server_port}/leak"
        # Markup that got into the page by a mistake of ours.
        markup = f'<img src="{place}"><img src=x onerror="window.ran = 1"><iframe src="{place}"></iframe>'
        browser.value(f"document.getElementById('details').innerHTML = {json.dumps(markup)}")
        browser.value(
            "(() => {const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            "document.body.append(s)})()"
        )
        assert browser.value(f"fetch('{place}').then(() => 'loaded', () => 'refused')") == "refused"
        assert browser.value("new Promise(done => setTimeout(() => done(typeof window.ran), 200))") == "undefined"
        server.shutdown()
    assert asked == []


def test_the_page_follows_the_colours_that_people_prefer(page: Any) -> None:
    browser = page(CALLS)

    def colours(preferred: str) -> list[str]:
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": preferred}])
        found: list[str] = browser.value(
            "[getComputedStyle(document.body).backgroundColor,"
            "getComputedStyle(document.querySelector('#n0 rect')).fill]"
        )
        return found

    light, dark = colours("light"), colours("dark")
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(13, 17, 23)"
    assert light[1] != dark[1]
