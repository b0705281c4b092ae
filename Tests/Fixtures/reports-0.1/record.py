#!/usr/bin/env python3
"""Records what a portwhy binary says of real sockets: reports for the tests to read for ever after.

usage: record.py BINARY [NAME…]     writes NAME.json beside this file, and index.txt of all (needs root, iproute2)

Each situation below is made in a network namespace of its own, by servers that run as root or as uid 65534, and is
asked about by root or by that user. index.txt says what each report is and what it must go on saying: verdict, errno,
cause and the four outcomes of each attempt (none, SO_REUSEADDR, SO_REUSEPORT, both; bind/listen). The reports here are
those of version 0.1.0: record others in a folder of their own.
"""
import ctypes
import json
import os
import socket
import subprocess
import sys
import time

USER = 65534
HERE = os.path.dirname(os.path.abspath(__file__))
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]

# What servers are made with -----------------------------------------------------------------------------------------

kept = []


def made(kind, address, port, reuseaddr=False, reuseport=False, v6only=None, device=None, protocol=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind, protocol)
    if reuseaddr:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuseport:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if v6only is not None:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    made.bind(socket.getaddrinfo(address, port, family, kind, 0, socket.AI_NUMERICHOST)[0][4])
    kept.append(made)
    return made


def bound(address, port=8080, **options):
    return made(socket.SOCK_STREAM, address, port, **options)


def listener(address, port=8080, **options):
    made = bound(address, port, **options)
    made.listen(8)
    return made


def udp(address, port=8080, **options):
    return made(socket.SOCK_DGRAM, address, port, **options)


def client(address, port=8080):
    made = socket.create_connection((address, port))
    kept.append(made)
    return made


def connection(server, address="127.0.0.1"):
    """Both ends of a connection to a listener: the server's, then the client's."""
    other = client(address, server.getsockname()[1])
    here, _ = server.accept()
    kept.append(here)
    return here, other


def time_wait(address="127.0.0.1", count=1, **options):
    """Connections that the server closed first, and no listener any more."""
    server = listener(address, **options)
    for _ in range(count):
        here, other = connection(server, address)
        here.close()
        other.recv(1)
        other.close()
    server.close()


def fin_wait1(server):
    """The server ends before the client has read."""
    here, _ = connection(server)
    here.setblocking(False)
    try:
        while True:
            here.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    here.close()
    server.close()


def syn_sent(address, port=8080):
    made = bound("192.0.2.1", port)
    made.setblocking(False)
    made.connect_ex((address, 9))


def serve(code):
    exec(code, globals())
    print("ready", flush=True)
    sys.stdin.read()


# The situations ------------------------------------------------------------------------------------------------------
#
# name, what it is, who asks ("root", "user" or both), the words of the question, servers as (uid, code), and what the
# host has (words of ip(8), or a sysctl with its value).

ROOT, OWN = 0, USER
BOTH = ("root", "user")
PAIR = ["link add d0 type veth peer name d1", "link set d0 up", "link set d1 up", "address add 192.0.2.1/24 dev d0",
         "address add 2001:db8::1/64 dev d0 nodad"]

