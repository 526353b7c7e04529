"""The table of docs/numerics.md, "Check your machine": what `weft logits --digest` prints for fixed models and ids."""
import pathlib, re

PAGE = pathlib.Path("docs/numerics.md")
SYNTH = "synth tiny"
IDS = ",".join(map(str, range(1, 41)))


def expected():
    """[(model, weights, digest)]; model is a folder below the source folder, the catalogue's name of one, or SYNTH."""
    section = PAGE.read_text().split("\n## Check your machine\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| `([0-9a-f]{64})` \|$", section, re.M)
    assert len(rows) == section.count("\n| `"), "a row that cannot be read"
    return rows
