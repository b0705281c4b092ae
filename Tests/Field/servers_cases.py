"""Servers beside servers: their settings, their defaults, and what the real second one says."""

import os
import shutil

from field import NOBODY, case

HAPROXY = (
    "global\n{more}defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n"
    "frontend f\n bind *:38443\n http-request return status 200\n"
)


@case("an old haproxy beside the new one, and another program that wants the port", needs="haproxy")
def haproxy_twice(at):
    at.write("h.cfg", HAPROXY.format(more=""))
    first = at.start("haproxy -db -f h.cfg")
    at.up(38443)
    answer = at.ask("--runtime", "haproxy", "38443").status(0).held_by(first).agrees()
    at.hold(any(r["receiver"] == "split" for a in answer.attempts for r in a["receives"]), "the connections are split")
    at.ask("--runtime", "haproxy", "38443", uid=NOBODY).status(2)
    for server in ("nginx", "node", "php", "apache", "python", "gunicorn"):
        at.ask("--runtime", server, "0.0.0.0:38443").status(1).says(rf"kill {first.pid}\b").first_is(
            "stop-holder"
        ).agrees()
    second = at.start("haproxy -db -f h.cfg")
    at.wait("the second", lambda: len(at.sh("ss -Htln 'sport = :38443'").splitlines()) == 2)
    at.ask("38443").status(1).held_by(first, second).first_works()


@case("settings that switch an option off are no way to switch it on", needs="haproxy nginx-light")
def inverted_settings(at):
    at.write(
        "nginx.conf",
        f"daemon off; pid {at.folder}/pid; error_log stderr crit; events {{}}"
        " http { access_log off; server { listen [::]:8085 ipv6only=off; } }",
    )
    nginx = at.start(f"nginx -c {at.folder}/nginx.conf")
    at.up(8085)
    answer = at.ask("--reuseaddr", "0.0.0.0:8085").status(1).held_by(nginx).says("ipv6only").agrees()
    answer.says_not("(in|with) nginx:? without|Listen 0|preferIPv4Stack").first_works()
    at.write("h.cfg", HAPROXY.format(more=" noreuseport\n"))
    haproxy = at.start("haproxy -db -f h.cfg")
    at.up(38443)
    at.ask("--runtime", "haproxy", "0.0.0.0:38443").status(1).held_by(haproxy).says_not(
        "with haproxy:? .?noreuseport"
    ).agrees()


@case(
    "an epmd that is there already, and a second node",
    "https://github.com/rabbitmq/rabbitmq-server/issues/13956",
    needs="erlang-base",
)
def erlang(at):
    epmd = at.start("epmd -address 127.0.0.1")
    at.up(4369)
    node = at.start(
        "erl -noshell -sname a@localhost -kernel inet_dist_listen_min 25672 inet_dist_listen_max 25672"
        " -eval timer:sleep(90000).",
        env={"HOME": at.folder},
    )
    at.up(25672)
    answer = at.ask("4369").status(1).held_by(epmd).says("epmd -names|serves all").agrees()
    answer.says_not("IPv6 address of the host, 127")
    at.ask("4369", uid=NOBODY).status(1).says_not("IPv6 address of the host, 127")
    at.ask("25672").status(1).held_by(node).agrees().first_works(spares=[epmd])


@case(
    "Java with one debugger port, and beside an IPv4 server",
    "https://github.com/grpc/grpc-java/issues/8199",
    needs="default-jre-headless",
)
def java(at):
    debugged = "java -agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address={} -version"
    first = at.start(debugged.format("5005"))
    at.up(5005)
    at.ask("--runtime", "java", "localhost:5005").status(1).held_by(first).agrees()
    real = at.sh(f"timeout 20 {debugged.format('5005')} 2>&1", check=False)
    at.hold("already in use" in real, "the second says Address already in use", real[-200:])
    at.ask("127.0.0.1:5005").first_works()
    second = at.start(debugged.format("*:5006"))
    at.up(5006)
    answer = at.ask("--reuseaddr", "0.0.0.0:5006").status(1).cause("dual-stack-overlap").held_by(second).agrees()
    answer.says_not("preferIPv4Stack").first_works()
    other = at.start("python3 -m http.server 1099 --bind 0.0.0.0")
    at.up(1099)
    at.ask("--runtime", "java", "1099").status(1).says(rf"kill {other.pid}\b").says_not("preferIPv4Stack").agrees()
    at.ask("--runtime", "apache", "1099").status(1).says_not(r"Listen 0\.0\.0\.0")


