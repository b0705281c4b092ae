"""What is asked for: who asks, which address, which protocol, what was pasted."""

import os

from field import NOBODY, case

LANDLOCK = """
import ctypes, os, socket, sys
C = ctypes.CDLL(None, use_errno=True)
class Rules(ctypes.Structure): _fields_ = [('fs', ctypes.c_uint64), ('net', ctypes.c_uint64)]
# landlock_create_ruleset(2) for binds alone, no new privileges, landlock_restrict_self(2)
rules = C.syscall(444, ctypes.byref(Rules(0, 1)), 16, 0)
if rules < 0 or C.prctl(38, 1, 0, 0, 0) or C.syscall(446, rules, 0): sys.exit(99)
os.execv(sys.argv[1], sys.argv[1:])
"""


@case(
    "a port below 1024, for who may not bind it",
    "https://github.com/bastienwirtz/homer/issues/931",
    "https://github.com/farmOS/farmOS/issues/1043",
    short=True,
)
def privileged(at):
    at.ask("80", uid=NOBODY).status(1).cause("privileged-port").says("EACCES").agrees()
    for words in (
        ("-q", "80"),
        ("-q", "80/udp"),
        ("-q", "--wait", "--timeout", "1", "80"),
        ("--uid", "65534", "80"),
        ("--runtime", "nginx", "80"),
        ("--runtime", "node", "443"),
    ):
        at.ask(*words, uid=NOBODY).status(1)
    at.ask("--uid", "33", "80").status(1).says("CAP_NET_BIND_SERVICE").says("ip_unprivileged_port_start")
    os.environ["SUDO_UID"] = "65534"
    at.ask("80").says("EACCES|CAP_NET_BIND_SERVICE|permission")
    del os.environ["SUDO_UID"]
    at.ask("80").status(0).agrees()
    at.ask("80", uid=NOBODY).first_works("unprivileged-port-start")
    at.ask("80", uid=NOBODY).status(0).agrees()
    at.ask("8080", uid=NOBODY).status(0).agrees()


@case("a security module refuses a bind", "https://github.com/caddyserver/caddy/issues/7264", short=True)
def security_module(at):
    at.write("landlock.py", LANDLOCK)
    at.inside = ["/usr/bin/python3", f"{at.folder}/landlock.py"]
    if at.sh("true; echo $?", check=False) == "0":
        at.inside = ["/usr/bin/python3", f"{at.folder}/landlock.py", "/usr/bin/env"]
        at.ask("--probe", "8443").says("[Ll]andlock|security module")
    at.inside = []
    at.sh(
        "mkdir -p fs/selinux lsm; for d in /sys/fs/*/; do d=$(basename $d); [ $d = selinux ] || { mkdir -p fs/$d;"
        " mount --rbind /sys/fs/$d fs/$d; }; done;"
        " printf 1 >fs/selinux/enforce; printf lockdown,capability,selinux >lsm/lsm;"
        " mount --rbind fs /sys/fs && mount --bind lsm /sys/kernel/security"
    )
    at.ask("8443").says("SELinux").says("semanage|ausearch")


@case(
    "an address that the host does not have now",
    "https://github.com/acassen/keepalived/issues/2485",
    "https://github.com/etcd-io/etcd/issues/11839",
    short=True,
)
def address_of_another(at):
    at.interface("10.9.8.7/24")
    for runtime, own in (
        ("haproxy", r"\btransparent\b"),
        ("systemd", "FreeBind="),
        ("unbound", "ip-freebind"),
        ("nginx", r"net\.ipv4\.ip_nonlocal_bind"),
        ("postgres", r"net\.ipv4\.ip_nonlocal_bind"),
    ):
        answer = at.ask("--runtime", runtime, "10.9.8.100:5000").status(1).cause("address-not-local").says(own).agrees()
        if runtime in ("nginx", "postgres"):
            answer.says_not("set IP_FREEBIND")
        at.hold("no option helps" not in answer.joined or "set IP_" not in answer.joined, "headline and advice agree")
    at.ask("--runtime", "go", "203.0.113.7:2380").status(1).says(r"ip addr|10\.9\.8\.7")
    at.ask("--runtime", "nginx", "10.9.8.100:5000").first_works("nonlocal-bind")


