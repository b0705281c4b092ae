"""Who holds the port, and whose end is advised: heirs, orphans, scopes, containers, logins, workers."""

import os
import signal
import time

from field import NOBODY, STRANGER, case, is_alive

HEIR = """
s = listener(port, '0.0.0.0', options=[(socket.SOL_SOCKET, socket.SO_REUSEADDR)]); s.set_inheritable(True)
p = subprocess.Popen(['sleep', '90'], close_fds=False)
open('heir', 'w').write(str(p.pid)); ready(); time.sleep(90)
"""


@case(
    "a helper has the listener of a server that was killed",
    "https://github.com/zeek/zeek/issues/5798",
    "https://github.com/tenzir/tenzir/pull/3998",
    short=True,
)
def heir_of_a_server(at):
    for port, before in ((38081, ""), (38082, "os.setsid()\n"), (38083, "os.setpgid(0, os.getppid())\n")):
        # A shell's job, a service and a part of a script: what the server was makes no difference.
        server = at.python(f"port = {port}\n{'' if port != 38082 else before}" + HEIR, leader=port == 38081)
        at.ready()
        heir = int(open("heir").read())
        server.kill()
        server.wait()
        answer = (
            at.ask("--reuseaddr", str(port))
            .status(1)
            .held_by(heir)
            .cause("inherited-descriptor")
            .says("inherit")
            .agrees()
        )
        answer.first_is("stop-holder").first_works()


@case(
    "the wrapper of a server was killed, the server lives on",
    "https://github.com/PrefectHQ/fastmcp/pull/3070",
    short=True,
)
def orphan_server(at):
    wrapper = at.start(["sh", "-c", "python3 -m http.server 38002 --bind 127.0.0.1; true"])
    at.up(38002)
    server = int(open(f"/proc/{wrapper.pid}/task/{wrapper.pid}/children").read())
    wrapper.kill()
    wrapper.wait()
    at.ask("--runtime", "python", "127.0.0.1:38002", uid=NOBODY).status(1).says("sudo|root")
    answer = at.ask("--runtime", "python", "127.0.0.1:38002").status(1).cause("listener").held_by(server).agrees()
    answer.first_is("stop-holder").first_works()


def holds(at, group, main, uid=0, port=3000):
    """In this group a program of the name `main` has started a server."""
    at.sh(f"rm -f server; cp /bin/bash {main}")
    server = at.start(
        [f"./{main}", "-c", f"python3 -m http.server {port} --bind 127.0.0.1 & echo $! >server; wait"], uid, group
    )
    at.up(port)
    return server, int(open("server").read())


APPS = "/user.slice/user-1000.slice/user@1000.service/app.slice"
STARTERS = [
    (f"{APPS}/app-gnome-code-4711.scope", "code", 1000),
    (f"{APPS}/app-org.kde.konsole-4711.scope", "konsole", 1000),
    (f"{APPS}/tmux-spawn-6f0e8a10-1111-2222-3333-444455556666.scope", "tmux", 1000),
    ("/user.slice/user-1000.slice/session-3.scope", "bash", 1000),
    ("/system.slice/snap.code.code-4711.scope", "code", 0),
    ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", "qemu", 0),
    ("/system.slice/ssh.service", "sshd", 0),
    ("/system.slice/cron.service", "cron", 0),
    ("/system.slice/actions.runner.example.service", "Runner.Listener", 0),
    ("/system.slice/docker.service", "dockerd", 0),
    ("/system.slice/system-getty.slice/getty@tty1.service", "login", 0),
]