situations = [
    ("free", "nothing is there", BOTH, "8080", [], []),
    ("free-udp", "nothing is there, for UDP", BOTH, "8080/udp", [], []),
    ("listener-any", "a TCP listener on 0.0.0.0", BOTH, "8080", [(OWN, "listener('0.0.0.0')")], []),
    ("listener-loopback", "a TCP listener on 127.0.0.1", BOTH, "8080", [(OWN, "listener('127.0.0.1')")], []),
    ("listener-loopback-other", "127.0.0.2 is asked for, beside a listener on 127.0.0.1", BOTH, "127.0.0.2:8080",
     [(OWN, "listener('127.0.0.1')")], []),
    ("listener-dual-stack", "a TCP listener on :: that takes IPv4 too", BOTH, "8080",
     [(OWN, "listener('::', v6only=0)")], []),
    ("listener-v6only", "a TCP listener on :: for IPv6 only", BOTH, "8080", [(OWN, "listener('::', v6only=1)")], []),
    ("listener-v6-loopback", "a TCP listener on ::1", BOTH, "8080", [(OWN, "listener('::1')")], []),
    ("listener-mapped", "a TCP listener on ::ffff:127.0.0.1", BOTH, "127.0.0.1:8080",
     [(OWN, "listener('::ffff:127.0.0.1', v6only=0)")], []),
    ("planned-mapped", "::ffff:127.0.0.1 is planned beside a listener on 127.0.0.1", BOTH,
     "[::ffff:127.0.0.1]:8080", [(OWN, "listener('127.0.0.1')")], []),
    ("listener-reuseaddr", "a listener that set SO_REUSEADDR", BOTH, "8080",
     [(OWN, "listener('0.0.0.0', reuseaddr=True)")], []),
    ("listener-reuseport", "a listener of the asking uid that set SO_REUSEPORT", BOTH, "--reuseport --uid 65534 8080",
     [(OWN, "listener('0.0.0.0', reuseport=True)")], []),
    ("listener-reuseport-other-uid", "a listener of root that set SO_REUSEPORT, and another uid asks", BOTH,
     "--reuseport --uid 65534 8080", [(ROOT, "listener('0.0.0.0', reuseport=True)")], []),
    ("listener-both", "a listener that set both options", BOTH, "--reuseaddr --reuseport --uid 65534 8080",
     [(OWN, "listener('0.0.0.0', reuseaddr=True, reuseport=True)")], []),
    ("listener-hidden", "a listener of root", BOTH, "8080", [(ROOT, "listener('0.0.0.0', reuseaddr=True)")], []),
    ("bound-only", "bound and neither listening nor connected", BOTH, "8080", [(OWN, "bound('127.0.0.1')")], []),
    ("bound-only-reuseaddr", "bound with SO_REUSEADDR, and the plan sets it too", BOTH, "--reuseaddr 8080",
     [(OWN, "bound('0.0.0.0', reuseaddr=True)")], []),
    ("bound-only-hidden", "bound by root with SO_REUSEADDR", BOTH, "--reuseaddr 8080",
     [(ROOT, "bound('0.0.0.0', reuseaddr=True)")], []),
    ("listen-only", "two bound with SO_REUSEADDR, one of them listens", BOTH, "--reuseaddr 127.0.0.1:8080",
     [(OWN, "one = bound('127.0.0.1', reuseaddr=True); two = bound('127.0.0.1', reuseaddr=True); one.listen(8)")], []),
    ("time-wait", "a TIME_WAIT of a server that set no option", BOTH, "8080", [(OWN, "time_wait()")], []),
    ("time-wait-reuseaddr", "TIME_WAITs of a server that set SO_REUSEADDR", BOTH, "8080",
     [(OWN, "time_wait(count=3, reuseaddr=True)")], []),
    ("time-wait-planned", "the same with SO_REUSEADDR planned", BOTH, "--reuseaddr 8080",
     [(OWN, "time_wait(reuseaddr=True)")], []),
    ("time-wait-reuseport", "a TIME_WAIT of a server that set SO_REUSEPORT", BOTH, "--reuseport --uid 65534 8080",
     [(OWN, "time_wait(reuseport=True)")], []),
    ("time-wait-v6", "a TIME_WAIT on ::1", BOTH, "8080", [(OWN, "time_wait('::1', reuseaddr=True)")], []),
    ("time-wait-no-bpf", "a TIME_WAIT, and no BPF iterator may be asked", ("root",), "--no-bpf --reuseaddr 8080",
     [(OWN, "time_wait(reuseaddr=True)")], []),
    ("fin-wait2-orphan", "a server that ended, whose client has not", BOTH, "8080",
     [(OWN, "s = listener('127.0.0.1', reuseaddr=True); connection(s)[0].close(); s.close()")], []),
    ("fin-wait2-held", "shut down for writing by a server that lives", BOTH, "8080",
     [(OWN, "s = listener('127.0.0.1'); connection(s)[0].shutdown(socket.SHUT_WR); s.close()")], []),
    ("fin-wait1-orphan", "a server that ended before its client had read", BOTH, "8080",
     [(OWN, "fin_wait1(listener('127.0.0.1', reuseaddr=True))")], []),
    ("close-wait", "the client has closed, the server has not", BOTH, "8080",
     [(OWN, "s = listener('127.0.0.1'); connection(s)[1].close(); s.close()")], []),
    ("established", "a listener with a connection", BOTH, "8080",
     [(OWN, "connection(listener('0.0.0.0', reuseaddr=True))")], []),
    ("established-left", "a connection whose listener is gone", BOTH, "8080",
     [(OWN, "s = listener('0.0.0.0', reuseaddr=True); connection(s); s.close()")], []),
    ("established-dual-stack-left", "a connection of a dual-stack listener that is gone", BOTH, "0.0.0.0:8080",
     [(OWN, "s = listener('::', v6only=0); connection(s); s.close()")], []),
    ("established-hidden", "a connection of root whose listener is gone", BOTH, "--reuseaddr 8080",
     [(ROOT, "s = listener('0.0.0.0', reuseaddr=True); connection(s); s.close()")], []),
    ("queued-child", "a connection that nobody has accepted", BOTH, "8080",
     [(OWN, "listener('0.0.0.0', reuseaddr=True); client('127.0.0.1')")], []),
    ("outgoing", "an outgoing connection has the port", BOTH, "40123",
     [(ROOT, "s = listener('127.0.0.1', 9); c = bound('127.0.0.1', 40123); c.connect(('127.0.0.1', 9)); "
             "kept.append(s.accept()[0])")], []),
    ("self-connection", "a client that connected to itself", BOTH, "40123",
     [(OWN, "c = bound('127.0.0.1', 40123); c.connect(('127.0.0.1', 40123))")], []),
    ("syn-sent", "a connection that is not answered", BOTH, "8080", [(OWN, "syn_sent('192.0.2.9')")], PAIR),
    ("inherited", "two processes hold one listener", BOTH, "8080",
     [(OWN, "listener('0.0.0.0'); os.fork() or time.sleep(60)")], []),
    ("mptcp", "an MPTCP listener", BOTH, "8080", [(OWN, "listener('0.0.0.0', protocol=262)")], []),
    ("udp-any", "a UDP socket on 0.0.0.0", BOTH, "8080/udp", [(OWN, "udp('0.0.0.0')")], []),
    ("udp-address", "a UDP socket on 127.0.0.1", BOTH, "8080/udp", [(OWN, "udp('127.0.0.1')")], []),
    ("udp-dual-stack", "a UDP socket on ::", BOTH, "8080/udp", [(OWN, "udp('::', v6only=0)")], []),
    ("udp-multicast", "a UDP socket on a multicast group, with SO_REUSEADDR", BOTH, "--reuseaddr 224.0.0.251:5353/udp",
     [(OWN, "udp('224.0.0.251', 5353, reuseaddr=True)")], []),
    ("udp-shared", "UDP sockets that set SO_REUSEADDR", BOTH, "--reuseaddr 5353/udp",
     [(OWN, "udp('0.0.0.0', 5353, reuseaddr=True); udp('0.0.0.0', 5353, reuseaddr=True)")], []),
    ("udp-group", "a UDP group of SO_REUSEPORT", BOTH, "--reuseport --uid 65534 8080/udp",
     [(OWN, "udp('0.0.0.0', reuseport=True); udp('0.0.0.0', reuseport=True)")], []),
    ("udp-group-other-uid", "a UDP group of root", BOTH, "--reuseport --uid 65534 8080/udp",
     [(ROOT, "udp('0.0.0.0', reuseport=True)")], []),
    ("udp-connected", "a connected UDP socket", BOTH, "8080/udp",
     [(OWN, "udp('127.0.0.1').connect(('127.0.0.1', 9))")], []),
    ("udp-beside-tcp", "TCP and UDP, where both are asked about", BOTH, "-tu 8080",
     [(OWN, "listener('127.0.0.1'); udp('0.0.0.0')")], []),
    ("udp-kernel", "a tunnel of the kernel", ("root",), "4789/udp", [],
     ["link add vx0 type vxlan id 1 dstport 4789 local 127.0.0.1", "link set vx0 up"]),
    ("privileged", "a port below 1024", BOTH, "80", [], []),
    ("privileged-uid", "a port below 1024 for another user", ("root",), "--uid 65534 80", [], []),
    ("privileged-listener", "a listener of root below 1024", BOTH, "80", [(ROOT, "listener('0.0.0.0', 80)")], []),
    ("unprivileged-start", "a port below 1024 where ip_unprivileged_port_start is 0", BOTH, "--uid 65534 80", [],
     ["net.ipv4.ip_unprivileged_port_start=0"]),
    ("address-absent", "addresses that the host does not have", BOTH, "192.0.2.77:8080,[2001:db8::77]:8080", [], []),
    ("address-absent-nonlocal", "the same where non-local binds are allowed", ("root",),
     "192.0.2.77:8080,[2001:db8::77]:8080", [],
     ["net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1"]),
    ("device-bound", "a listener bound to an interface", BOTH, "8080", [(ROOT, "listener('0.0.0.0', device='d0')")],
     PAIR),
    ("device-planned", "an interface is planned beside a listener bound to another", BOTH, "--device d0 8080",
     [(ROOT, "listener('0.0.0.0', device='lo')")], PAIR),
    ("device-missing", "an interface that is not there", BOTH, "--device absent0 8080", [], []),
    ("zone", "a link-local address with its interface", BOTH, "[fe80::1%d0]:8080",
     [(OWN, "listener('fe80::1%d0')")], PAIR + ["address add fe80::1/64 dev d0 nodad"]),
    ("zone-missing", "a link-local address without an interface", ("user",), "[fe80::1]:8080", [],
     PAIR + ["address add fe80::1/64 dev d0 nodad"]),
    ("v6only-planned", ":: for IPv6 only, beside a listener on 0.0.0.0", BOTH, "--v6only -6 8080",
     [(OWN, "listener('0.0.0.0')")], []),
    ("bindv6only", "net.ipv6.bindv6only is 1", BOTH, "8080", [(OWN, "listener('0.0.0.0')")],
     ["net.ipv6.bindv6only=1"]),
    ("no-v6only-planned", "IPV6_V6ONLY is cleared where the host sets it", ("user",), "--no-v6only -6 8080",
     [(OWN, "listener('0.0.0.0')")], ["net.ipv6.bindv6only=1"]),
    ("ipv6-off", "a namespace whose IPv6 is disabled", BOTH, "8080,[::1]:8081", [],
     ["net.ipv6.conf.all.disable_ipv6=1"]),
    ("runtime-node", "what node sets, beside a TIME_WAIT", BOTH, "--runtime node 8080",
     [(OWN, "time_wait(reuseaddr=True)")], []),
    ("runtime-go", "what Go sets, beside a listener", ("user",), "--runtime go 8080", [(OWN, "listener('::', v6only=0)")],
     []),
    ("uid", "the plan of another user", ("root",), "--uid 1000 --reuseport 8080",
     [(OWN, "listener('0.0.0.0', reuseport=True)")], []),
    ("targets", "several targets, of two protocols", BOTH, "127.0.0.1:8080,[::1]:8081,5353/udp",
     [(OWN, "listener('0.0.0.0'); udp('::', 5353, v6only=0)")], []),
    ("range", "a short range", BOTH, "8078-8082", [(OWN, "listener('0.0.0.0'); bound('::1', 8081)")], []),
    ("range-long", "a long range", ("user",), "127.0.0.1:8070-8089", [(OWN, "listener('127.0.0.1')")], []),
    ("overview", "every port in use", BOTH, "",
     [(OWN, "s = listener('0.0.0.0'); connection(s); udp('::', 5353)"), (ROOT, "listener('127.0.0.1', 22)")], []),
    ("reserved", "a port of ip_local_reserved_ports", ("root",), "40123", [],
     ["net.ipv4.ip_local_reserved_ports=40123"]),
    ("no-bpf-listener", "a listener, without BPF", ("root",), "--no-bpf 8080", [(OWN, "listener('0.0.0.0')")], []),
    ("probe", "what reading leaves open is settled by a bind", ("user",), "--probe --reuseaddr 127.0.0.1:8080",
     [(ROOT, "s = listener('127.0.0.1', reuseaddr=True); connection(s); s.close()")], []),
]

