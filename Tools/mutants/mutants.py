#!/usr/bin/env python3
"""How many small breaks of a target its tests notice.

usage: mutants.py TARGET [--number N] [--seed SEED] [--minimum PERCENT] [--list]
       mutants.py TARGET --all

All places of Sources/TARGET that can be broken are counted (places.py says how); N of them are taken at random, all made
in one copy of the tree (.build/mutants) behind a switch, an environment variable, and built once. What does not compile
is dropped. Then the tests that can notice run once for each, suite by suite as far as it reaches the place, the quick ones
first: those of TESTS, the second group only for what the first lets live. Survivors are printed with file and line. With
--all every place is taken, in builds of CHUNK each. Places of equivalent.txt, which change nothing that could be noticed,
are not taken; each has its reason there.

The same seed takes the same places for as long as they stand there: a change of the sources adds and removes only places
of its own.

A mutant is dead if a test fails, if the tests crash, or if they hang: if they use more processor time than LIMIT times
what they need without it and two minutes, or none at all for ten minutes. Neither is measured by the clock on the wall,
so that other work of the machine changes no mutant's fate.

Exit status: 1 if fewer than PERCENT (MINIMUM of the target) are dead, 70 if the tests fail without any mutant.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import places

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
COPY = os.path.join(ROOT, ".build", "mutants")
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "equivalent.txt")
WORDS = ["--scratch-path", os.path.join(COPY, ".build"), "-debug-info-format", "none",
         "-Xswiftc", "-whole-module-optimization", "-Xswiftc", "-num-threads", "-Xswiftc", "2"]
# Where the tests reckon for longer than the compiler: optimised, and without the programs that other tests start.
OPTIMISED = {"BindRules"}
LIMIT = 10
CHUNK = 800
IDLE = 600
# Percent that must be dead, where the target promises it.
MINIMUM = {"BindRules": 95, "Explanation": 90, "PortwhyKit": 90, "PortwhyReport": 85}
# Seconds of suites that run together in one process.
AT_ONCE = 1
SWITCH = "PORTWHY_MUTANT"
FAILURE = re.compile(rb"recorded an issue|Fatal error|Crash:")
REACHED = "PORTWHY_MUTANTS_REACHED"

# The tests that can notice, by the target that is broken. Where nothing stands here: TARGETTests alone.
TESTS = {
    "SocketModel": ["SocketModelTests", "BindRulesTests|NetlinkTests|PortwhyReportTests"],
    "BindRules": ["BindRulesTests"],
    "Explanation": ["ExplanationTests", "PortwhyReportTests"],
    "Answers": ["AnswersTests", "PortwhyReportTests|ExplanationTests|PortwhyCLITests"],
    "PortwhyReport": ["PortwhyReportTests", "ExplanationTests|PortwhyCLITests"],
}

# Tests of what thousands of sockets cost, which take longer than all others together.
SKIPPED = "CrowdedPortTests|OwnershipTests/crowd"

HELPER = """
import Glibc

private let chosen = getenv("{switch}").flatMap {{ Int(String(cString: $0)) }} ?? -1

