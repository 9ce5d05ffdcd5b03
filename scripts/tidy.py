#!/usr/bin/env python3
"""House rules that a compiler does not know. Each finding names the replacement."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = (".h", ".cc")
MAX_LINES = 600
MAX_COLUMNS = 110  # clang-format aims at 100; tables and long literals may reach a little further

LINE_RULES = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "finish it or write it into docs", None),
    (re.compile(r"\bstd::regex\b|#\s*include\s*<regex>"), "std::regex backtracks without bound: write a matcher", None),
    (re.compile(r"^using namespace\b"),
     "name what is used", lambda rel: rel.endswith(".h")),
    (re.compile(r"\b(system|popen)\s*\("), "no shell, ever: start processes by argv",
     lambda rel: not rel.startswith("tests/")),
    (re.compile(r"this_thread::sleep|\busleep\s*\("), "unit tests own the clock: ManualClock",
     lambda rel: rel.startswith("tests/unit")),
    (re.compile(r"\b(strcpy|strcat|sprintf|gets)\s*\("), "use std::string or snprintf", None),
    (re.compile(r"(^|[^A-Za-z0-9_.])/(work|root|home)/"), "no paths of one machine", None),
    (re.compile(r"\bgetenv\s*\("), "pass it in from the composition root",
     lambda rel: not rel.startswith("tests/") and "/app/" not in rel and "/cli/" not in rel
     and rel not in ("protocol/base/log.cc", "agent/enroll/token_source.cc", "agent/executor/program.cc")),
]

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group(0))


def statement_from(text: str, start: int) -> str:
    """The rest of the statement that begins at `start`: up to ';' or a closing bracket at depth 0."""
    depth = 0
    for i in range(start, len(text)):
        c = text[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                return text[start:i]
        elif c == ";" and depth == 0:
            return text[start:i]
    return text[start:]


def coroutine_problems(text: str):
    """GCC 12 destroys closures and aggregates twice when they are temporaries of a co_await statement."""
    plain = STRING.sub('""', COMMENT.sub(blank, text))
    for match in re.finditer(r"\bco_await\b", plain):
        statement = statement_from(plain, match.start())
        line = plain.count("\n", 0, match.start()) + 1
        if re.search(r"[(,=|&]\s*\[[^\]]*\]\s*(\(|\{|mutable|->)", statement):
            yield line, "a lambda inside a co_await statement: name it first (GCC 12 destroys it twice)"
        elif re.search(r"\(\s*\{|,\s*\{|\b[A-Z]\w*\s*\{", statement):
            yield line, "a braced value inside a co_await statement: name it first (GCC 12 destroys it twice)"


def problems(rel: str, text: str):
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines: split it, a file is one idea"
    if rel.endswith(".h") and "#pragma once" not in text:
        yield 1, "a header begins with #pragma once"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS and "http" not in line and 'R"' not in line:
            yield number, f"{len(line)} columns"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        for pattern, remedy, applies in LINE_RULES:
            if (applies is None or applies(rel)) and pattern.search(STRING.sub('""', line)
                                                                    if "TODO" not in pattern.pattern else line):
                yield number, remedy
    yield from coroutine_problems(text)


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.h", "*.cc"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    bad = 0
    for rel in listed:
        path = ROOT / rel
        if not path.exists():
            continue
        for number, what in problems(rel, path.read_text(errors="replace")):
            print(f"{rel}:{number}: {what}")
            bad += 1
    for module in sorted({"/".join(rel.split("/")[:2]) for rel in listed
                          if rel.split("/")[0] in ("protocol", "agent", "controlplane")}):
        readme = ROOT / module / "README.md"
        if not readme.exists() or len(readme.read_text().splitlines()) > 40:
            print(f"{module}: needs a README.md of at most 40 lines")
            bad += 1
    print(f"tidy: {len(listed)} files, {bad} problems")
    return 1 if bad or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
