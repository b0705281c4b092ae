"""Ports that a protocol has fixed: DNS, mDNS, NTP, SSDP and what cannot go elsewhere."""

import os
import shutil

from field import NOBODY, case


@case('"use the next port" is no help where the protocol has fixed the number', short=True)
def fixed_ports(at):
    server = at.python(
        "k = [bound(p, '0.0.0.0', socket.SOCK_DGRAM) for p in (53, 123, 161, 500, 1900, 5353)]\n"
        "k += [listener(p, '0.0.0.0') for p in (25, 53, 111, 3000, 8080)]\nready(); time.sleep(90)"
    )
    at.ready()
    for target in ("53/udp", "123/udp", "161/udp", "500/udp", "1900/udp", "5353/udp", "25", "53", "111"):
        port = int(target.split("/")[0])
        at.ask(target).status(1).held_by(server).offers_no_port(
            range(port + 1, port + 10), "clients look for this one:"
        )
    for target in ("3000", "8080"):
        at.ask(target).status(1).says(r"port (30\d\d|80\d\d)\b|--free")
    at.ask("127.0.0.1:3000").first_works("other-port", spares=[server])


@case(
    "resolvers on single addresses, and a name server for all",
    "https://github.com/containers/podman/issues/23740",
    "https://github.com/geerlingguy/internet-pi/issues/627",
    needs="dnsmasq-base",
)
def name_server_for_all(at):
    at.interface("10.9.8.7/24")
    at.sh("ip link add bridge0 type bridge && ip address add 10.89.0.1/24 dev bridge0 && ip link set bridge0 up")
    stub = at.python(
        "both, reuse = ('127.0.0.53', '127.0.0.54'), [(socket.SOL_SOCKET, socket.SO_REUSEADDR)]\n"
        "k = [bound(53, a, socket.SOCK_DGRAM, reuse) for a in both]\n"
        "k += [listener(53, a) for a in both]\nready(); time.sleep(90)"
    )
    at.ready()
    dnsmasq = (
        "dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --pid-file= --user=root"
        " --bind-interfaces --except-interface=lo --listen-address="
    )
    bridge = at.start(dnsmasq + "10.89.0.1")
    at.wait("the second", lambda: at.sh("ss -Htln 'src 10.89.0.1'"))
    at.ask("53").status(1).cause("wildcard-overlap").held_by(stub, bridge).says(r"10\.9\.8\.7\b").lines(40).agrees()
    udp = at.ask("-u", "53").status(1).says(r"10\.9\.8\.7\b").says_not("last bound socket alone").lines(40).agrees()
    udp.offers_no_port([54])
    at.ask("--runtime", "dnsmasq", "53").status(1).offers_no_port([54])
    at.ask("-u", "53", uid=NOBODY).status(1)
    advised = at.start(dnsmasq + "10.9.8.7")
    at.wait("the server on the free address", lambda: at.sh("ss -Htln 'src 10.9.8.7'"))
    at.lives(advised)


@case(
    "a UDP wildcard beside one address: who gets what", "https://github.com/containers/podman/issues/23740", short=True
)
def datagrams_of_one_address(at):
    at.interface("10.9.8.7/24")
    reuse = "[(socket.SOL_SOCKET, socket.SO_REUSEADDR)]"
    first = at.python(f"s = bound(5399, '10.9.8.7', socket.SOCK_DGRAM, {reuse}); ready(); time.sleep(90)")
    at.ready()
    at.ask("0.0.0.0:5399/udp").status(1).held_by(first).says_not("last bound socket alone").agrees()
    shared = at.ask("--reuseaddr", "0.0.0.0:5399/udp").status(0).agrees()
    gets = [r for a in shared.attempts for r in a["receives"]]
    at.hold(
        any(r["rule"] == "specific-first" and r["receiver"] == "others" for r in gets),
        "the address keeps its datagrams",
        gets,
    )
    at.write(
        "try.py",
        """
import socket
def on(a):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(1, 2, 1); s.bind((a, 5398)); s.settimeout(3)
    return s
one, all = on('10.9.8.7'), on('0.0.0.0')
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.sendto(b'one', ('10.9.8.7', 5398)); c.sendto(b'all', ('127.0.0.1', 5398)); print(one.recv(9), all.recv(9))
""",
    )
    got = at.sh("/usr/bin/python3 try.py")
    at.hold(got == "b'one' b'all'", "the kernel does so", got)


@case(
    "two programs of multicast DNS, one of them avahi",
    "https://github.com/python-zeroconf/python-zeroconf/issues/1523",
    "https://github.com/truenas/apps/issues/4964",
    needs="avahi-daemon",
)
def multicast_dns(at):
    def avahi(alone):
        at.write(
            "avahi.conf",
            f"[server]\nuse-ipv4=yes\nuse-ipv6=yes\ndisallow-other-stacks={alone}\nenable-dbus=no\n"
            "[publish]\ndisable-publishing=yes\n",
        )
        os.makedirs("/run/avahi-daemon", exist_ok=True)
        daemon = at.start(f"avahi-daemon -f {at.folder}/avahi.conf --no-drop-root --no-chroot --no-rlimits")
        at.wait("avahi", lambda: "startup complete" in open(daemon.log).read())
        return daemon

    at.interface("10.9.8.7/24")
    daemon = avahi("yes")
    at.ask("5353/udp").status(1).held_by(daemon).says("disallow-other-stacks").offers_no_port([5354]).agrees()
    at.ask("--reuseaddr", "--reuseport", "5353/udp").status(1).says("disallow-other-stacks").agrees()
    at.ask("--reuseaddr", "--reuseport", "5353/udp", uid=NOBODY).status(2).offers_no_port([5354])
    daemon.terminate()
    daemon.wait()
    avahi("no")
    at.ask("5353/udp").status(1).offers_no_port([5354]).agrees()
    at.ask("--reuseport", "5353/udp").status(0).says_not(r"\[::\] and \[::\]").agrees()


@case("NTP, SSDP and the kernel's own VXLAN", needs="chrony minidlna")
def other_datagram_servers(at):
    at.interface("10.9.8.7/24")
    at.sh("ip link set field0 multicast on; mkdir dlna")
    at.write(
        "dlna.conf",
        f"media_dir={at.folder}/dlna\ndb_dir={at.folder}/dlna\nlog_dir={at.folder}/dlna\n"
        "network_interface=field0\nport=8200\ninotify=no\n",
    )
    dlna = at.start(f"minidlnad -S -f {at.folder}/dlna.conf -P {at.folder}/dlna.pid")
    at.up(1900, "udp")
    at.ask("1900/udp").status(1).held_by(dlna).says_not("address of the host, 239").offers_no_port([1901]).agrees()
    at.ask("--reuseaddr", "1900/udp").status(0).agrees()
    ntp = at.start(
        [
            "chronyd",
            "-d",
            "-x",
            "-f",
            "/dev/null",
            "-u",
            "root",
            "port 123",
            "allow 127.0.0.1",
            f"pidfile {at.folder}/chrony.pid",
            "cmdport 0",
            f"bindcmdaddress {at.folder}/chrony.sock",
        ]
    )
    at.up(123, "udp")
    at.ask("123/udp").status(1).held_by(ntp).offers_no_port([124]).agrees()
    if (
        at.sh("ip link add vx0 type vxlan id 7 dstport 4789 dev field0 && ip link set vx0 up && echo made", check=False)
        == "made"
    ):
        at.ask("4789/udp").status(1).says("vx0").says_not(r"\bkill \d").agrees()
        at.ask("4789/udp", uid=NOBODY).status(1).says("vx0")