@case("a second postgres beside one on localhost, and a redis", needs="postgresql redis-server")
def databases(at):
    binaries = at.sh("ls -d /usr/lib/postgresql/*/bin | tail -1")
    at.sh(
        f"chmod 777 . && for d in one two; do mkdir $d && chown postgres $d; done &&"
        f" setpriv --reuid postgres --regid postgres --clear-groups {binaries}/initdb -D one -A trust --no-sync"
    )
    at.sh("cp -a one/. two && chmod 700 one two")
    owner = int(at.sh("id -u postgres"))
    first = at.start(f"{binaries}/postgres -D {at.folder}/one -k '' -c listen_addresses=localhost", uid=owner)
    at.up(5432)
    # By default postgres binds localhost alone; for all addresses each is judged by itself.
    at.ask("--runtime", "postgres", "5432").status(1).held_by(first).agrees()
    answer = at.ask("--runtime", "postgres", "*:5432").status(1).agrees()
    got = [
        (a["address"], [o["bind"] for o in a["outcomes"] if o["reuseaddr"] and not o["reuseport"]][0])
        for a in answer.attempts
    ]
    v6 = "EADDRINUSE" if at.sh("ss -Htln 'src [::1]:5432'") else "ok"
    at.hold(got == [("0.0.0.0", "EADDRINUSE"), ("::", v6)], "each address by itself", got)
    second = at.start(f"{binaries}/postgres -D {at.folder}/two -k '' -c listen_addresses=*", uid=owner)
    at.wait("its words", lambda: 'could not bind IPv4 address "0.0.0.0"' in open(second.log).read())
    redis = at.start(
        ["redis-server", "--port", "6379", "--bind", "127.0.0.1", "-::1", "--save", "", "--dir", at.folder]
    )
    at.up(6379)
    at.ask("--runtime", "redis", "localhost:6379").status(1).held_by(redis).agrees().first_works()


@case(
    "docker publishes the port, and dockerd refuses one that nobody has",
    "https://github.com/microrealestate/microrealestate/issues/229",
    needs="docker.io iptables",
)
def docker(at):
    proxy = shutil.which("docker-proxy") or "/usr/libexec/docker/docker-proxy"
    at.booted_by_systemd()
    daemon = at.python(
        "s = socket.socket(socket.AF_UNIX); s.bind('/run/docker.sock'); s.listen(); ready(); time.sleep(90)"
    )
    at.ready()
    at.write("/run/docker.pid", str(daemon.pid))
    # It says on descriptor 3 that it is up.
    proxies = [
        at.start(
            [
                "sh",
                "-c",
                f"exec {proxy} -proto {protocol} -host-ip {address} -host-port {port}"
                " -container-ip 172.17.0.2 -container-port 80 3>/dev/null",
            ]
        )
        for protocol, address, port in (("tcp", "0.0.0.0", 8080), ("tcp", "::", 8080), ("udp", "0.0.0.0", 8053))
    ]
    at.up(8080)
    at.up(8053, "udp")
    at.wait("the second", lambda: at.sh("ss -Htln 'src [::]:8080'"))
    # Of which container these are nothing here tells.
    at.ask("8080").status(1).held_by(*proxies[:2]).says("docker ps").says_not(r"\bkill \d|docker stop").agrees()
    at.ask("8053/udp").status(1).held_by(proxies[2]).says("publish=8053/udp").says_not("docker stop").agrees()
    at.sh(
        "iptables -t nat -N DOCKER && iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER &&"
        " iptables -t nat -A DOCKER -p tcp --dport 9090 -j DNAT --to-destination 172.17.0.3:80"
    )
    at.ask("9090").status(0).says("docker")
    at.ask("--deep", "9090").status(0).says(r"172\.17\.0\.3:80")


