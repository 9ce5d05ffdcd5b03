#!/usr/bin/env python3
"""Fails when the documents do not name the kinds that the code has: docs/events.md those of events, alerts, stalled
parts and audit entries, docs/formats/redaction.md those of secrets."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A kind is a string of this form behind one of these, or one that begins as known kinds do.
KIND = r'"([a-z]+\.[a-z_]+)"'
TOLD = re.compile(r'(?:\bkind = (?:\w+ \? )?|add_event\(|\btell\(|\balert\(|\bnote\(|event_about\([^"]*, )\s*' + KIND)
ANY = re.compile(KIND)
PREFIXES = {"agent", "audit", "batch", "broker", "container", "control", "docker", "hello", "ingest", "ledger", "logs",
            "metrics", "oom", "records", "series", "spool", "store"}
# What an audit entry says was done.
AUDIT = re.compile(r'Kind (k\w+)\{"([a-z_.]+)"\}')
FILES = {"spool.db"}  # Of an earlier version
PART = re.compile(r'watched\.push_back\(\{"(\w+)"')


def kinds_in(text: str) -> set:
    text = re.sub(r"//[^\n]*", "", text)
    return set(TOLD.findall(text)) | {kind for kind in ANY.findall(text) if kind.split(".")[0] in PREFIXES}


def documented(text: str) -> set:
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return set(re.findall(r"`([a-z_.]+)`", " ".join(cells)))


# A row of the table of tokens, and a span that a matcher returns.
SECRET = re.compile(r'\{"[^"]+",[^"{}]*?\d+,\s*\d+,\s*"(\w+)"|"([a-z]\w+)",\s*(?:false|true)\}')


def secret_problems() -> list:
    code = set()
    for path in (ROOT / "agent/logs").glob("secret_*.cc"):
        code |= {kind for pair in SECRET.findall(path.read_text()) for kind in pair if kind}
    told = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/formats/redaction.md").read_text(), re.MULTILINE))
    assert len(code) > 50, "the table of tokens has another form"
    return [f"docs/formats/redaction.md does not name {kind}" for kind in sorted(code - told)]


# A kind that no code writes promises an entry that never comes.
def unused_of(named: dict, header: pathlib.Path) -> set:
    left = set(named)
    for path in (ROOT / "controlplane").rglob("*.[ch]*"):
        if path != header and left:
            left -= set(re.findall(r"\bk[A-Z]\w+", re.sub(r"//[^\n]*", "", path.read_text())))
    return left


def main() -> int:
    code, parts = set(), set()
    for folder in ("agent", "controlplane"):
        for path in (ROOT / folder).rglob("*.[ch]*"):
            text = path.read_text()
            code |= kinds_in(text)
            parts |= set(PART.findall(text))
    actions = set(ANY.findall((ROOT / "protocol/actions/catalogue.cc").read_text()))
    assert "docker.restart" in actions, "the catalogue has another form"
    kinds_header = ROOT / "controlplane/audit/kinds.h"
    named = dict(AUDIT.findall(kinds_header.read_text()))
    audit = set(named.values())
    unused = unused_of(named, kinds_header)
    code -= audit | FILES | actions
    told_text, _, audit_text = (ROOT / "docs/events.md").read_text().partition("\n## Audit entries\n")
    told, audit_told = documented(told_text), documented(audit_text)
    problems = [f"docs/events.md does not name {kind}" for kind in sorted((code | parts) - told)]
    problems += [f"docs/events.md names {kind}, which the code does not have" for kind in sorted(told - code - parts)]
    problems += [f"docs/events.md, audit entries: {kind} is not in the page and the code both"
                 for kind in sorted(audit ^ audit_told)]
    problems += [f"audit entries: nobody writes {named[name]} ({name})" for name in sorted(unused)]
    problems += secret_problems()
    counts = f"kinds: {len(code)}, {len(audit)} of audit entries, {len(parts)} parts, {len(problems)} problems"
    print("\n".join([*problems, counts]))
    return 1 if problems or not code or not audit or not parts else 0


if __name__ == "__main__":
    sys.exit(main())
