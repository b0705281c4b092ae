"""Clients that have the port as their own end, and what a server left of its connections."""

import os

from field import NOBODY, case

CLIENT = """
settings = '/proc/sys/net/ipv4/ip_local_port_range'
peer = listener(8443, '10.9.8.7')
# The kernel chooses a client's port: it is left two of them until it has chosen this one.
open(settings, 'w').write(f'{port} {port + 1}')
kept = []
while not kept or kept[-1].getsockname()[1] != port:
    kept.append(socket.create_connection(('10.9.8.7', 8443)))
open(settings, 'w').write('32768 60999')
for other in kept[:-1]: other.close()
ready(); time.sleep(90)
"""


@case(
    "a client's connection got the port of a server", "https://github.com/skypilot-org/skypilot/pull/10426", short=True
)
def client_has_the_port(at):
    at.interface("10.9.8.7/24")
    client = at.python("port = 46580\n" + CLIENT)
    at.ready()
    answer = at.ask("--runtime", "python", "46580").status(1).cause("outgoing-connection").held_by(client).agrees()
    answer.says(r"ip_local_reserved_ports=([0-9,-]+,)?46580\b").says(r"ss -K")
    answer.before("ip_local_reserved_ports=", rf"kill ([^ ]+ )*{client.pid}\b")
    answer.offers_no_port(range(32768, 61000), "another client may get it as well:")
    stranger = at.ask("--runtime", "python", "46580", uid=NOBODY).says_not(r"\bkill \d")
    stranger.offers_no_port(range(32768, 61000))
    at.hold(("10.9.8.7:46580" in answer.text) == ("10.9.8.7:46580" in stranger.text), "root and others see one address")
    # uvicorn binds 127.0.0.1 unless it is told otherwise: there the port is free, and everywhere it is not.
    at.ask("--runtime", "uvicorn", "46580").status(0).agrees()
    at.ask("--runtime", "uvicorn", "0.0.0.0:46580").status(1).agrees()
    at.ask("--runtime", "python", "46580").first_works("close-connection", spares=[client])


@case(
    "the same where other ports are reserved",
    "https://github.com/siderolabs/talos-cloud-controller-manager/issues/338",
    short=True,
)
def client_beside_reserved_ports(at):
    at.interface("10.9.8.7/24")
    at.sysctl("net.ipv4.ip_local_reserved_ports", "50000-50001")
    client = at.python("port = 50258\n" + CLIENT)
    at.ready()
    answer = at.ask("--runtime", "go", "50258").status(1).cause("outgoing-connection").held_by(client).agrees()
    answer.says(r"ip_local_reserved_ports=50000-50001,50258\b").offers_no_port(range(32768, 61000))
    answer.before("ip_local_reserved_ports=", rf"kill ([^ ]+ )*{client.pid}\b")
    at.ask("--runtime", "go", "50258", uid=NOBODY).offers_no_port(range(32768, 61000))


@case(
    "a client of a file server has a reserved port",
    "https://utcc.utoronto.ca/~cks/space/blog/linux/InterestingBindFailure",
    "https://github.com/nfs-ganesha/ntirpc/issues/305",
    short=True,
)
def client_on_reserved_port(at):
    client = at.python(
        "peer = listener(2049); c = bound(993); c.connect(('127.0.0.1', 2049))\n"
        "u = bound(631, '0.0.0.0', socket.SOCK_DGRAM); ready(); time.sleep(90)"
    )
    at.ready()
    answer = at.ask("--reuseaddr", "993").status(1).cause("reserved-port-client").held_by(client).agrees()
    answer.says("resvport|start the server before").says_not("server that left|SO_REUSEADDR before listen")
    at.ask("993", uid=NOBODY).status(1).says_not("server that left")
    at.ask("631/udp").status(1).held_by(client).first_is("stop-holder").agrees().first_works()


@case(
    "a server is started into the connections of its predecessor",
    "https://github.com/mitsuhiko/systemfd/issues/6",
    short=True,
)
def connections_left(at):
    at.python("""
l = listener(38090)
if os.fork() == 0:
    l.close(); c = socket.create_connection(('127.0.0.1', 38090)); d = socket.create_connection(('127.0.0.1', 38090))
    c.recv(1); c.close(); time.sleep(90); os._exit(0)
a, _ = l.accept(); b, _ = l.accept(); a.close(); b.close(); time.sleep(0.5); os._exit(0)
""")
    states = lambda: sorted(line.split()[0] for line in at.sh("ss -Htan 'sport = :38090'").splitlines())
    at.wait("both states", lambda: states() == ["FIN-WAIT-2", "TIME-WAIT"])
    answer = at.ask("127.0.0.1:38090").status(1).agrees()
    answer.says(r"\b[1-9]\d? s\b").says("--wait").says("SO_REUSEADDR").says("both sides|too").says_not(r"\bkill \d")
    at.ask("--runtime", "java", "127.0.0.1:38090").status(1).says("--wait").agrees()
    at.ask("127.0.0.1:38090", uid=NOBODY).status(1).agrees()