# Recording -----------------------------------------------------------------------------------------------------------


def prepare(host):
    """A network namespace of this process alone, with lo up and what the host has."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for words in ["link set lo up"] + host:
        if "=" in words:
            name, value = words.split("=")
            with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
                file.write(value)
        else:
            subprocess.run(["ip"] + words.split(), check=True)


def report(binary, who, question, servers, host):
    """What the binary prints, recorded by a child with a namespace of its own, and its exit status."""
    prepare(host)
    processes = []
    for uid, code in servers:
        words = [sys.executable, os.path.abspath(__file__), "--serve", code]
        process = subprocess.Popen((AS_USER if uid else []) + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise SystemExit(f"no server: {code}")
        processes.append(process)
    words = [binary, "--json"] + question.split()
    result = subprocess.run((AS_USER if who == "user" else []) + words, stdout=subprocess.PIPE, cwd="/")
    for process in processes:
        process.kill()
        process.wait()
    return result


def recorded(*arguments):
    """`report` in a child: a namespace is entered for good."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        result = report(*arguments)
        os.write(write, bytes([result.returncode]))
        with os.fdopen(write, "wb") as file:
            file.write(result.stdout)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    try:
        os.killpg(child, 9)  # what a server has forked
    except ProcessLookupError:
        pass
    return data[1:].decode(), data[0]


