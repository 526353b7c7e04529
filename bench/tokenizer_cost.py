#!/usr/bin/env python3
"""The cost of tokenising against the length of the text, as a plot and a table in docs/. Usage, from the source folder:

    cmake --build build --target weft_bench_tokenizer
    build/bench/weft_bench_tokenizer > cost.csv
    bench/tokenizer_cost.py cost.csv

It writes docs/tokenizer-cost.svg, and the table of docs/tokenizers.md between its marks."""
import collections, csv, html, math, pathlib, re, sys

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 460, 300, 62, 34, 44
COLOURS = ("#1b6ca8", "#b3541e", "#3a7d44", "#7a3b8f")


def read(path):
    """{tokenizer: {text: [(bytes, seconds)]}}, as the file has them."""
    costs = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            costs[row["tokenizer"]][row["text"]].append((int(row["bytes"]), float(row["seconds"])))
    return costs


def plot(costs):
    """A line for every text, on logarithmic axes: what is linear rises at 45 degrees, as the dashed line does."""
    x = lambda bytes: LEFT + (math.log10(bytes) - 3) / 3.15 * (WIDTH - LEFT - 12)
    y = lambda seconds: TOP + (0.5 - math.log10(max(seconds, 1e-6))) / 6.5 * (HEIGHT - TOP - BOTTOM)
    parts = []
    for number, (tokenizer, texts) in enumerate(costs.items()):
        column, row = number % 2, number // 2
        parts.append(f'<g transform="translate({column * WIDTH},{row * HEIGHT})"><text x="{LEFT}" y="20" font-weight="bold">{html.escape(tokenizer)}</text>')
        for power in range(3, 7):
            parts.append(f'<path class="grid" d="M{x(10**power):.1f} {TOP}V{HEIGHT - BOTTOM}"/><text x="{x(10**power):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">10{"³⁴⁵⁶"[power - 3]}</text>')
        for power, label in zip(range(-6, 1), ("1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s")):
            parts.append(f'<path class="grid" d="M{LEFT} {y(10.0**power):.1f}H{WIDTH - 12}"/><text x="{LEFT - 6}" y="{y(10.0**power) + 4:.1f}" text-anchor="end">{label}</text>')
        for text, points in texts.items():
            line = "L".join(f"{x(bytes):.1f} {y(seconds):.1f}" for bytes, seconds in points)
            parts.append(f'<path d="M{line}" fill="none" stroke="{COLOURS[number]}" stroke-opacity="0.55"><title>{html.escape(text)}</title></path>')
        parts.append(f'<path d="M{x(1e3):.1f} {y(1e-5):.1f}L{x(1e6):.1f} {y(1e-2):.1f}" stroke="#000" stroke-dasharray="5 4"/>')
        parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 10}" text-anchor="middle">bytes of text</text></g>')
    rows = (len(costs) + 1) // 2
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {rows * HEIGHT}" font-family="sans-serif" font-size="12">'
            f'<style>.grid{{stroke:#ddd}}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n')


def table(costs):
    """Nanoseconds a byte, at each length the range over all texts, and the text of the most growth."""
    lines = ["| tokenizer | " + " | ".join(f"{10**power:,} bytes" for power in range(3, 7)) + " | most growth from 10,000 to 1,000,000 bytes |",
             "| --- |" + " --- |" * 5]
    for tokenizer, texts in costs.items():
        cells = []
        for index in range(4):
            each = [1e9 * points[index][1] / points[index][0] for points in texts.values()]
            cells.append(f"{min(each):.0f} to {max(each):.0f}")
        growth = {text: points[3][1] / points[3][0] / (points[1][1] / points[1][0]) for text, points in texts.items()}
        worst = max(growth, key=growth.get)
        lines.append(f"| {tokenizer} | " + " | ".join(cells) + f" | {growth[worst]:.1f}× a byte ({worst}) |")
    return "\n".join(lines)


if __name__ == "__main__":
    measured = read(sys.argv[1])
    pathlib.Path("docs/tokenizer-cost.svg").write_text(plot(measured))
    page = pathlib.Path("docs/tokenizers.md")
    marks = "<!-- bench/tokenizer_cost.py begin -->", "<!-- bench/tokenizer_cost.py end -->"
    page.write_text(re.sub(f"{marks[0]}.*{marks[1]}", lambda _: f"{marks[0]}\n\n{table(measured)}\n\n{marks[1]}", page.read_text(), flags=re.S))