@case("a server that an editor, a terminal, a login, cron or a runner started", short=True)
def started_by(at):
    at.booted_by_systemd()
    os.chmod(at.folder, 0o777)
    for group, main, uid in STARTERS:
        starter, server = holds(at, group, main, uid)
        answer = at.ask("--runtime", "python", "127.0.0.1:3000").status(1).held_by(server)
        answer.says_not(r"systemctl .*\b(stop|kill|restart)\b", f"the end of the server alone, not of {main}")
        answer.says(rf"\bkill {server}\b")
        at.sh(f"kill {server}; kill {starter.pid}", check=False)
        at.wait("the end", lambda: not at.sh("ss -Htln 'sport = :3000'"))
    for group, main in (("/system.slice/supervisor.service", "supervisord"), ("/system.slice/k3s.service", "k3s")):
        starter, server = holds(at, group, main)
        at.ask("--runtime", "python", "127.0.0.1:3000").status(1).says_not(r"systemctl .*\b(stop|kill|restart)\b")
        at.sh(f"kill {server}; kill {starter.pid}", check=False)
        at.wait("the end", lambda: not at.sh("ss -Htln 'sport = :3000'"))


ID = "0123456789abcdef" * 4


@case("a container on the host's network: of Kubernetes, docker, podman, of root and of a user", short=True)
def containers(at):
    at.booted_by_systemd()
    os.chmod(at.folder, 0o777)
    below = "/user.slice/user-1000.slice/user@1000.service/user.slice"
    for group, uid, wanted in (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-{ID}.scope",
            0,
            "kubelet|[Pp]od",
        ),
        (f"/system.slice/docker-{ID}.scope", 0, "docker (stop|rm|kill) [^ ]*0123456789ab"),
        (f"/machine.slice/libpod-{ID}.scope/container", 0, "podman (stop|rm|kill) [^ ]*0123456789ab"),
        (f"{below}/libpod-{ID}.scope/container", 1000, "podman|container"),
    ):
        starter, server = holds(at, group, "app", uid)
        answer = at.ask("--runtime", "python", "127.0.0.1:3000").status(1).says(wanted)
        if uid:
            commands = [s["command"] or "" for s in answer.suggestions]
            at.hold(
                not any(c.startswith(("podman ", "sudo podman ")) for c in commands),
                "root's podman is not asked",
                commands,
            )
        at.sh(f"kill {server}; kill {starter.pid}", check=False)
        at.wait("the end", lambda: not at.sh("ss -Htln 'sport = :3000'"))


@case("24 workers, with their master and without it", needs="nginx-light", short=True)
def workers(at):
    at.write(
        "nginx.conf",
        f"daemon off; worker_processes 24; pid {at.folder}/pid; error_log stderr crit; events {{}}"
        " http { access_log off; server { listen 8088; } }",
    )
    master = at.start(f"nginx -c {at.folder}/nginx.conf")
    at.up(8088)
    children = lambda: open(f"/proc/{master.pid}/task/{master.pid}/children").read().split()
    at.wait("24 workers", lambda: len(children()) == 24)
    at.ask("--runtime", "nginx", "0.0.0.0:8088").status(1).held_by(master).says(rf"kill {master.pid}\b").says_not(
        "kill[^:]*…"
    ).agrees()
    master.kill()
    master.wait()
    answer = at.ask("--runtime", "nginx", "0.0.0.0:8088").status(1).says_not("kill[^:]*…").agrees()
    answer.first_is("stop-holder").first_works()


@case("80 workers in a group of their own, 80 among others", short=True)
def many_workers(at):
    script = "l = listener(8089)\nfor i in range(80):\n    if os.fork() == 0: time.sleep(90)\n"
    at.python(script + "ready(); os._exit(0)")
    at.ready()
    at.wait("the parent's end", lambda: at.started[-1].poll() is not None)
    bystander = at.start("sleep 90")
    at.ask("127.0.0.1:8089").status(1).says(r"kill -- -\d+").agrees().first_works(spares=[bystander])
    # The parent is of the group, and has closed the socket.
    parent = at.python(script + "l.close(); ready(); time.sleep(90)")
    at.ready()
    at.ask("127.0.0.1:8089").status(1).says(rf"pkill -P {parent.pid}\b").agrees().first_works(
        spares=[parent, bystander]
    )


