"""The oracle for delivery: what linewriter wrote, against what the control plane has and what it says is lost.

Exact, for each source: every number that was written is stored once and whole, or is lost. The ledger counts and
does not name what is lost: as many are lost as it declares, and each of them is one that the fault put at risk.
The oracle shows at each use that it would notice one lost and one doubled line, a loss of others than those at
risk, and a ledger that does not add up.
"""
import re
import zlib

LETTERS = str.maketrans("abcdefghijklmnop", "0123456789abcdef")


class Verdict:
    """What is wrong with one source, in words; `missing` of its numbers are not stored."""

    def __init__(self):
        self.problems, self.missing = [], 0


def judge(source: str, texts, written: int, declared: int = 0, first: int = 1, at_risk=()) -> Verdict:
    """`texts`: the stored lines; `written`: the last number; `declared`: how many lines the ledger calls lost;
    `at_risk`: [(first, last), ...], the numbers that may be lost at all."""
    out, seen, damaged, foreign = Verdict(), {}, [], 0
    for text in texts:
        parts = text.split(" ", 4)
        try:
            name, number, length, checksum, words = parts
            intact = len(text.encode()) == int(length) and \
                zlib.crc32(f"{name} {number} {length}{words}".encode()) == int(checksum.translate(LETTERS), 16)
        except ValueError:
            intact = False
        if not intact:
            damaged.append(text[:100])
        elif name != source:
            foreign += 1
        else:
            seen[int(number)] = seen.get(int(number), 0) + 1
    missing = [n for n in range(first, written + 1) if n not in seen]
    doubled = [n for n, times in seen.items() if times > 1]
    strange = [n for n in seen if not first <= n <= written]
    out.missing = len(missing)
    if damaged:
        out.problems.append(f"{source}: {len(damaged)} damaged lines, first {damaged[0]!r}")
    if foreign:
        out.problems.append(f"{source}: {foreign} lines of other sources")
    if len(missing) != declared:
        out.problems.append(f"{source}: {len(missing)} of {written} lines are not stored, {declared} are declared lost: "
                            f"{runs(missing)}")
    if missing and (safe := [n for n in missing if not any(low <= n <= high for low, high in at_risk)]):
        out.problems.append(f"{source}: {len(safe)} lines that nothing put at risk are lost: {runs(safe)}")
    if doubled:
        out.problems.append(f"{source}: {len(doubled)} lines are stored twice: {runs(sorted(doubled))}")
    if strange:
        out.problems.append(f"{source}: {len(strange)} lines were never written: {runs(sorted(strange))}")
    return out


def runs(numbers, most=5) -> str:
    """1-3, 7, 9-12 for readers."""
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    text = ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in out[:most])
    return text + (f" and {len(out) - most} more runs" if len(out) > most else "")


def declared_lost(row) -> int:
    """Records of a ledger row that were read and, as the row itself says, will never be stored."""
    return sum(row["records_dropped"].values()) + sum(row.get("records_lost", {}).values())


def judge_ledger(rows) -> list:
    """What does not add up in the ledger rows of agents that have sent everything."""
    out = []
    for row in rows:
        name = f"{row['lane']} of {row['name'] or row['source']}"
        if row["verdict"] != "balanced":
            out.append(f"{name}: {row['verdict']}")
        lost = sum(row.get("records_lost", {}).values())
        if row["records_spooled"] != row["records_stored"] + lost:
            out.append(f"{name}: {row['records_spooled']} spooled, {row['records_stored']} stored, {lost} declared lost")
        if row["records_read"] != row["records_spooled"] + sum(row["records_dropped"].values()):
            out.append(f"{name}: {row['records_read']} read, {row['records_spooled']} spooled, {row['records_dropped']} dropped")
    return out


def notices(source: str, texts, written: int, declared: int, rows, at_risk=()):
    """Plants one loss, one double, one damaged line, a loss as large as the declared one but elsewhere and one ledger
    that is out by one: each must be noticed."""
    if not texts:
        raise AssertionError(f"{source}: nothing is stored, so nothing can be planted")
    at = len(texts) // 2
    plants = {
        "a lost line": texts[:at] + texts[at + 1:],
        "a doubled line": texts[:at] + [texts[at]] + texts[at:],
        "a damaged line": texts[:at] + [re.sub(r".\.$", "x.", texts[at])] + texts[at + 1:],
    }
    honest = judge(source, texts, written, declared, at_risk=at_risk).problems
    safe = next((i for i, t in enumerate(texts) if not any(a <= int(t.split(" ")[1]) <= b for a, b in at_risk)), None)
    if declared and safe is not None:
        moved = [*texts[:safe], *texts[safe + 1:]]
        if judge(source, moved, written, declared + 1, at_risk=at_risk).problems == honest:
            raise AssertionError(f"the oracle does not notice that another line of {source} than those at risk is lost")
    for what, planted in plants.items():
        if judge(source, planted, written, declared, at_risk=at_risk).problems == honest:
            raise AssertionError(f"the oracle does not notice {what} of {source}")
    for i, row in enumerate(rows):
        planted = rows[:i] + [{**row, "records_stored": row["records_stored"] + 1}] + rows[i + 1:]
        if judge_ledger(planted) == judge_ledger(rows):
            raise AssertionError(f"the oracle does not notice a ledger of {row['source']} that is out by one")
