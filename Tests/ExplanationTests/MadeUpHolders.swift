import BindRules
import Explanation
import SocketModel

// Ports by who has them: units, containers, logins, supervisors, crowds. Each is asked by root, or by alice (uid 1000).

private let id = String(repeating: "0f", count: 32)
private let otherID = String(repeating: "1e", count: 32)
private let peer = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80))

private func listens(
  _ name: String, _ holders: ProcessRecord..., port: UInt16 = 8080, asked uid: UInt32 = 0, sudo: UInt32? = nil,
  of maker: UInt32? = 0, change: (inout SocketObservation) -> Void = { _ in }
) -> MadeUp {
  MadeUp(name, []) { row in
    var socket = made(
      .listen, uid: maker, owner: holders.isEmpty ? .hidden : .process, change: { $0.processes = holders })
    change(&socket)
    (row.sockets, row.port, row.host) = ([socket], port, madeUpHost(uid: uid, sudoUID: sudo))
  }
}

private func inContainer(_ pid: Int32, _ engine: String?, _ change: (inout ProcessRecord) -> Void = { _ in })
  -> ProcessRecord
{
  program(pid, "node") { record in
    (record.container, record.containerEngine) = (id, engine)
    change(&record)
  }
}

private func publishes(_ change: (inout ProcessRecord) -> Void = { _ in }) -> ProcessRecord {
  program(9, "docker-proxy") { record in
    (record.unit, record.forwardsTo) = ("docker.service", peer)
    change(&record)
  }
}

private func login(_ change: (inout ProcessRecord) -> Void = { _ in }) -> ProcessRecord {
  program(9, "sshd") { record in
    record.uid = 1000
    record.parents = [
      ParentProcess(pid: 8, command: "sshd", uid: 0), ParentProcess(pid: 1, command: "systemd", uid: 0),
    ]
    change(&record)
  }
}

private func workers(
  _ pids: ClosedRange<Int32>, _ command: String, _ change: (inout ProcessRecord) -> Void = { _ in }
)
  -> [ProcessRecord]
{
  pids.map { pid in
    program(pid, command) { record in
      record.parent = pid == pids.lowerBound ? 1 : pids.lowerBound
      change(&record)
    }
  }
}

private func heldBy(_ name: String, _ processes: [ProcessRecord], asked uid: UInt32 = 0) -> MadeUp {
  MadeUp(name, [made(.listen, owner: .process, change: { $0.processes = processes })]) {
    $0.host = madeUpHost(uid: uid)
  }
}

