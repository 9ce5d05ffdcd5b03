# Helpers of the scripts in this folder; sourced, never run.

# What went wrong, from the output of a build; commands with -Werror in them are no errors.
build_errors() { # log
  grep -E 'error:|undefined reference|^FAILED|^CMake Error|Permission denied|No space' "$1" | head -40
}

# list_ctest BUILD_DIR LABEL: lines "name<TAB>quoted command" of the tests that carry the label. Fails when
# ctest does; none is not a failure here.
list_ctest() {
  local tests
  tests=$(ctest --test-dir "$1" --show-only=json-v1) || return 1
  python3 -c '
import json, shlex, sys
for test in json.load(sys.stdin)["tests"]:
    labels = next((p["value"] for p in test.get("properties", []) if p["name"] == "LABELS"), [])
    if sys.argv[1] in labels and "command" in test:
        print(test["name"], " ".join(map(shlex.quote, test["command"])), sep="\t")
' "$2" <<<"$tests"
}