def image(at, engine):
    """An image of busybox alone, made here."""
    at.sh(
        "mkdir -p image/bin && cp /bin/busybox image/bin && ln -sf busybox image/bin/httpd && ln -sf busybox image/bin/sleep"
        f" && tar -C image -c . | {engine} import - field"
    )


# Where the limits may not be raised, the engines' own would be refused.
LIMITS = "--ulimit nofile=1024:1024 --ulimit nproc=512:512"


@case(
    "one number published on two addresses and for UDP: the container that has the port is stopped, and no other",
    needs="docker.io iptables busybox-static",
)
def docker_real(at):
    at.booted_by_systemd()
    at.sh("mkdir -p data && mkdir -p /var/lib/docker && mount --bind data /var/lib/docker")
    daemon = at.start("dockerd --storage-driver vfs")
    try:
        at.wait("dockerd", lambda: at.sh("docker version -f '{{.Server.Version}}'", check=False), 60)
        image(at, "docker")
        for name, published, command in (
            ("web1", "127.0.0.1:8080:80", "httpd -f -p 80"),
            ("web2", "127.0.0.2:8080:80", "httpd -f -p 80"),
            ("dns", "127.0.0.1:8080:80/udp", "sleep 100"),
        ):
            at.sh(f"docker run -d {LIMITS} --name {name} -p {published} field /bin/{command}")
        at.up(8080)
        at.up(8080, "udp")
        listed = at.sh("docker ps -q --filter publish=8080").split()
        at.hold(len(listed) == 2, "docker's filter finds more than the one", listed)
        answer = at.ask("127.0.0.1:8080").status(1).says("container web1").says_not("publish=").agrees()
        answer.first_is("stop-holder").first_works()
        left = sorted(at.sh("docker ps --format '{{.Names}}'").split())
        at.hold(left == ["dns", "web2"], "the others run on", left)
        at.ask("127.0.0.1:8080/udp").status(1).says("container dns").first_is("stop-holder").first_works()
        left = at.sh("docker ps --format '{{.Names}}'").split()
        at.hold(left == ["web2"], "the other runs on", left)
        at.sh("docker rm -f web1 web2 dns", check=False)
    finally:
        daemon.terminate()
        daemon.wait()


@case("podman on the host's network and with a published port", needs="podman runc busybox-static")
def podman_real(at):
    at.booted_by_systemd()
    at.sh("mkdir -p data && mkdir -p /var/lib/containers && mount --bind data /var/lib/containers")
    image(at, "podman")
    run = f"podman --runtime runc run -d {LIMITS}"
    at.sh(f"{run} --name host --network=host field /bin/httpd -f -p 127.0.0.1:8080")
    at.up(8080)
    at.ask("127.0.0.1:8080").status(1).says("in container host").first_is("stop-holder").first_works()
    at.sh(f"{run} --name other --network=host field /bin/httpd -f -p 127.0.0.1:8081")
    at.sh(f"{run} --name inside -p 127.0.0.1:8082:80 field /bin/httpd -f -p 80")
    at.up(8082)
    answer = at.ask("127.0.0.1:8082").status(1).says("conmon.*for container inside").says_not(r"\bkill \d").agrees()
    answer.first_is("stop-holder").first_works()
    left = at.sh("podman ps --format '{{.Names}}'").split()
    at.hold(left == ["other"], "the other runs on", left)
    at.sh("podman rm -fa", check=False)


@case(
    "a rule takes the port before a server sees anything", "https://github.com/k3s-io/k3s/issues/2403", needs="nftables"
)
def redirected(at):
    at.interface("10.9.8.7/24")
    at.write(
        "rules",
        "table ip field {\n"
        " chain p {\n type nat hook prerouting priority -100\n tcp dport { 80, 443 } dnat to 10.42.0.8\n }\n"
        " chain o {\n type nat hook output priority -100\n"
        " ip daddr 10.9.8.7 tcp dport 80 dnat to 10.42.0.8:8000\n }\n}\n",
    )
    at.sh("nft -f rules")
    server = at.start("python3 -m http.server 80 --bind 0.0.0.0")
    at.up(80)
    at.ask("80").status(1).held_by(server)
    at.ask("--deep", "80").status(1).says(r"10\.42\.0\.8:8000").agrees()
    at.ask("--deep", "443").status(0).says(r"10\.42\.0\.8\b")