@case(
    "IPv6 is switched off by sysctl",
    "https://github.com/sharevb/it-tools/issues/98",
    "https://github.com/caronc/apprise-api/issues/211",
    short=True,
)
def without_ipv6(at):
    at.sysctl("net.ipv6.conf.all.disable_ipv6", "1")
    off = r"disable_ipv6|IPv6 is (switched )?(off|disabled)"
    at.ask("[::1]:8080").status(1).says("EADDRNOTAVAIL").says(off).says(r"127\.0\.0\.1|IPv4").says_not(
        "IP_FREEBIND"
    ).agrees()
    at.ask("localhost:8080").status(1).says(off).says_not("IP_FREEBIND").agrees()
    at.ask("--runtime", "nginx", "8080").status(0).agrees()


@case("the plain question, one listener", short=True)
def plain_question(at):
    server = at.start("python3 -m http.server 38100 --bind 127.0.0.1")
    at.up(38100)
    for target in ("38100", "0.0.0.0:38100", "127.0.0.1:38100"):
        at.ask(target).status(1).held_by(server).says(rf"kill {server.pid}\b").says_not("not planned").lines(
            18
        ).agrees()


@case("listeners on 127.0.0.1 and ::1", short=True)
def both_loopbacks(at):
    server = at.python(
        "a = listener(4369); b = listener(4369, '::1', options=[(41, socket.IPV6_V6ONLY)]); ready(); time.sleep(90)"
    )
    at.ready()
    for uid in (0, NOBODY):
        at.ask("4369", uid=uid).status(1).says_not("IPv6 address of the host, 127").agrees()
    at.ask("localhost:4369").first_is("stop-holder").first_works()


@case(
    "HTTP/3: the TCP port is free, the UDP port is not", "https://github.com/caddyserver/caddy/issues/5227", short=True
)
def datagrams_of_a_url(at):
    server = at.python("u = bound(8443, '0.0.0.0', socket.SOCK_DGRAM); ready(); time.sleep(90)")
    at.ready()
    at.ask("--runtime", "go", "8443").status(0).says("UDP")
    answer = at.ask("-tu", "--runtime", "go", "8443").status(1).held_by(server).agrees()
    verdicts = [(t["protocol"], t["verdict"]) for t in answer.report["targets"]]
    at.hold(verdicts == [("tcp", "ok"), ("udp", "fails")], "each protocol by itself", verdicts)
    for target in ("udp://:8443", "udp://0.0.0.0:8443", "quic://0.0.0.0:8443", "8443/udp"):
        answer = at.ask(target).status(1)
        at.hold({t["protocol"] for t in answer.report["targets"]} == {"udp"}, f"{target} means UDP")
    for target in ("tcp://0.0.0.0:8443", "http://127.0.0.1:8443/x", "8443"):
        answer = at.ask(target).status(0)
        at.hold({t["protocol"] for t in answer.report["targets"]} == {"tcp"}, f"{target} means TCP")