/// A byte for each mutant: whether its place was reached.
nonisolated(unsafe) private let reached: UnsafeMutableRawPointer? = {{
  guard let path = getenv("{reached}") else {{ return nil }}
  let file = open(path, O_RDWR)
  let bytes = mmap(nil, {count}, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
  close(file)
  return bytes == MAP_FAILED ? nil : bytes
}}()

@inline(never)
func __mutant(_ number: Int) -> Bool {{
  reached?.storeBytes(of: 1, toByteOffset: number, as: UInt8.self)
  return chosen == number
}}
"""


def swift_files(target):
    for folder, _, files in sorted(os.walk(os.path.join(ROOT, "Sources", target))):
        for name in sorted(files):
            if name.endswith(".swift"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def seen_from(target):
    """The target and those modules of the project that it imports."""
    modules = {target}
    for file in swift_files(target):
        modules.update(re.findall(r"^(?:\w+ )?import (\w+)$", read(os.path.join(ROOT, file)), re.MULTILINE))
    return sorted(modules)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    """Only what has changed: the build looks at the times."""
    if os.path.exists(path) and read(path) == text:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def equivalent_ones():
    """Pairs of a change and the line it is in, by file; a reason is demanded for each."""
    known = set()
    for block in re.split(r"\n\s*\n", re.sub(r"^#.*\n", "", read(LIST), flags=re.MULTILINE)):
        if not block.strip():
            continue
        match = re.fullmatch(r"(\S+): (.+)\n  in: (.+)\n  because: (?:.|\n)*\S(?:.|\n)*", block.strip())
        if not match:
            raise SystemExit(f"mutants: not three lines with file and change, in:, because: {block}")
        known.add(match.groups())
    return known


def without_other_tests(manifest, groups):
    """Test targets that no group names are not built."""
    for match in reversed(list(re.finditer(r"\n *(?:tests\(|\.testTarget\(\s*name:)\s*\"(\w+)\"", manifest))):
        if any(re.fullmatch(group, match.group(1)) for group in groups):
            continue
        end, depth = manifest.index("(", match.start()), 0
        while True:
            depth += {"(": 1, ")": -1}.get(manifest[end], 0)
            end += 1
            if depth == 0:
                break
        manifest = manifest[:match.start()] + manifest[end:].removeprefix(",")
    return manifest


def copy_tree(groups):
    """The files of the project, without mutants; warnings are no errors, as a broken place may never be reached."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split("\n")
    names = [name for name in names if name and os.path.isfile(os.path.join(ROOT, name))]
    if os.path.exists(os.path.join(ROOT, "Package.resolved")):
        names.append("Package.resolved")
    for name in names:
        source, copy = os.path.join(ROOT, name), os.path.join(COPY, name)
        with open(source, "rb") as file:
            content = file.read()
        if name == "Package.swift":
            text = content.decode().replace(".treatAllWarnings(as: .error),", "")
            content = without_other_tests(text, groups).encode()
        if os.path.exists(copy):
            with open(copy, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "wb") as file:
            file.write(content)
        os.chmod(copy, os.stat(source).st_mode)
    expected = set(names)
    for folder, folders, files in os.walk(COPY):
        folders[:] = [name for name in folders if name != ".build"]
        for name in files:
            path = os.path.join(folder, name)
            if os.path.relpath(path, COPY) not in expected and "MutantSwitch" not in name:
                os.remove(path)


class Tree:
    """One file with its mutants, each inside or beside the others."""

    def __init__(self, text, mutants):
        self.text = text
        self.mutants = sorted(mutants, key=lambda one: (one[1].start, -one[1].end, one[0]))

    def render(self):
        """The text, and for each mutant where it begins and ends in it."""
        output, spans, position, opened = [], {}, 0, []
        length = 0

        def put(text):
            nonlocal length
            output.append(text)
            length += len(text)

        def close(until):
            nonlocal position
            while opened and opened[-1][1].end <= until:
                number, place, start = opened.pop()
                put(self.text[position:place.end])
                position = place.end
                put(place.after.replace("#", str(number)))
                spans[number] = (start, length)

        for number, place in self.mutants:
            close(place.start)
            put(self.text[position:place.start])
            position = place.start
            opened.append((number, place, length))
            put(place.before.replace("__mutant(#)", f"__mutant({number})"))
        close(len(self.text))
        put(self.text[position:])
        return "".join(output), spans


def separable(chosen):
    """Leaves out what overlaps another without lying inside of it."""
    kept = []
    for place in chosen:
        if all(place.file != other.file or place.end <= other.start or other.end <= place.start or
               place.start >= other.start and place.end <= other.end or
               other.start >= place.start and other.end <= place.end for other in kept):
            kept.append(place)
    return kept


def build(words):
    return subprocess.run(["swift", "build", *WORDS, *words], cwd=COPY, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def word_of(place):
    """What tells a place that did not compile in the next build from all others, as long as its file is the same."""
    content = hashlib.sha256(read(os.path.join(ROOT, place.file)).encode()).hexdigest()
    return f"{content} {place.start} {place.end} {place.what}"


def compile_all(target, chosen):
    """Builds with all that compile; returns these by number."""
    refused_path = os.path.join(COPY, ".build", "refused")
    refused_before = set(read(refused_path).split("\n")) if os.path.exists(refused_path) else set()
    mutants = {number: place for number, place in enumerate(chosen) if word_of(place) not in refused_before}
    helper = os.path.join(COPY, "Sources", target, "MutantSwitch.swift")
    write(helper, HELPER.format(switch=SWITCH, reached=REACHED, count=max(len(chosen), 1)))
    tests = ["--product", "portwhyPackageTests"] if target in OPTIMISED else ["--build-tests"]
    for words in (["--target", target], tests):
        while True:
            texts = {}
            for file in swift_files(target):
                text, spans = Tree(read(os.path.join(ROOT, file)),
                                   [(number, place) for number, place in mutants.items() if place.file == file]).render()
                texts[file] = (text, spans)
                write(os.path.join(COPY, file), text)
            result = build(words)
            if result.returncode == 0:
                break
            refused = refused_ones(result.stdout, texts, mutants)
            if not refused:
                sys.stdout.write(result.stdout[-8000:])
                raise SystemExit("mutants: the copy does not build, and no mutant is why")
            with open(refused_path, "a", encoding="utf-8") as file:
                file.writelines(word_of(mutants.pop(number)) + "\n" for number in refused)
    return mutants


def refused_ones(log, texts, mutants):
    refused = set()
    for path, line, column, message in re.findall(r"^(\S+\.swift):(\d+):(\d+): error: (.*)$", log, re.MULTILINE):
        file = os.path.relpath(os.path.realpath(path), os.path.realpath(COPY))
        if file not in texts:
            continue
        text, spans = texts[file]
        lines = text.split("\n")
        start = sum(len(one) + 1 for one in lines[:int(line) - 1])
        place = start + len(lines[int(line) - 1].encode()[:int(column) - 1].decode(errors="replace"))
        end = start + len(lines[int(line) - 1])
        around = [number for number, span in spans.items() if span[0] <= place < span[1]]
        on_line = [number for number, span in spans.items() if span[0] <= end and span[1] >= start]
        # Another name may be of another type, which the compiler may say of the whole expression.
        renamed = [number for number in on_line if " becomes ." in mutants[number].what]
        if "reasonable time" not in message and (set(renamed) & set(around) or around and not renamed):
            # The innermost is the likeliest; the next build says whether it was.
            refused.add(min(set(renamed) & set(around) or around, key=lambda number: spans[number][1] - spans[number][0]))
        elif renamed:
            refused.update(renamed)
        elif around or on_line:
            refused.update(around + on_line)
        elif spans:
            refused.add(min(spans, key=lambda number: abs(spans[number][0] - place)))
    return refused


def taken(eligible, number, seed):
    """At random, each by its own words: another place that comes or goes changes no other's lot."""
    seen, lots = collections.Counter(), []
    for place in eligible:
        words = f"{seed}\n{place.file}\n{place.what}\n{place.text}"
        seen[words] += 1
        lots.append((hashlib.sha256(f"{words}\n{seen[words]}".encode()).hexdigest(), place))
    return [place for _, place in sorted(lots, key=lambda lot: lot[0])[:number]]


# A pid namespace of its own: a broken suggestion that a test carries out (`kill -- -1`) ends nobody else. The shell is its
# process 1, which the tests must not be: nobody is told to end that one.
ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]


def unignore():
    """What a shell starts in the background ignores some signals, and so would the holders of ports in the tests."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def processor_time(session):
    """Seconds that the processes of a session and their children that ended have used."""
    ticks = 0
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if words and int(words[3]) == session:
            ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Tests:
    def __init__(self):
        folder = build(["--show-bin-path"]).stdout.strip().split("\n")[-1]
        self.bundle = os.path.join(folder, "portwhyPackageTests.xctest")

    def suites(self, group):
        """The suites of a group, and its tests that stand alone."""
        listed = subprocess.run([self.bundle, "--testing-library", "swift-testing", "--list-tests"], cwd=COPY, check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split("\n")
        names = {re.match(r"[^/(]*", line).group() for line in listed if re.match(rf"({group})\.", line)}
        return sorted(name for name in names if not re.search(rf"\.({SKIPPED})$", name))

    def run(self, suites, mutant=None, limit=None, reached=None):
        """Whether these suites pass, up to the first issue, and the processor time that takes; None if they hang."""
        environment = dict(os.environ, NO_COLOR="1")
        environment.pop(SWITCH, None)
        if mutant is not None:
            environment[SWITCH] = str(mutant)
        if reached:
            environment[REACHED] = reached
        words = ["--testing-library", "swift-testing", "--filter", f"^({'|'.join(map(re.escape, suites))})[/(]",
                 "--skip", SKIPPED]
        process = subprocess.Popen([*ALONE, self.bundle, *words], cwd=COPY, env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=unignore)
        ended, hangs, used = threading.Event(), threading.Event(), [0.0]

        def stop():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        def watch():
            progress = time.monotonic()
            while not ended.wait(0.5):
                now = processor_time(process.pid)
                if now > used[0]:
                    used[0], progress = now, time.monotonic()
                if limit and now > limit or time.monotonic() - progress > IDLE:
                    hangs.set()
                    stop()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        output = []
        for line in process.stdout:
            output.append(line)
            # One issue is enough; without a mutant all of them are of interest.
            if mutant is not None and FAILURE.search(line):
                stop()
                break
        process.stdout.close()
        process.wait()
        ended.set()
        watcher.join()
        if hangs.is_set():
            return None, used[0]
        said = b"".join(output)
        passed = process.returncode == 0 and re.search(rb"Test run with [1-9]\d* tests?.* passed", said)
        if mutant is None and not passed:
            issues = re.findall(r"^.* recorded an issue .*\n(?:.*\n)?|^.*Fatal error.*\n", said.decode(errors="replace"), re.MULTILINE)
            sys.stdout.write("".join(issues[:20]) or said.decode(errors="replace")[-8000:])
        return bool(passed), used[0]


def fates_of(target, chosen, groups):
    """What becomes of each that compiles; None where the tests fail without any."""
    mutants = compile_all(target, chosen)
    print(f"mutants: {len(mutants)} of {len(chosen)} compile", flush=True)
    tests = Tests()
    # For each group its suites, quick ones first: name, seconds, the places that it reaches.
    suites = []
    for group in groups:
        suites.append([])
        for name in tests.suites(group):
            path = os.path.join(COPY, ".build", "reached")
            with open(path, "wb") as file:
                file.write(bytes(max(len(chosen), 1)))
            passed, seconds = tests.run([name], reached=path)
            if not passed:
                print(f"mutants: {name}: once more", flush=True)
                passed, seconds = tests.run([name], reached=path)
            if not passed:
                print(f"mutants: the tests {name} fail without any mutant")
                return None
            with open(path, "rb") as file:
                suites[-1].append((seconds, name, file.read()))
        suites[-1].sort()
        print(f"mutants: {group}: {sum(one[0] for one in suites[-1]):.0f} s of processor time without any", flush=True)

    def fate(number):
        reached = False
        for group, candidates in zip(groups, suites):
            batch, seconds = [], 0
            able = [one for one in candidates if one[2][number]]
            for position, (needed, name, _) in enumerate(able):
                reached = True
                batch.append(name)
                seconds += needed
                if position + 1 < len(able) and seconds + able[position + 1][0] < AT_ONCE:
                    continue
                passed, _ = tests.run(batch, mutant=number, limit=120 + LIMIT * seconds)
                if not passed:
                    return "hangs" if passed is None else f"dead by {group}"
                batch, seconds = [], 0
        place = mutants[number]
        note = "" if reached else ", which no test reaches"
        print(f"survives: {place.file}:{place.line}: {place.what}{note}\n    in: {place.text}", flush=True)
        return "alive" if reached else "not reached"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(mutants, pool.map(fate, mutants)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minimum", type=float, default=None)
    parser.add_argument("--all", action="store_true", help="take every place")
    parser.add_argument("--list", action="store_true", help="print every place and stop")
    options = parser.parse_args()
    target = options.target
    minimum = options.minimum if options.minimum is not None else MINIMUM.get(target, 0)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)

    names = places.siblings([read(os.path.join(ROOT, file)) for module in seen_from(target) for file in swift_files(module)])
    eligible, known = [], equivalent_ones()
    unused = set(known)
    for file in swift_files(target):
        for place in places.Source(file, read(os.path.join(ROOT, file))).find(names):
            key = (file.removeprefix("Sources/"), place.what, place.text)
            unused.discard(key)
            if key not in known:
                eligible.append(place)
    if not eligible:
        raise SystemExit(f"mutants: no places in Sources/{target}")
    stale = sorted(key for key in unused if key[0].startswith(target + "/"))
    for file, what, _ in stale:
        print(f"mutants: equivalent.txt has a place that is gone: {file}: {what}")
    if options.list:
        for place in eligible:
            print(f"{place.file}:{place.line}: {place.what}")
        return 0

    groups = TESTS.get(target, [f"{target}Tests"])
    if target in OPTIMISED:
        WORDS.extend(["-Xswiftc", "-O"])
    os.makedirs(COPY, exist_ok=True)
    copy_tree(groups)
    for folder, _, files in os.walk(os.path.join(COPY, "Sources")):
        for name in files:
            if name == "MutantSwitch.swift" and os.path.basename(folder) != target:
                os.remove(os.path.join(folder, name))
    rest = taken(eligible, len(eligible) if options.all else options.number, seed)
    print(f"mutants: {target}: {len(eligible)} places, {len(known) - len(unused)} more are equivalent; "
          f"{len(rest)} taken, seed {seed}", flush=True)
    count = collections.Counter()
    while rest:
        chosen = separable(rest[:CHUNK] if options.all else rest)
        rest = [place for place in rest if place not in set(chosen)] if options.all else []
        fates = fates_of(target, chosen, groups)
        if fates is None:
            return 70
        count.update(fates.values())
    if not count:
        raise SystemExit("mutants: none compiles")
    dead = sum(count.values()) - count["alive"] - count["not reached"]
    percent = 100 * dead / sum(count.values())
    for group in groups[1:]:
        print(f"mutants: {count[f'dead by {group}']} of them by {group} alone")
    print(f"mutants: {target}: {dead} of {sum(count.values())} dead ({count['hangs']} hang), {percent:.1f} %, seed {seed}")
    if percent < minimum:
        print(f"mutants: fewer than {minimum:g} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