let madeUpHolders: [MadeUp] = [
  // Units.
  listens("the main process of a service", service(9, "web")),
  listens("the main process of a service, asked by a user", service(9, "web"), asked: 1000),
  listens("the main process of a service, asked with sudo", service(9, "web"), sudo: 1000),
  listens(
    "the main process of a service that has another program's socket", service(9, "web") { $0.uid = 33 }, of: 101),
  listens(
    "a worker of a service's program",
    program(9, "nginx") {
      $0.unit = "nginx.service"
      $0.unitMain = UnitMain(pid: 7, command: "nginx", executable: "/usr/bin/nginx")
    }),
  listens(
    "another program of a service",
    program(9, "nginx") {
      $0.unit = "web.service"
      $0.unitMain = UnitMain(pid: 7, command: "web", executable: "/usr/bin/web")
    }),
  listens(
    "a program of the same executable with another name",
    program(9, "nginx") {
      $0.unit = "web.service"
      $0.unitMain = UnitMain(pid: 7, command: "web", executable: "/usr/bin/nginx")
    }),
  listens(
    "another executable of the same name",
    program(9, "nginx") {
      $0.unit = "web.service"
      $0.unitMain = UnitMain(pid: 7, command: "nginx", executable: "/opt/nginx")
    }),
  listens(
    "a holder in a scope",
    program(9, "code") {
      $0.unit = "app-code-1.scope"
      $0.unitMain = UnitMain(pid: 9, command: "code", executable: "/usr/bin/code")
    }),
  heldBy("two services hold one socket", [service(9, "web"), service(10, "api")]),
  heldBy("a service and a program without one hold one socket", [service(9, "web"), program(10, "sleep")]),
  listens("a service of one's own manager", service(9, "web") { $0.userManager = 1000 }, asked: 1000),
  listens("a service of another user's manager", service(9, "web") { $0.userManager = 1000 }, asked: 1001),
  listens("a service of a user's manager, asked by root", service(9, "web") { $0.userManager = 1000 }),
  heldBy("services of two managers", [service(9, "web") { $0.userManager = 1000 }, service(10, "api")]),
  listens(
    "a service that monitors a container",
    program(9, "node") {
      $0.unit = "web.service"
      $0.unitMain = UnitMain(pid: 8, command: "conmon", executable: "/usr/bin/conmon")
    }),
  listens(
    "a service whose main process only calls itself conmon",
    program(9, "node") {
      $0.unit = "web.service"
      $0.unitMain = UnitMain(pid: 8, command: "conmon", executable: "/tmp/x")
    }),
  // Socket units.
  listens("a socket unit", program(1, "systemd"), service(70, "sshd") { $0.unit = "ssh.service" }) {
    $0.activation = SocketActivation(unit: "ssh.socket", activates: "ssh.service")
  },
  listens("a socket unit that nothing runs for, asked by a user", program(1, "systemd"), asked: 1000) {
    $0.activation = SocketActivation(unit: "ssh.socket", activates: "ssh.service")
  },
  listens(
    "a socket unit of one's own manager", program(70, "systemd") { ($0.isServiceManager, $0.uid) = (true, 1000) },
    asked: 1000
  ) { $0.activation = SocketActivation(unit: "web.socket", activates: "web.service", userManager: 1000) },
  listens(
    "a socket unit of another's manager", program(70, "systemd") { ($0.isServiceManager, $0.uid) = (true, 1000) },
    asked: 1001
  ) { $0.activation = SocketActivation(unit: "web.socket", activates: "web.service", userManager: 1000) },
  listens(
    "a socket unit with an instance of its template", program(1, "systemd"),
    service(70, "x") {
      $0.unit = "x@3.service"
    }
  ) { $0.activation = SocketActivation(unit: "x.socket", activates: "x@.service") },
  listens(
    "a socket unit whose socket a service has that it does not start", program(1, "systemd"),
    service(70, "other")
  ) { $0.activation = SocketActivation(unit: "x.socket", activates: "x.service") },
  listens("a socket unit with a holder of no unit", program(1, "systemd"), program(70, "other")) {
    $0.activation = SocketActivation(unit: "x.socket", activates: "x.service")
  },
  listens("a socket unit of which it is not known what it starts", program(1, "systemd"), asked: 1000) {
    $0.activation = SocketActivation(unit: "x.socket", activates: nil)
  },
  listens("a socket unit with a pattern for a name", program(1, "systemd")) {
    $0.activation = SocketActivation(unit: "*.socket", activates: "x.service")
  },
  listens("a socket unit of which its control group alone tells", asked: 1000) {
    $0.activation = SocketActivation(unit: "panel.socket", activates: "web.service")
  },
  listens("a socket unit of which its control group alone tells, with a template", asked: 1000) {
    $0.activation = SocketActivation(unit: "panel.socket", activates: "panel@.service")
  },
  listens("a socket unit of which its control group alone tells, and not what it starts", asked: 1000) {
    $0.activation = SocketActivation(unit: "panel.socket", activates: nil)
  },
  listens("a user's socket unit of which its control group alone tells", asked: 1000) {
    $0.activation = SocketActivation(unit: "panel.socket", activates: "web.service", userManager: 1000)
  },
  MadeUp(
    "a socket unit of UDP",
    [
      made(.close, program(1, "systemd"), reuseaddr: false) {
        $0.activation = SocketActivation(unit: "tftp.socket", activates: "tftp.service")
      }
    ]
  ) { ($0.transport, $0.port) = (.udp, 69) },
  // Managers.
  listens("systemd itself, without a unit", program(1, "systemd"), asked: 1000),
  listens(
    "a user's manager, without a unit", program(70, "systemd") { ($0.isServiceManager, $0.uid) = (true, 1000) }),
  listens(
    "a user's manager, without a unit, asked by that user",
    program(70, "systemd") { ($0.isServiceManager, $0.uid) = (true, 1000) }, asked: 1000),
  listens("a program that only calls itself systemd", program(70, "systemd")),
  listens("the first process of a container, seen from inside", program(1, "node")),
  // Containers.
  listens("a container of Docker", inContainer(9, "docker") { $0.containerName = "web" }, asked: 1000),
  listens("a container of Docker without a name", inContainer(9, "docker")),
  listens("a container of Podman", inContainer(9, "podman")),
  listens("a container of nerdctl", inContainer(9, "nerdctl")),
  listens("a container of LXC", inContainer(9, "lxc") { $0.container = "web" }),
  listens("a container of LXC with a name like an option", inContainer(9, "lxc") { $0.container = "-web" }),
  heldBy("two containers of LXC", [inContainer(9, "lxc"), inContainer(10, "lxc") { $0.container = otherID }]),
  heldBy(
    "two containers of Docker", [inContainer(9, "docker"), inContainer(10, "docker") { $0.container = otherID }]),
  heldBy(
    "containers of two engines", [inContainer(9, "docker"), inContainer(10, "podman") { $0.container = otherID }]),
  heldBy("a container and a program of the host", [inContainer(9, "docker"), program(10, "sleep")]),
  listens("a container of an engine that is not known", inContainer(9, nil)),
  listens("a container of an engine that is new", inContainer(9, "kata")),
  listens("a user's own container", inContainer(9, "podman") { $0.userManager = 1000 }, asked: 1000),
  listens(
    "a user's own container, asked by another", inContainer(9, "podman") { $0.userManager = 1000 }, asked: 1001),
  heldBy(
    "containers of two users",
    [
      inContainer(9, "podman") { $0.userManager = 1000 }, inContainer(10, "podman") { $0.container = otherID },
    ]),
  listens("a pod", inContainer(9, "kubernetes") { $0.containerName = "web-1/nginx" }, asked: 1000),
  listens("a pod without a name", inContainer(9, "kubernetes")),
  listens("what a user calls a pod", inContainer(9, "kubernetes") { $0.userManager = 1000 }),
  listens("a container whose root made the socket", inContainer(9, "docker") { $0.uid = 100_033 }, of: 100_000),
  listens("docker-proxy", publishes(), asked: 1000),
  listens(
    "docker-proxy for a container that is known",
    publishes {
      ($0.container, $0.containerName, $0.containerEngine) = (id, "web", "docker")
    }),
  listens("a user's docker-proxy", publishes { $0.userManager = 1000 }),
  listens("conmon", program(9, "conmon")),
  listens(
    "conmon for a container that is known",
    program(9, "conmon") {
      ($0.container, $0.containerEngine, $0.containerName) = (id, "podman", "web")
    }),
  listens("rootlessport", program(9, "rootlessport") { $0.userManager = 1000 }, asked: 1000),
  listens("rootlesskit", program(9, "rootlesskit")),
  listens("rootlesskit of Docker", program(9, "rootlesskit") { $0.unit = "docker.service" }),
  MadeUp("docker-proxy of UDP", [made(.close, publishes(), reuseaddr: false)]) { $0.transport = .udp },
  // Logins.
  listens("a login's forwarding", login(), port: 9000),
  listens("a login's forwarding, asked by that user", login(), port: 9000, asked: 1000, of: 1000),
  listens("a login's forwarding whose user is not known", login { $0.uid = nil }, port: 9000),
  listens("a login's X11 display", login(), port: 6010, of: 1000) { $0.local.address = .v4(.loopback) },
  listens("a login's last X11 display", login(), port: 6999, of: 1000) { $0.local.address = .v4(.loopback) },
  listens("no X11 display: the port is one too low", login(), port: 6009, of: 1000) {
    $0.local.address = .v4(.loopback)
  },
  listens("no X11 display: not on loopback", login(), port: 6010, of: 1000),
  heldBy("two logins", [login(), login { ($0.pid, $0.uid) = (12, 1001) }]),
  listens("ssh that forwards", program(9, "ssh"), asked: 1000),
  heldBy("three times ssh that forwards", [program(7, "ssh"), program(8, "ssh"), program(9, "ssh")]),
  listens("the daemon of ssh", service(9, "sshd")),
  // Supervisors.
  listens("under supervisord", program(9, "app") { $0.parents = [ParentProcess(pid: 7, command: "supervisord")] }),
  listens("under PM2", program(9, "node") { $0.parents = [ParentProcess(pid: 7, command: "PM2 v5.3.0: God")] }),
  listens(
    "under runsv, through a shell",
    program(9, "app") {
      $0.parents = [ParentProcess(pid: 8, command: "sh"), ParentProcess(pid: 7, command: "runsv")]
    }),
  // Passed sockets.
  listens("a socket that somebody passed", service(9, "dbus") { $0.uid = 101 }, of: 65534),
  listens(
    "a socket of the parent's user",
    program(9, "web") {
      ($0.uid, $0.parents) = (101, [ParentProcess(pid: 8, command: "web", uid: 100)])
    }, of: 100),
  // Inheritance.
  heldBy("a helper inherited the socket", [program(70, "server"), program(90, "mpv") { $0.parent = 70 }]),
  heldBy(
    "two helpers inherited the socket, their parent has gone",
    [
      program(90, "mpv") { $0.parent = 1 }, program(91, "feh") { $0.parent = 1 },
    ]),
  heldBy(
    "four programs hold the socket",
    [
      program(70, "server"), program(90, "mpv") { $0.parent = 70 }, program(91, "feh") { $0.parent = 70 },
      program(92, "zip") { $0.parent = 70 },
    ]),
  listens(
    "an heir that nobody else holds it with",
    program(90, "mpv") {
      ($0.isParentGone, $0.closesOnExec, $0.sleepsIn) = (true, false, "do_wait")
    }),
  heldBy(
    "two heirs of one program",
    [
      program(90, "mpv") { ($0.isParentGone, $0.closesOnExec, $0.sleepsIn) = (true, false, "do_wait") },
      program(91, "mpv") { ($0.parent, $0.closesOnExec, $0.sleepsIn) = (90, false, "pipe_read") },
    ]),
  // States.
  listens("a stopped program", program(9, "vim") { $0.isStopped = true }, asked: 1000, of: 1000),
  listens("a traced program", program(9, "app") { $0.tracer = ParentProcess(pid: 12, command: "gdb") }),
  listens("a program that ignores SIGTERM", program(9, "bash") { $0.ignoresTermination = true }),
  heldBy(
    "two traced by two",
    [
      program(9, "app") { $0.tracer = ParentProcess(pid: 12, command: "gdb") },
      program(10, "app") { $0.tracer = ParentProcess(pid: 13, command: "gdb") },
    ]),
  heldBy(
    "one of two ignores SIGTERM, the other is stopped",
    [
      program(9, "app") { $0.ignoresTermination = true }, program(10, "app") { $0.isStopped = true },
    ]),
  heldBy(
    "nginx, whose worker is stopped",
    [
      program(9, "nginx"), program(10, "nginx") { ($0.parent, $0.isStopped) = (9, true) },
    ]),
  // Crowds.
  heldBy("a parent and its workers that end with it", workers(70...73, "nginx")),
  heldBy("a parent and its workers of another server", workers(70...73, "mine")),
  heldBy("thirty-two that nothing connects", (70...101).map { pid in program(pid, "mine") { $0.parent = 1 } }),
  heldBy("thirty-three that nothing connects", (70...102).map { pid in program(pid, "mine") { $0.parent = 1 } }),
  heldBy(
    "thirty-three of a process group",
    (70...102).map { pid in
      program(pid, "mine") { ($0.parent, $0.group, $0.groupSize) = (1, 70, 33) }
    }),
  heldBy(
    "thirty-three children of one parent",
    (70...102).map { pid in
      program(pid, "mine") {
        ($0.parent, $0.siblings, $0.parents) = (60, 33, [ParentProcess(pid: 60, command: "mine")])
      }
    }),
  heldBy(
    "thirty-three children of a shell",
    (70...102).map { pid in
      program(pid, "mine") {
        ($0.parent, $0.siblings, $0.parents) = (60, 33, [ParentProcess(pid: 60, command: "bash")])
      }
    }),
  heldBy(
    "thirty-three of a process group, one of them stopped",
    (70...102).map { pid in
      program(pid, "mine") { ($0.parent, $0.group, $0.groupSize, $0.isStopped) = (1, 70, 33, pid == 70) }
    }),
  heldBy(
    "a worker whose parent another user runs",
    [
      program(9, "nginx") { ($0.parent, $0.parents) = (8, [ParentProcess(pid: 8, command: "nginx", uid: 0)]) }
    ], asked: 1000),
  heldBy(
    "a worker whose parent is known to hold it too",
    [
      program(8, "nginx") { $0.parent = 1 },
      program(9, "nginx") { ($0.parent, $0.parents) = (8, [ParentProcess(pid: 8, command: "nginx", uid: 0)]) },
    ], asked: 1000),
  listens("a program's socket that a report calls the kernel's", program(9, "nfsd")) {
    $0.kernelOwner = KernelOwner(kind: .nfsd)
  },
  // Names.
  listens("a program with a hostile name", program(9, "nginx (pid 812), \"x\"")),
  listens(
    "a program with a hostile name under a supervisor with one",
    program(9, "a b") {
      $0.parents = [ParentProcess(pid: 7, command: "PM2 (pid 1), x")]
    }),
  MadeUp(
    "programs that are asked for by several names",
    [
      made(.listen, "127.0.0.1", program(9, "web")), made(.listen, "127.0.0.2", program(10, "api")),
      made(.listen, "127.0.0.3", program(11, "db")),
    ]),
  // Stories.
  listens(
    "a story",
    program(9, "python3") {
      ($0.uid, $0.startedAt, $0.workingDirectory) = (1000, 90_000, "/home/alice/shop")
    }),
]
