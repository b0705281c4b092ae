"""Ten public reports of the second field test, and what else showed up beside them."""

import os
import signal
import time

from field import NOBODY, STRANGER, case, is_alive


@case(
    "a server stopped by Ctrl-Z keeps its port, and SIGTERM reaches it only when it goes on",
    "https://github.com/favll/pogom/issues/167",
    "https://github.com/vercel/next.js/issues/58184",
    short=True,
)
def stopped_by_ctrl_z(at):
    server = at.start("python3 -m http.server 8000", uid=STRANGER)
    at.up(8000)
    os.kill(server.pid, signal.SIGTSTP)
    at.wait("the stop", lambda: open(f"/proc/{server.pid}/stat").read().split()[2] == "T")
    for uid in (0, STRANGER):
        at.ask("--runtime", "python", "8000", uid=uid).status(1).cause("listener").held_by(server).says(
            "suspended"
        ).agrees()
    at.ask("8000", uid=NOBODY).status(1).agrees()
    at.ask("--runtime", "python", "8000", uid=STRANGER).first_is("stop-holder").first_works(as_root=False)


@case(
    "a supervisor starts again what was killed",
    "https://github.com/Unitech/pm2/issues/2288",
    needs="supervisor",
    short=False,
)
def started_again(at):
    at.write(
        "supervisord.conf",
        f"""[unix_http_server]
file={at.folder}/supervisor.sock
[supervisord]
logfile={at.folder}/supervisord.log
pidfile={at.folder}/supervisord.pid
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{at.folder}/supervisor.sock
[program:web]
command=/usr/bin/python3 -m http.server 9191
autorestart=true
""",
    )
    at.start(f"supervisord -n -c {at.folder}/supervisord.conf")
    at.up(9191)
    at.ask("9191").status(1).cause("listener").says("supervisord").says_not(r"kill \d").agrees()
    at.ask("9191", uid=NOBODY).status(1).agrees()


@case(
    "dnsmasq on every address, and another one for one address",
    "https://github.com/oblique/create_ap/issues/65",
    "https://github.com/balena-os/wifi-connect/issues/641",
    needs="dnsmasq-base",
)
def two_dnsmasq(at):
    at.interface("192.168.12.1/24")
    first = at.start("dnsmasq --keep-in-foreground --no-resolv --conf-file=/dev/null --pid-file= --user=root")
    at.up(53)
    question = ("--runtime", "dnsmasq", "192.168.12.1:53")
    at.ask(*question).status(1).cause("wildcard-overlap").held_by(first).says_not("port 54").agrees()
    at.ask(*question, uid=NOBODY).status(1).agrees()
    # Both set SO_REUSEADDR on UDP, which works and takes the datagrams to that address.
    at.ask(*question[:2], "192.168.12.1:53/udp").status(0).says("takes the datagrams").agrees()
    real = at.sh(
        "timeout 3 dnsmasq --keep-in-foreground --no-resolv --conf-file=/dev/null --pid-file= --user=root"
        " --bind-interfaces --except-interface=lo --listen-address=192.168.12.1 2>&1",
        check=False,
    )
    at.hold("Address already in use" in real, "the second dnsmasq says Address already in use", real)
    at.ask(*question).first_is("stop-holder").first_works()


@case(
    "a recursor is given a link-local address without its interface",
    "https://github.com/PowerDNS/pdns/issues/8335",
    "https://github.com/DNSCrypt/dnscrypt-proxy/issues/531",
    needs="pdns-recursor",
)
def link_local(at):
    at.interface("fe80::5f90:c1e0:45d9:db76/64")
    real = at.sh(
        "mkdir -p rec && timeout 5 pdns_recursor --config-dir=rec --socket-dir=rec --daemon=no "
        "--local-address=fe80::5f90:c1e0:45d9:db76 --local-port=5300 2>&1 | grep -i invalid",
        check=False,
    )
    at.hold("Invalid argument" in real, "pdns_recursor says Invalid argument", real)
    at.ask("[fe80::5f90:c1e0:45d9:db76]:5300").status(1).says("%field0").says("EINVAL").agrees()
    at.ask("[fe80::5f90:c1e0:45d9:db76]:5300", uid=NOBODY).status(1).says("%field0").agrees()
    at.ask("[fe80::1]:5300").status(1).says(r"ip -6 address").says_not("eth0").agrees()
    at.ask("[fe80::5f90:c1e0:45d9:db76%field0]:5300").status(0).agrees()


@case(
    "socat without reuseaddr is started again while connections are in TIME_WAIT",
    "https://github.com/gnzsnz/ib-gateway-docker/issues/173",
    needs="socat",
)
def socat_again(at):
    first = at.start("socat TCP4-LISTEN:4004,fork SYSTEM:true")
    at.up(4004)
    at.sh("for i in 1 2; do timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/4004; cat <&3'; done", check=False)
    first.kill()
    first.wait()
    real = at.sh("socat TCP4-LISTEN:4004,fork SYSTEM:true 2>&1", check=False)
    at.hold("Address already in use" in real, "socat says Address already in use", real)
    for uid in (0, NOBODY):
        at.ask("0.0.0.0:4004", uid=uid).status(1).cause("time-wait").says(r"\d+ s").agrees()
    at.ask("--runtime", "socat", "0.0.0.0:4004").status(1).says("reuseaddr").agrees()
    at.ask("0.0.0.0:4004").first_works("wait", within=70)


