#!/usr/bin/env python3
"""Fails when an #include points the wrong way or a third-party header leaves its home (docs/layers.toml)."""
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
OURS = ("protocol", "agent", "controlplane")


def is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def problems_of(rel: str, include: str, layers: dict, third_party: dict):
    here = "/".join(rel.split("/")[:2])
    if include.split("/")[0] in OURS:
        there = "/".join(include.split("/")[:2])
        if there != here and not any(is_under(there, allowed) for allowed in layers[here]):
            yield f"{here} may not include {there}"
        if there != here and "/detail/" in include:
            yield f"{include} is private to {there}"
        return
    if include.endswith(".pb.h") and here != "protocol/wire":
        yield "generated protobuf stays in protocol/wire"
    for header, homes in third_party.items():
        if include.startswith(header) and not any(is_under(rel, home) for home in homes):
            yield f"<{header}> belongs in {', '.join(homes)}"


def main() -> int:
    rules = tomllib.loads((ROOT / "docs/layers.toml").read_text())
    bad = files = 0
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            rel = path.relative_to(ROOT).as_posix()
            if "/".join(rel.split("/")[:2]) not in rules["layers"]:
                print(f"{rel}: its folder is not in docs/layers.toml")
                bad += 1
                continue
            files += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if match := INCLUDE.match(line):
                    for why in problems_of(rel, match[1], rules["layers"], rules["third_party"]):
                        print(f"{rel}:{number}: {why}")
                        bad += 1
    print(f"layers: {files} files, {bad} problems")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