@case(
    "sshd holds ports for logins, ssh for its own forwarding",
    "https://github.com/anderspitman/SirTunnel/issues/15",
    "https://github.com/neutrinolabs/xrdp/issues/3451",
    needs="openssh-server openssh-client",
    short=True,
)
def forwardings(at):
    at.booted_by_systemd()
    at.sh(
        "mkdir -p /run/sshd; mount -t tmpfs tmpfs /root;"
        " for k in host id; do ssh-keygen -q -t ed25519 -N '' -f $k; done;"
        " cp id.pub authorized; chmod 600 authorized"
    )
    at.write(
        "sshd.conf",
        f"Port 2222\nListenAddress 127.0.0.1\nHostKey {at.folder}/host\nAuthorizedKeysFile {at.folder}/authorized\n"
        "PermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\n",
    )
    daemon = at.start(f"/usr/sbin/sshd -D -f {at.folder}/sshd.conf")
    at.up(2222)
    ssh = (
        f"ssh -i {at.folder}/id -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        " -o LogLevel=ERROR 127.0.0.1 -N "
    )
    at.start(ssh + "-R 11369:127.0.0.1:80")
    at.up(11369)
    answer = (
        at.ask("127.0.0.1:11369")
        .status(1)
        .says("ssh -R")
        .says("login")
        .says("ClientAlive")
        .says_not(r"(stop|end) sshd\b")
        .agrees()
    )
    # To go elsewhere ends nobody's session.
    answer.first_is("other-port").first_works("stop-holder", spares=[daemon])
    client = at.start(ssh + "-L 18080:127.0.0.1:80")
    at.up(18080)
    at.ask("127.0.0.1:18080").status(1).held_by(client).first_is("stop-holder").first_works(spares=[daemon])


@case(
    "a user's own systemd holds the port for a unit below ~/.config",
    "https://github.com/ikatson/rqbit/issues/600",
    needs="systemd",
)
def user_manager(at):
    uid, home = 65533, f"{at.folder}/home"
    group = f"/user.slice/user-{uid}.slice/user@{uid}.service"
    at.booted_by_systemd()
    at.group(f"{group}/init.scope")
    units = f"{home}/.config/systemd/user"
    at.write(f"{units}/web.socket", "[Socket]\nListenStream=127.0.0.1:3030\n")
    at.write(f"{units}/web.service", "[Service]\nExecStart=/bin/sleep 60\n")
    at.write(
        f"{units}/app.service",
        "[Service]\nExecStart=/usr/bin/python3 -m http.server 3031 --bind 127.0.0.1\nRestart=always\n",
    )
    at.sh(
        f"mount -t tmpfs tmpfs /etc/systemd/user; cd {units}; mkdir default.target.wants runtime;"
        " ln -s ../web.socket ../app.service default.target.wants;"
        f" chown -R {uid}:{uid} {home} /run/field-groups{group};"
        f" chmod 700 runtime"
    )
    manager = at.start(
        "/lib/systemd/systemd --user",
        uid=uid,
        group=f"{group}/init.scope",
        env={"HOME": home, "XDG_RUNTIME_DIR": f"{units}/runtime"},
    )
    at.up(3030)
    at.up(3031)
    answer = at.ask("--runtime", "rust", "127.0.0.1:3030").status(1).held_by(manager).agrees()
    answer.says_not(rf"kill ([^ ]+ )*{manager.pid}\b").says(r"systemctl.* --user.*(list-sockets|web\.socket)")
    at.ask("127.0.0.1:3030", uid=NOBODY).status(1)
    at.ask("127.0.0.1:3030", uid=uid).status(1).says_not(rf"kill ([^ ]+ )*{manager.pid}\b")
    at.ask("--runtime", "python", "127.0.0.1:3031").status(1).says(r"systemctl .*--user.* stop .*app\.service").agrees()