@case(
    "nginx is reloaded with one address instead of all: it is in its own way",
    "https://github.com/apache/apisix/issues/9571",
    "https://github.com/nginx/unit/issues/303",
    needs="nginx-light",
    short=True,
)
def nginx_reload(at):
    def conf(listen):
        at.write(
            "nginx.conf",
            f"pid {at.folder}/pid; error_log {at.folder}/error.log; daemon off; events {{}}"
            f" http {{ access_log off; server {{ listen {listen}; }} }}",
        )

    conf("9180")
    server = at.start(f"nginx -c {at.folder}/nginx.conf")
    at.up(9180)
    conf("127.0.0.1:9180")
    os.kill(server.pid, signal.SIGHUP)
    at.wait("nginx's error", lambda: "127.0.0.1:9180 failed (98" in open("error.log").read())
    at.ask("--runtime", "nginx", "127.0.0.1:9180").status(1).cause("wildcard-overlap").held_by(server).agrees()
    # A worker runs as nobody, who would end it in vain.
    at.ask("127.0.0.1:9180", uid=NOBODY).status(1).says(f"sudo kill {server.pid}").agrees()
    at.ask("127.0.0.1:9180", uid=NOBODY).first_is("stop-holder").first_works()
    at.hold(not is_alive(server.pid), "the master has ended")


@case(
    "in a container on the host's network the holder is a process of the host",
    "https://github.com/ecki/net-tools/issues/12",
    short=True,
)
def container_on_host_network(at):
    server = at.start("python3 -m http.server 8123")
    at.up(8123)
    # The pid namespace of the container: the server is not in it.
    at.inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    at.ask("8123").status(1).says_not(r"kill \d|sudo").says("container").first_is("find-holder").agrees()
    at.ask("8123", uid=NOBODY).status(1).says_not(r"kill \d").agrees()
    at.ask("127.0.0.1:8123").first_works("other-port", spares=[server])


@case(
    "port 25 is taken by a process that calls itself master",
    "https://github.com/postalserver/postal/issues/809",
    "https://github.com/mailcow/mailcow-dockerized/issues/100",
    needs="postfix",
)
def postfix_is_called_master(at):
    at.sh("mkdir spool data && mount --bind spool /var/spool/postfix && cp -a /etc/postfix conf && chown postfix data")
    at.sh(
        f"postconf -c conf data_directory={at.folder}/data inet_interfaces=loopback-only mydestination=localhost "
        "compatibility_level=3.6"
    )
    at.sh(f"postfix -c {at.folder}/conf start", check=False)
    at.up(25)
    for uid in (0, NOBODY):
        at.ask("25", uid=uid).status(1).agrees()
    # Its name says nothing; where it runs does.
    at.ask("25").says("postfix").says_not("port 26").first_is("stop-holder").first_works()


@case(
    "gunicorn's master is killed and its workers serve on",
    "https://github.com/HKUDS/LightRAG/pull/3494",
    "https://github.com/benoitc/gunicorn/issues/520",
    needs="gunicorn python3-uvicorn",
)
def workers_without_master(at):
    at.write("app.py", "async def app(scope, receive, send):\n    pass\n")
    master = at.start("gunicorn -w 4 -k uvicorn.workers.UvicornWorker -b 127.0.0.1:9621 app:app", uid=STRANGER)
    at.up(9621)
    workers = at.wait(
        "4 workers",
        lambda: (lambda l: l if len(l) == 4 else None)(
            open(f"/proc/{master.pid}/task/{master.pid}/children").read().split()
        ),
    )
    time.sleep(1)
    master.kill()
    master.wait()
    workers = [int(pid) for pid in workers]
    for uid in (0, STRANGER):
        at.ask("--runtime", "gunicorn", "127.0.0.1:9621", uid=uid).status(1).held_by(*workers).agrees()
    at.ask("--runtime", "gunicorn", "127.0.0.1:9621", uid=NOBODY).status(1).agrees()
    at.ask("--runtime", "gunicorn", "127.0.0.1:9621", uid=STRANGER).first_works(as_root=False)


@case(
    "a socket unit of systemd's has the port, and another that is not active names it too",
    "https://github.com/PacktPublishing/Modern-DevOps-Practices-2e/issues/1",
    "https://github.com/cockpit-project/cockpit/issues/4436",
    needs="systemd",
)
def socket_unit(at):
    at.systemd(
        {
            "panel.socket": "[Socket]\nListenStream=9090\n",
            "panel.service": "[Service]\nExecStart=/bin/sleep 60\n",
            "other.socket": "[Socket]\nListenStream=9090\n",
            "other.service": "[Service]\nExecStart=/bin/sleep 60\n",
        }
    )
    at.sh("systemctl start panel.socket")
    at.ask("--runtime", "go", "9090").status(1).says(r"panel\.socket").says_not(r"other\.socket|kill \d").agrees()
    at.ask("--runtime", "go", "9090", uid=NOBODY).status(1).says(r"panel\.socket").says_not(r"other\.socket").agrees()
    at.ask("--runtime", "go", "9090").first_is("stop-holder").first_works()
    at.sh("systemctl start panel.socket")
    at.ask("--runtime", "go", "9090", uid=NOBODY).first_is("stop-holder").first_works()


@case(
    "nginx is to listen twice on one port: nobody else has it",
    "https://github.com/wyveo/craftcms-docker/issues/2",
    "https://github.com/Keith2/lowendscript-ng/issues/2",
    needs="nginx-light",
    short=True,
)
def nginx_twice(at):
    at.write(
        "nginx.conf",
        f"pid {at.folder}/pid; error_log stderr; daemon off; events {{}} http {{ access_log off;"
        " server { listen 8080; listen [::]:8080 ipv6only=off; } }",
    )
    at.ask("8080").status(0).agrees()
    answer = at.ask("--", "nginx", "-c", f"{at.folder}/nginx.conf")
    answer.says("itself|same program|own")