TAKEN = [  # what is pasted, protocol, port, addresses (None: any), exit status
    (":8080", "tcp", 8080, "0.0.0.0 ::", 1),
    ("localhost:8080", "tcp", 8080, "127.0.0.1 ::1", 1),
    ("8080/TCP", "tcp", 8080, None, 1),
    ("*:8080", "tcp", 8080, "0.0.0.0 ::", 1),
    ("[::]:8080", "tcp", 8080, "::", 1),
    ("ws://0.0.0.0:8080", "tcp", 8080, "0.0.0.0", 1),
    (":::8080", "tcp", 8080, "::", 1),
    ("::1:8080", "tcp", 8080, "::1", 1),
    ("tcp:8080", "tcp", 8080, None, 1),
    ("udp:53", "udp", 53, None, 0),
    ("tcp/8080", "tcp", 8080, None, 1),
    ("8080/tcp6", "tcp", 8080, None, 1),
    ("5353/udp6", "udp", 5353, None, 1),
    ("0.0.0.0:8080->80/tcp", "tcp", 8080, "0.0.0.0", 1),
    (":::8080->80/tcp", "tcp", 8080, "::", 1),
    ("0.0.0.0:5353->53/udp", "udp", 5353, "0.0.0.0", 1),
    ('LISTEN 0  511  0.0.0.0:8080  0.0.0.0:*  users:(("web",pid=8,fd=6))', "tcp", 8080, "0.0.0.0", 1),
    ('LISTEN 0  511  [::1]:8080  [::]:*  users:(("web",pid=8,fd=6))', "tcp", 8080, "::1", 1),
    ("web  8  root  6u  IPv4  31  0t0  TCP 127.0.0.1:8080 (LISTEN)", "tcp", 8080, "127.0.0.1", 1),
    ("listen tcp 0.0.0.0:8080: bind: address already in use", "tcp", 8080, "0.0.0.0", 1),
    ("listen udp 0.0.0.0:5353: bind: address already in use", "udp", 5353, "0.0.0.0", 1),
    ("Error: listen EADDRINUSE: address already in use :::3000", "tcp", 3000, "::", 0),
    (
        "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use",
        "tcp",
        8000,
        "127.0.0.1",
        0,
    ),
    ("nginx: [emerg] bind() to [::]:8080 failed (98: Address already in use)", "tcp", 8080, "::", 1),
    ("Bind for 0.0.0.0:8080 failed: port is already allocated.", "tcp", 8080, "0.0.0.0", 1),
]


@case("what people have in the clipboard", short=True)
def pasted(at):
    at.python("a = listener(8080, '::'); b = bound(5353, '::', socket.SOCK_DGRAM); ready(); time.sleep(90)")
    at.ready()
    at.sysctl("net.ipv4.ip_unprivileged_port_start", "0")
    for text, protocol, port, addresses, status in TAKEN:
        answer = at.ask(text).status(status)
        got = {(t["protocol"], t["port"]) for t in answer.report["targets"]}
        at.hold(got == {(protocol, port)}, f"{text} is {port}/{protocol}", got)
        found = " ".join(sorted(a["address"] for a in answer.attempts))
        at.hold(addresses in (None, found), f"its addresses are {addresses}", found)
    for text in ("8080:80", "127.0.0.1:8080:80", "listen tcp :8080: in use, listen tcp :9090: in use"):
        answer = at.ask(text).status(64)
        line = answer.text.replace(text, "")
        at.hold(answer.text.count("\n") == 1 and "8080" in line, "one line says what to type", answer.text)
    at.ask("10.0.0.0/24:8080").status(64).says_not("unknown protocol")


@case(
    "the wildcard beside a mail server on loopback, on a host with a container bridge that no container uses",
    "https://github.com/mailcow/mailcow-dockerized/issues/63",
    short=True,
)
def address_that_is_reached(at):
    # The bridge has no carrier, and the smaller address.
    at.sh("ip link add cni0 type bridge && ip address add 10.88.0.1/16 dev cni0 && ip link set cni0 up")
    at.interface("10.99.0.5/24")
    at.sh("ip route add default dev field0")
    server = at.python("a = listener(8025, '127.0.0.1'); ready(); time.sleep(90)")
    at.ready()
    answer = at.ask("0.0.0.0:8025").status(1).held_by(server).says("bind 10.99.0.5:8025").says_not("10.88.0.1")
    answer.agrees().first_works()


@case(
    "a server that takes both families, beside one that has IPv4: to leave all IPv4 clients to that is no first advice",
    "https://github.com/nodejs/help/issues/1860",
    short=True,
)
def both_families(at):
    server = at.python("a = listener(8026, '0.0.0.0'); ready(); time.sleep(90)")
    at.ready()
    at.ask("--runtime", "node", "8026").status(1).held_by(server).first_is("stop-holder").agrees().first_works()
