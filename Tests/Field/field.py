"""Situations as people meet them, made with the real servers in namespaces of their own: what a case is made of.

A case is a function with `@case(...)`. It gets a `Place`: a network, mount, pid and control group namespace and a
folder that exist for it alone. It starts servers there, asks portwhy, and says what a right answer has. The answer is
held against the kernel (`agrees`) and against what happens when the first advice is carried out word for word
(`first_works`).
"""

import errno
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

NOBODY = 65534
STRANGER = 4242
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postfix/sbin:/usr/lib/systemd"
CASES = {}


class Skipped(Exception):
    """The case cannot run here; the text says why."""


class Case:
    """A situation, and who reported it in public."""

    def __init__(self, function, title, reports, needs, short):
        self.name, self.function, self.title = function.__name__.replace("_", "-"), function, title
        self.reports, self.needs, self.short = reports, needs, short


def case(title, *reports, needs="", short=False):
    """Registers a case.

    `needs`: the Debian packages beside python3; `short`: it is quick, and needs python, nginx and ssh alone.
    """

    def register(function):
        entry = Case(function, title, reports, needs.split(), short)
        CASES[entry.name] = entry
        return function

    return register


class Place:
    """Where a case happens."""

    def __init__(self, portwhy, folder):
        self.portwhy, self.folder = portwhy, folder
        self.passed, self.failed, self.started = [], [], []
        # Stands before what is run; where a case has a systemd of its own, that leads into its pid namespace.
        self.inside = []
        os.chdir(folder)
        os.environ.update(PATH=PATH, LC_ALL="C.UTF-8", HOME="/root", COLUMNS="80")
        for name in ("NO_COLOR", "SUDO_UID", "SUDO_GID", "SUDO_USER", "container", "NOTIFY_SOCKET"):
            os.environ.pop(name, None)
        self.sh("mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up")
        self.sysctl("net.ipv4.ip_local_port_range", "32768 60999")

    # Surroundings

    def sh(self, line, quiet=True, check=True):
        """Runs a line of shell and returns what it printed."""
        ended = subprocess.run(
            [*self.inside, "bash", "-c", line], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if check and ended.returncode:
            raise Skipped(f"`{line.strip().splitlines()[0]}` failed here: {ended.stderr.strip()[-200:]}")
        if not quiet:
            print(ended.stdout + ended.stderr, end="")
        return ended.stdout.strip()

    def sysctl(self, name, value):
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(value)

    def write(self, name, text, mode=0o644):
        """Writes a file, of the case's folder where the name is relative, and returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def interface(self, *addresses):
        """A device with these addresses."""
        self.sh(
            "ip link add field0 type dummy || ip link add field0 type veth peer name field1 && ip link set field1 up"
        )
        self.sh("ip link set field0 up")
        for address in addresses:
            self.sh(f"ip address add {address} dev field0 {'nodad' if ':' in address else ''}")

    def booted_by_systemd(self):
        """What a host has that systemd booted."""
        os.makedirs("/run/systemd/system", exist_ok=True)

    def group(self, path, pid=None):
        """Puts a process into a control group with a name as systemd gives it."""
        point = "/run/field-groups"
        if not os.path.isdir(point):
            os.makedirs(point)
            self.sh(f"mount -t cgroup2 cgroup2 {point}")
            self.sh("umount -R /sys/fs/cgroup; mount --bind /run/field-groups /sys/fs/cgroup", check=False)
        os.makedirs(point + path, exist_ok=True)
        if pid is not None:
            with open(f"{point}{path}/cgroup.procs", "w") as file:
                file.write(str(pid))

    def systemd(self, units):
        """The real systemd with these units, as process 1 of a pid namespace; what follows is run in there."""
        self.booted_by_systemd()
        for name, text in units.items():
            self.write(f"/run/systemd/system/{name}", "[Unit]\nDefaultDependencies=no\n" + text)
        self.write("/run/systemd/system/field.target", "[Unit]\nDefaultDependencies=no\n")
        manager = self.start(
            [
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--mount-proc",
                "--cgroup",
                "sh",
                "-c",
                "mount --make-rprivate /; umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup;"
                " exec /lib/systemd/systemd --system --unit=field.target --log-target=console",
            ],
            env={"container": "field"},
            group="/systemd",
        )
        pid = self.wait("process 1", lambda: open(f"/proc/{manager.pid}/task/{manager.pid}/children").read().split())[0]
        self.inside = ["nsenter", "-t", pid, "-m", "-p", "-C", "--"]
        self.wait(
            "systemd", lambda: "field.target" in self.sh("systemctl list-units --no-legend field.target", check=False)
        )

    # Servers

    def start(self, command, uid=0, group=None, cwd=None, env=None, leader=True):
        """Starts a server in the background, as a login shell would: in a process group of its own."""
        words = shlex.split(command) if isinstance(command, str) else command
        log = open(os.path.join(self.folder, f"log.{len(self.started)}"), "wb")
        os.chmod(log.name, 0o666)
        if group:
            self.group(group)

        def prepare():
            if group:
                with open(f"/run/field-groups{group}/cgroup.procs", "w") as file:
                    file.write("0")
            if uid:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)

        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd or self.folder,
            env={**os.environ, **(env or {})},
            preexec_fn=prepare,
            process_group=0 if leader else None,
        )
        process.log = log.name
        self.started.append(process)
        return process

    def python(self, script, uid=0, **more):
        """Starts a Python program; `bound` and `listener` are at hand."""
        prelude = (
            "import os, signal, socket, subprocess, sys, time\n"
            "def bound(port, address='127.0.0.1', kind=socket.SOCK_STREAM, options=()):\n"
            "    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)\n"
            "    for option in options: s.setsockopt(*option, 1)\n"
            "    s.bind((address, port))\n"
            "    return s\n"
            "def listener(*words, **more):\n"
            "    s = bound(*words, **more); s.listen(); return s\n"
            "def ready(): open('not-yet', 'w').close(); os.rename('not-yet', 'ready')\n"
        )
        return self.start(["/usr/bin/python3", "-c", prelude + script], uid=uid, **more)

    def wait(self, what, condition, seconds=15):
        for _ in range(seconds * 20):
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        tails = [open(p.log, errors="replace").read()[-300:] for p in self.started[-2:]]
        raise Skipped(f"{what} did not happen; the last servers said: {' | '.join(tails)}")

    def up(self, port, transport="tcp"):
        """Waits until something has the port."""
        option = "-Htln" if transport == "tcp" else "-Huln"
        self.wait(f"something on {port}/{transport}", lambda: self.sh(f"ss {option} 'sport = :{port}'"))

    def ready(self):
        self.wait("ready", lambda: os.path.exists("ready"))
        os.unlink("ready")

    # Questions and what is wanted of the answers

    def ask(self, *words, uid=0):
        """portwhy, on 80 columns, as root or somebody else."""
        return Answer(self, list(words), uid)

    def hold(self, promise, what, wanted=""):
        (self.passed if promise else self.failed).append(what)
        print(("ok    " if promise else "FAIL  ") + what + ("" if promise or not wanted else f": {wanted}"))
        return promise

    def lives(self, *processes):
        for process in processes:
            pid = getattr(process, "pid", process)
            self.hold(is_alive(pid), f"pid {pid} ({command(pid)}) lives on", "the advice ended a bystander")


def as_user(uid, words):
    return words if not uid else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *words]


def is_alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def command(pid):
    try:
        return open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        return "gone"


class Answer:
    """What portwhy said to one question."""

    def __init__(self, place, words, uid):
        self.place, self.words, self.uid = place, words, uid
        ended = self.run(words)
        self.text, self.exit = ended.stdout + ended.stderr, ended.returncode
        who = f"    # uid {uid}" if uid else ""
        print(f"\n$ portwhy {shlex.join(words)}{who}\n{self.text}[exit {self.exit}]")
        self._report = None

    def run(self, words):
        return subprocess.run(
            self.place.inside + as_user(self.uid, [self.place.portwhy, *words]),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    @property
    def report(self):
        if self._report is None:
            self._report = json.loads(self.run(["--json", *self.words]).stdout or '{"targets":[]}')
        return self._report

    @property
    def attempts(self):
        return [attempt for target in self.report["targets"] for attempt in target["attempts"]]

    @property
    def suggestions(self):
        return [suggestion for attempt in self.attempts for suggestion in attempt["suggestions"]]

    @property
    def joined(self):
        """The screen with its wrapped lines put together."""
        lines = []
        for line in self.text.splitlines():
            if line[:1] in " \t" and line.strip() and lines and not line.startswith("  STATE"):
                lines[-1] += " " + line.strip()
            else:
                lines.append(line)
        return "\n".join(lines)

    def sentences(self):
        words = []
        for attempt in self.attempts:
            words += attempt.get("why") or []
            words += [note["text"] for note in attempt["notes"]]
            for suggestion in attempt["suggestions"]:
                words += [suggestion["text"], suggestion["condition"] or "", suggestion["command"] or ""]
        for target in self.report["targets"]:
            words += [note["text"] for note in target.get("notes") or []]
        return "\n".join(words)

    # What is wanted

    def status(self, wanted):
        self.place.hold(self.exit == wanted, f"exit status {wanted}", f"got {self.exit}")
        return self

    def cause(self, wanted):
        causes = [attempt["cause"] for attempt in self.attempts if attempt["cause"]]
        self.place.hold(wanted in causes[:1], f"the cause is {wanted}", f"got {causes}")
        return self

    def held_by(self, *processes):
        wanted = {getattr(process, "pid", process) for process in processes}
        got = {
            holder["pid"]
            for target in self.report["targets"]
            for held in target["sockets"]
            for holder in held["processes"]
        }
        self.place.hold(wanted <= got, f"held by {sorted(wanted)}", f"got {sorted(got)}")
        return self

    def says(self, pattern, why=""):
        found = re.search(pattern, self.text) or re.search(pattern, self.joined)
        self.place.hold(bool(found), f"says /{pattern}/", why or "a line like it")
        return self

    def says_not(self, pattern, why=""):
        found = re.search(pattern, self.joined) or re.search(pattern, self.sentences())
        self.place.hold(not found, f"says not /{pattern}/", why or (found and f"got {found.group(0)}"))
        return self

    def before(self, first, second):
        a, b = re.search(first, self.joined), re.search(second, self.joined)
        self.place.hold(bool(a) and (not b or a.start() < b.start()), f"/{first}/ before /{second}/")
        return self

    def lines(self, most):
        n = len(self.text.splitlines())
        wide = max((len(line) for line in self.text.splitlines()), default=0)
        self.place.hold(n <= most and wide <= 80, f"at most {most} lines of 80 columns", f"{n} lines, {wide} columns")
        things = len(re.findall(r"^(do|or|and) ", self.text, re.M))
        self.place.hold(things <= 4, "at most four things to do", f"got {things}")
        return self

    def offers_no_port(self, ports, why=""):
        own = {target["port"] for target in self.report["targets"]}
        offered = {int(n) for n in re.findall(r"\b(?:port|use) (\d{1,5})\b", self.joined + self.sentences())} - own
        bad = sorted(offered & set(ports))
        self.place.hold(not bad, f"offers no port of {min(ports)}-{max(ports)}", f"{why} {bad}")
        return self

    def agrees(self):
        """A real bind and listen by who asked ends as the report says."""
        for target in self.report["targets"]:
            plan = target["plan"]
            for attempt in target["attempts"]:
                outcome = planned(attempt, plan)
                said = outcome["listen"] if outcome["bind"] == "ok" and outcome["listen"] else outcome["bind"]
                real = bind(target["protocol"], attempt, target["port"], plan, self.uid)
                what = f"{attempt['address']} {target['port']}/{target['protocol']}: {real}, said {said}"
                self.place.hold(said in (real, "undetermined"), f"a real bind of {what}")
        return self

    # Advice, carried out

    def first(self, kind=None, n=0):
        """The first suggestion of the first address that fails; of this kind where one is named."""
        for attempt in self.attempts:
            all = [s for s in attempt["suggestions"] if kind is None or s["kind"] == kind]
            if len(all) > n:
                return all[n], attempt
        return None, None

    def first_is(self, kind):
        suggestion, _ = self.first()
        self.place.hold(
            suggestion and suggestion["kind"] == kind,
            f"the first advice is {kind}",
            f"got {suggestion and suggestion['kind']}: {suggestion and suggestion['text']}",
        )
        return self

    def first_works(self, kind=None, within=10, spares=(), as_root=True):
        """The first advice, done word for word, makes the planned bind work, and nobody else ends."""
        suggestion, attempt = self.first(kind)
        if suggestion is None:
            self.place.hold(False, f"there is advice{f' of kind {kind}' if kind else ''}")
            return self
        target = next(t for t in self.report["targets"] if attempt in t["attempts"])
        plan, port, transport = dict(target["plan"]), target["port"], target["protocol"]
        text = suggestion["command"] or suggestion["text"]
        if suggestion["argv"]:
            words = list(suggestion["argv"])
            if words[0] == "portwhy":
                words[0] = self.place.portwhy
            if words[0] == "sudo":
                words = words[1:]
            ran = subprocess.run(
                self.place.inside + as_user(0 if as_root else self.uid, words),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=90,
            )
            self.place.hold(
                ran.returncode == 0, f"`{text}` runs", f"{ran.returncode}: {(ran.stderr or ran.stdout)[-200:]}"
            )
            if suggestion["kind"] == "other-port" and ran.stdout.split():
                port = int(re.match(r"\d+", ran.stdout.split()[0]).group(0))
        elif suggestion["kind"] == "set-option":
            plan[
                {"SO_REUSEADDR": "reuseaddr", "SO_REUSEPORT": "reuseport", "IPV6_V6ONLY": "v6only"}.get(
                    suggestion["option"], "none"
                )
            ] = True
            if suggestion["option"] == "IPV6_V6ONLY":
                attempt = {**attempt, "v6only": True}
        elif suggestion["kind"] == "other-port":
            port = int(re.search(r"port (\d+)", suggestion["text"]).group(1))
        elif suggestion["kind"] == "other-address":
            attempt = {**attempt, "address": re.search(r"bind \[?([0-9a-f.:]+?)\]?:\d+ ", suggestion["text"]).group(1)}
        elif suggestion["kind"] not in ("wait",):
            self.place.hold(False, f"`{text}` can be carried out", "it has no command")
            return self
        real = ""
        for _ in range(within * 10):
            real = bind(transport, attempt, port, plan, self.uid)
            if real == "ok":
                break
            time.sleep(0.1)
        # What starts again what has ended does so within a second or two.
        if real == "ok" and suggestion["kind"] == "stop-holder":
            time.sleep(1.5)
            real = bind(transport, attempt, port, plan, self.uid)
        self.place.hold(real == "ok", f"after `{text}` the bind works", f"got {real}")
        self.place.lives(*spares)
        return self


def planned(attempt, plan):
    return next(
        o for o in attempt["outcomes"] if (o["reuseaddr"], o["reuseport"]) == (plan["reuseaddr"], plan["reuseport"])
    )


BIND = """
import errno, json, socket, sys
a = json.loads(sys.argv[1])
s = socket.socket(socket.AF_INET6 if a["family"] == "ipv6" else socket.AF_INET,
                  socket.SOCK_STREAM if a["protocol"] == "tcp" else socket.SOCK_DGRAM)
try:
    if a["family"] == "ipv6" and a["v6only"] is not None: s.setsockopt(41, socket.IPV6_V6ONLY, a["v6only"])
    if a["reuseaddr"]: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if a["reuseport"]: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((a["address"], a["port"], 0, a["scope"] or 0) if a["family"] == "ipv6" else (a["address"], a["port"]))
    if a["protocol"] == "tcp": s.listen()
    print("ok")
except OSError as e: print(errno.errorcode[e.errno])
"""


def bind(protocol, attempt, port, plan, uid):
    """What the kernel says to the planned bind and listen."""
    what = {
        "protocol": protocol,
        "port": port,
        "reuseaddr": plan["reuseaddr"],
        "reuseport": plan["reuseport"],
        "scope": attempt.get("scope_index"),
        **{key: attempt[key] for key in ("address", "family", "v6only")},
    }
    ended = subprocess.run(
        as_user(uid, ["/usr/bin/python3", "-c", BIND, json.dumps(what)]), capture_output=True, text=True
    )
    return ended.stdout.strip() or ended.stderr.strip()[-200:]
