#!/usr/bin/env python3
"""The page of `weft profile --report` in a headless browser: no errors, marks in every plot, columns that sort.
Usage: report_test.py path/to/weft [unittest arguments]; runs from the source folder."""
import html.parser, json, os, pathlib, re, shutil, subprocess, sys, tempfile, unittest

WEFT = os.path.abspath(sys.argv.pop(1))
TINY = pathlib.Path("tests/oracle/tiny")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Runs before the page's own script: errors of the page become text that the test can see.
BEFORE = """<script>window.problems = []; window.onerror = message => { window.problems.push(message); };</script>"""
# Runs after it. Sorts by the column 'total ms', both ways, and leaves what it saw in the document.
AFTER = """<script>
const seen = { problems: window.problems, orders: [], width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth };
const column = () => [...document.querySelectorAll('#table th')].findIndex(cell => cell.textContent === 'total ms');
const at = column();
for (let i = 0; i < 2; ++i) {
  document.querySelectorAll('#table th')[at].click();
  seen.orders.push([...document.querySelectorAll('#table tr')].slice(1).map(row => parseFloat(row.children[at].textContent) || 0));
}
document.querySelectorAll('#timelines button')[0].click();
seen.pressed = document.querySelectorAll('#timelines button')[0].getAttribute('aria-pressed');
document.body.append(Object.assign(document.createElement('pre'), { id: 'seen', textContent: JSON.stringify(seen) }));
</script>"""


class Dom(html.parser.HTMLParser):
    """Counts the elements below each id, and keeps the text of #seen, #title and #summary."""
    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.stack, self.counts, self.text = [], {}, {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for _, identity in self.stack:
            if identity:
                key = (identity, tag, attributes.get("class"))
                self.counts[key] = self.counts.get(key, 0) + 1
        if tag not in self.VOID:
            self.stack.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for _, identity in self.stack:
            if identity:
                self.text[identity] = self.text.get(identity, "") + data


@unittest.skipIf(BROWSER is None, "NOT TESTED: no Chromium; scripts/install-deps installs it")
class ReportTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def page(self, *arguments):
        path = self.folder / "report.html"
        subprocess.run([WEFT, "profile", *map(str, arguments), "-t", "2", "--report", path], check=True, capture_output=True, timeout=120,
                       env={**os.environ, "HF_HUB_OFFLINE": "1", "WEFT_CACHE_SIZE": "0"})
        return path

    def dom(self, path, width=1200):
        text = path.read_text()
        path.write_text(text.replace("<head>", "<head>" + BEFORE, 1).replace("</body>", AFTER + "</body>", 1))
        result = subprocess.run([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.folder / 'browser'}", f"--window-size={width},900",
                                 "--virtual-time-budget=2000", "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        return Dom(result.stdout)

    def check(self, dom, plots):
        seen = json.loads(dom.text["seen"])
        self.assertEqual(seen["problems"], [])
        down, up = seen["orders"]
        self.assertGreater(len(down), 5)
        self.assertEqual(down, sorted(down, reverse=True))
        self.assertEqual(up, sorted(up))
        self.assertEqual(seen["pressed"], "true")
        for plot, shape, name, least in plots:
            self.assertGreaterEqual(dom.counts.get((plot, shape, name), 0), least, plot)

    def test_page_of_a_model(self):
        path = self.page(TINY / "llama-gqa", "-p", 40, "-n", 12)
        text = path.read_text()
        self.assertNotRegex(text, r"(src|href)\s*=\s*[\"']?http", "the page needs no network")
        dom = self.dom(path)
        self.check(dom, [("roofline", "circle", "point", 8), ("layers", "rect", "bar", 12), ("latency", "circle", "point", 12),
                         ("timeline", "rect", "bar", 20), ("memory", "rect", "bar", 20), ("passes", "tr", None, 8), ("graphs", "g", "node", 20), ("growth", "path", "area", 3),
                         ("attention", "tr", None, 2), ("workers", "tr", None, 3), ("latency", "circle", "cold", 1)])
        self.assertIn("llama-gqa", dom.text["title"])
        self.assertRegex(dom.text["summary"], r"decode: [0-9.]+ tokens a second")
        self.assertEqual(len(re.findall(" ops", dom.text["graphs"])), 2)
        self.assertIn("−3 matmul", dom.text["passes"], "gate and up of three layers became one")

    def test_a_phone_scrolls_the_page_one_way_only(self):
        dom = self.dom(self.page(TINY / "llama-gqa", "-p", 40, "-n", 3, "--no-roof"), width=390)
        seen = json.loads(dom.text["seen"])
        self.assertLessEqual(seen["width"], 500, "as narrow as the browser's window gets")
        self.assertLessEqual(seen["overflow"], 0)

    def test_page_of_a_plan(self):
        plan = self.folder / "m.weft"
        subprocess.run([WEFT, "compile", TINY / "gpt2", "-o", plan], check=True, capture_output=True)
        dom = self.dom(self.page(plan, "-p", 10, "-n", 3, "--no-roof"))
        self.check(dom, [("layers", "rect", "bar", 4), ("latency", "circle", "point", 3), ("timeline", "rect", "bar", 10), ("graphs", "g", "node", 6)])
        self.assertIn("its passes ran when it was compiled", dom.text["passes"])


if __name__ == "__main__":
    unittest.main(verbosity=2)  # which says what is skipped, and why