def lines(text):
    """What a report says, as index.txt has it."""
    for target in json.loads(text)["targets"]:
        words = [f"{target['port']}/{target['protocol']}", target["verdict"] or "-", target["errno"] or "-"]
        yield "  " + " ".join(words)
        for attempt in target["attempts"]:
            outcomes = [f"{outcome['bind']}/{outcome['listen'] or '-'}" for outcome in attempt["outcomes"]]
            yield "    " + " ".join([attempt["address"], attempt["cause"] or "-"] + outcomes)


def main(binary, only):
    index = []
    for name, what, readers, question, servers, host in situations:
        for who in readers:
            full = f"{name}-{who}"
            path = os.path.join(HERE, full + ".json")
            if not only or full in only:
                text, status = recorded(binary, who, question, servers, host)
                if status > 2 or not text:
                    raise SystemExit(f"{full}: exit {status}")
                with open(path, "w") as file:
                    file.write(text)
            else:
                with open(path) as file:
                    text = file.read()
            index += [full, f"  # {what}", f"  {'#' if who == 'root' else '$'} portwhy --json {question}".rstrip()]
            index += list(lines(text)) + [""]
    with open(os.path.join(HERE, "index.txt"), "w") as file:
        file.write("\n".join(index))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        main(os.path.abspath(sys.argv[1]), sys.argv[2:])
