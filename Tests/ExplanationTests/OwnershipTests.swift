import BindRules
import Explanation
import Glibc
import SocketModel
import Testing

private func process(
  _ pid: Int32, _ command: String, unit: String? = nil, executable: String? = nil, parent: Int32? = nil
) -> ProcessRecord {
  var record = ProcessRecord(pid: pid, command: command, executable: executable, descriptors: [3], unit: unit)
  record.parent = parent
  // What systemd started itself, unless a test says otherwise.
  record.unitMain = unit.map { _ in UnitMain(pid: pid, command: command, executable: executable) }
  return record
}

private func listener(_ processes: [ProcessRecord], owner: SocketOwner = .process) -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(8080)), state: .listen,
    reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), uid: 0, inode: 1, owner: owner,
    processes: processes)
}

private func explanation(
  _ sockets: [SocketObservation], transport: TransportProtocol = .tcp, uid: UInt32 = 0, sudoUID: UInt32? = nil
) -> Diagnosis {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid)
  host.sudoUID = sudoUID
  host.unprivilegedPortStart = 1024
  host.interfaces = []
  var attempt = BindAttempt(
    transport: transport, address: .v4(.any), port: sockets.first?.local.port ?? Port(8080), v6only: false,
    device: nil,
    uid: 0)
  attempt.mayBindPrivileged = true
  let snapshot = Snapshot(host: host, sockets: sockets)
  return explain(
    Situation(attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot), planned: [], snapshot: snapshot))
}

private func command(
  _ sockets: [SocketObservation], kind: Suggestion.Kind = .stopHolder, uid: UInt32 = 0, sudoUID: UInt32? = nil
) -> String? {
  explanation(sockets, uid: uid, sudoUID: sudoUID).suggestions.first { $0.kind == kind }?.command?.text
}

@Suite("A crowd on one port")
struct CrowdedPortTests {
  /// Four times as many sockets take 4 times as long where the time grows with their number, 16 times where with its
  /// square.
  @Test("is explained", arguments: [SocketState.established, .listen, .close])
  func explained(_ state: SocketState) {
    #expect(explanation(crowd(2_000, state), transport: state == .close ? .udp : .tcp).cause != nil)
  }

  @Test(
    "is explained in time that grows with the number of its sockets",
    .enabled(if: getenv("PORTWHY_CHURN_RUNS") != nil, "make churn judges growth, no busy machine does"),
    arguments: [SocketState.established, .listen, .close])
  func growth(_ state: SocketState) {
    let few = crowd(2_000, state)
    let many = crowd(8_000, state)
    let ratio = Double(processorTime(many, state)) / Double(max(1, processorTime(few, state)))
    #expect(ratio < 9, "\(ratio)")
  }

  private func crowd(_ count: Int, _ state: SocketState) -> [SocketObservation] {
    (0..<count).map { number in
      var socket = listener([process(Int32(number % 4000) + 2, "server")])
      socket.transport = state == .close ? .udp : .tcp
      socket.state = state
      socket.reuseport = .known(true, .getsockopt)
      let peer = Endpoint(address: .v4(.loopback), port: Port(UInt16(number) + 1024))
      socket.remote = state == .established ? peer : nil
      return socket
    }
  }

  /// Nanoseconds that this thread worked, the shorter of two runs.
  private func processorTime(_ sockets: [SocketObservation], _ state: SocketState) -> Int {
    (0..<2).map { _ in
      let start = threadTime()
      #expect(explanation(sockets, transport: state == .close ? .udp : .tcp).cause != nil)
      return threadTime() - start
    }.min() ?? 0
  }

  private func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

@Suite("The chain of ownership")
struct OwnershipTests {
  @Test("a socket-activated port is given up by its socket unit and the service, and changed in the unit")
  func activation() {
    var socket = listener([process(1, "systemd"), process(70, "sshd", unit: "ssh.service")])
    socket.activation = SocketActivation(unit: "ssh.socket", activates: "ssh.service")
    #expect(command([socket]) == "systemctl stop ssh.socket ssh.service")
    #expect(command([socket], kind: .changeSocketUnit) == "systemctl edit ssh.socket")
    #expect(
      explanation([socket]).headline
        == "8080/tcp is taken: systemd (pid 1 and 1 more, uid 0, for ssh.socket) listens on 0.0.0.0:8080")
    func note() -> String? { explanation([socket]).notes.first { $0.kind == .socketActivation }?.text }
    let holds = "holds the port for ssh.socket and starts ssh.service when needed"
    #expect(note() == "systemd " + holds)
    socket.activation?.userManager = 1000
    #expect(note() == "systemd of uid 1000 " + holds)
    #expect(command([socket], uid: 1000) == "systemctl --user stop ssh.socket ssh.service")
  }

  @Test("nobody is told to kill systemd")
  func processOne() {
    let socket = listener([process(1, "systemd"), process(70, "x")])
    #expect(command([socket]) == nil)
    #expect(command([socket], kind: .findHolder) == "systemctl list-sockets")
  }

  @Test("a published port is stopped with its container, not with docker.service")
  func dockerProxy() {
    var proxy = process(9, "docker-proxy", unit: "docker.service", executable: "/usr/bin/docker-proxy")
    proxy.forwardsTo = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80))
    #expect(command([listener([proxy])]) == nil, "docker's filter finds other addresses and protocols too")
    #expect(command([listener([proxy])], kind: .findHolder) == "docker ps --filter publish=8080")
    #expect(
      explanation([listener([proxy])]).notes.contains {
        $0.text == "docker-proxy publishes 172.17.0.2:80 of a container on this port"
      })
    (proxy.container, proxy.containerEngine) = (String(repeating: "0f", count: 32), "docker")
    #expect(command([listener([proxy])]) == "docker stop 0f0f0f0f0f0f")
    proxy.containerName = "web"
    let known = explanation([listener([proxy])])
    #expect(known.headline.contains("docker-proxy (pid 9, uid 0, for container web)"), "\(known.headline)")
    #expect(known.suggestions.contains { $0.text == "stop container web (0f0f0f0f0f0f)" })
    #expect(
      known.notes.contains {
        $0.text == "docker-proxy publishes 172.17.0.2:80 of container web (0f0f0f0f0f0f) on this port"
      })
    var other = proxy
    (other.pid, other.container, other.containerName) = (10, String(repeating: "1e", count: 32), nil)
    #expect(command([listener([proxy]), listener([other])]) == "docker stop 0f0f0f0f0f0f 1e1e1e1e1e1e")
    other.container = nil
    #expect(command([listener([proxy]), listener([other])]) == nil, "one of two is not enough")
  }

  @Test("a helper that holds a port for a container which is not known is looked into, not ended")
  func publishers() {
    for (program, unit, expected) in [
      ("conmon", nil, "podman ps"), ("rootlessport", nil, "podman ps"), ("rootlesskit", nil, nil),
      ("rootlesskit", "docker.service", "docker ps --filter publish=8080"),
    ] {
      let socket = listener([process(9, program, unit: unit, executable: "/usr/bin/\(program)")])
      #expect(command([socket]) == nil, "\(program)")
      #expect(command([socket], kind: .findHolder) == expected)
    }
  }

  @Test(
    "a process in a container is stopped by the container's own engine",
    arguments: [
      ("docker", "docker stop 0f0f0f0f0f0f"), ("podman", "podman stop 0f0f0f0f0f0f"),
      ("nerdctl", "nerdctl stop 0f0f0f0f0f0f"), (nil, "kill 9"),
    ])
  func container(_ engine: String?, _ expected: String) {
    var inside = process(9, "nginx")
    inside.container = String(repeating: "0f", count: 32)
    inside.containerEngine = engine
    #expect(command([listener([inside])]) == expected)
  }

  @Test("a pod is not stopped by hand: the kubelet would start its container again")
  func pod() {
    var inside = process(9, "nginx")
    inside.container = String(repeating: "0f", count: 32)
    inside.containerEngine = "kubernetes"
    inside.containerName = "web-1/nginx"
    #expect(command([listener([inside])]) == nil)
    #expect(command([listener([inside])], kind: .findHolder) == "crictl ps --id 0f0f0f0f0f0f")
    let found = explanation([listener([inside])]).suggestions.first { $0.kind == .findHolder }
    #expect(found?.text.contains("the pod of container web-1/nginx") == true)
  }

  @Test("a container of a user's own engine is named to everybody else, who get no command")
  func rootless() {
    var inside = process(9, "node")
    inside.container = String(repeating: "0f", count: 32)
    inside.containerEngine = "podman"
    inside.userManager = 1000
    inside.containerName = "web"
    let socket = listener([inside])
    #expect(command([socket], uid: 1000) == "podman stop 0f0f0f0f0f0f")
    #expect(command([socket], uid: 0, sudoUID: 1000) == "podman stop 0f0f0f0f0f0f", "typed without sudo")
    for uid: UInt32 in [0, 1001] {
      let found = explanation([socket], uid: uid).suggestions.filter { [.stopHolder, .findHolder].contains($0.kind) }
      let text = "find and stop container web (0f0f0f0f0f0f), with podman as uid 1000"
      #expect(found.map(\.text) == [text] && found.allSatisfy { $0.command == nil && $0.certainty != .checked })
    }
    var proxy = process(9, "docker-proxy", unit: "docker.service")
    proxy.forwardsTo = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80))
    proxy.userManager = 1000
    let published = explanation([listener([proxy])]).suggestions.first { $0.kind == .findHolder }
    let helped = "the container at 172.17.0.2 for which docker-proxy (pid 9) holds the port"
    #expect(published?.text == "find and stop \(helped), with docker as uid 1000")
    #expect(published?.command == nil && command([listener([proxy])]) == nil)
  }

  @Test("a socket that none of its holders can have made ends no holder")
  func passed() {
    func held(by holder: ProcessRecord, from maker: UInt32?) -> SocketObservation {
      var socket = listener([holder])
      socket.uid = maker
      return socket
    }
    var bus = process(9, "dbus-daemon", unit: "dbus.service")
    bus.uid = 101
    let found = explanation([held(by: bus, from: 65534)]).suggestions.filter {
      [.stopHolder, .findHolder].contains($0.kind)
    }
    let text = "find and stop the socket that uid 65534 made and dbus-daemon (pid 9) got from somebody"
    #expect(found.map(\.text) == [text] && found.allSatisfy { $0.command == nil && $0.certainty != .checked })
    for maker: UInt32? in [0, 101, nil] {
      #expect(command([held(by: bus, from: maker)]) == "systemctl stop dbus.service", "\(String(describing: maker))")
    }
    var worker = process(9, "web", unit: "web.service", executable: "/srv/web")
    worker.uid = 101
    worker.unitMain = UnitMain(pid: 8, command: "web", executable: "/srv/web")
    worker.parents = [ParentProcess(pid: 8, command: "web", uid: 100)]
    #expect(command([held(by: worker, from: 100)]) == "kill 9", "of the main process")
    #expect(command([held(by: worker, from: 102)]) == nil)
    var maker = process(7, "nc")
    maker.uid = 65534
    var both = held(by: bus, from: 65534)
    both.processes.append(maker)
    #expect(command([both]) == nil, "its maker has it as well")
    worker.unit = nil
    #expect(command([held(by: worker, from: 102)]) == nil, "of no unit")
    var inside = process(9, "web")
    (inside.uid, inside.container, inside.containerEngine) = (100_033, String(repeating: "0f", count: 32), "docker")
    #expect(command([held(by: inside, from: 100_000)]) == "docker stop 0f0f0f0f0f0f", "made by the container's root")
    var connection = held(by: bus, from: 65534)
    (connection.state, connection.remote) = (.established, Endpoint(address: .v4(.loopback), port: 9))
    #expect(command([connection]) == nil, "a connection is handed on like a listener")
  }

  @Test("a process of which only the number is known is ended by no command, whatever is known of its socket")
  func unread() {
    var unread = ProcessRecord(pid: 9, command: "", descriptors: [3])
    for maker: UInt32? in [nil, 0, 65534] {
      var socket = listener([unread])
      socket.uid = maker
      let found = explanation([socket]).suggestions.filter { [.stopHolder, .findHolder].contains($0.kind) }
      #expect(found.map(\.text) == ["find and end what pid 9 is: somebody keeps who looks at it waiting"])
      #expect(found.allSatisfy { $0.command == nil && $0.certainty != .checked })
      #expect(command([listener([process(7, "nc"), unread])]) == nil, "beside one that is known")
    }
    unread.uid = 0
    #expect(command([listener([unread])]) == "kill 9", "one that has emptied its own name is known")
  }

  @Test("a unit that is a container is stopped by systemd, which would start the container again")
  func monitored() {
    var inside = process(9, "node", unit: "web.service")
    inside.unitMain = UnitMain(pid: 8, command: "conmon", executable: "/usr/bin/conmon")
    #expect(command([listener([inside])]) == "systemctl stop web.service")
  }

  /// Who holds the port in which unit, and what ends it.
  struct Place: Sendable, CustomTestStringConvertible {
    var says: String
    var unit: String
    var holder: ProcessRecord
    var main: UnitMain?
    var stopsUnit = false
    var testDescription: String { says }
  }

  private static func held(
    _ command: String, _ executable: String, uid: UInt32? = nil, below parents: [(Int32, String, UInt32)]? = nil
  ) -> ProcessRecord {
    var record = ProcessRecord(pid: 9, command: command, executable: executable, descriptors: [3])
    record.uid = uid
    record.parents = parents?.map { ParentProcess(pid: $0.0, command: $0.1, uid: $0.2) }
    return record
  }

  private static let places: [Place] = [
    Place(
      says: "the main process", unit: "web.service", holder: held("python3", "/usr/bin/python3"),
      main: UnitMain(pid: 9, command: "python3", executable: "/usr/bin/python3"), stopsUnit: true),
    Place(
      says: "a worker of the same program", unit: "nginx.service", holder: held("nginx", "/usr/sbin/nginx"),
      main: UnitMain(pid: 7, command: "nginx", executable: "/usr/sbin/nginx"), stopsUnit: true),
    Place(
      says: "a worker's worker, of another user than root's main process", unit: "nginx.service",
      holder: held("nginx", "/usr/sbin/nginx", uid: 33, below: [(8, "nginx", 33), (7, "nginx", 0)]),
      main: UnitMain(pid: 7, command: "nginx", executable: "/usr/sbin/nginx"), stopsUnit: true),
    Place(
      says: "the unit's own program, run as the user whose page it is", unit: "apache2.service",
      holder: held("apache2", "/usr/sbin/apache2", uid: 1001, below: [(8, "apache2", 33), (7, "apache2", 0)]),
      main: UnitMain(pid: 7, command: "apache2", executable: "/usr/sbin/apache2")),
    Place(
      says: "the unit's own program, run where mail is delivered", unit: "postfix.service",
      holder: held("master", "/usr/sbin/master", uid: 1001, below: [(8, "local", 0), (7, "master", 0)]),
      main: UnitMain(pid: 7, command: "master", executable: "/usr/sbin/master")),
    Place(
      says: "the unit's own program, whose parent has gone", unit: "web.service",
      holder: held("web", "/srv/web", uid: 1001, below: [(1, "systemd", 0)]),
      main: UnitMain(pid: 7, command: "web", executable: "/srv/web")),
    Place(
      says: "a worker of a program with a name of its own", unit: "web.service",
      holder: held("gunicorn", "/usr/bin/python3"),
      main: UnitMain(pid: 7, command: "gunicorn", executable: "/usr/bin/python3"), stopsUnit: true),
    Place(
      says: "a program that the unit's started", unit: "cron.service", holder: held("node", "/usr/bin/node"),
      main: UnitMain(pid: 7, command: "cron", executable: "/usr/sbin/cron")),
    Place(
      says: "another program of the same interpreter", unit: "supervisor.service",
      holder: held("python3", "/usr/bin/python3"),
      main: UnitMain(pid: 7, command: "supervisord", executable: "/usr/bin/python3")),
    Place(
      says: "an interpreter that may run anything", unit: "jenkins.service", holder: held("java", "/usr/bin/java"),
      main: UnitMain(pid: 7, command: "java", executable: "/usr/bin/java")),
    Place(
      says: "what a login's own program started", unit: "ssh.service", holder: held("sshd", "/usr/sbin/sshd"),
      main: UnitMain(pid: 7, command: "sshd", executable: "/usr/sbin/sshd")),
    Place(says: "a unit whose main process is not known", unit: "web.service", holder: held("web", "/srv/web")),
    Place(
      says: "a scope", unit: "app-code-1.scope", holder: held("web", "/srv/web"),
      main: UnitMain(pid: 9, command: "web", executable: "/srv/web")),
  ]

  @Test("a unit is stopped where it is there for the holder, else the holder alone", arguments: places)
  func unit(_ place: Place) {
    var holder = place.holder
    holder.unit = place.unit
    holder.unitMain = place.main
    #expect(command([listener([holder])]) == (place.stopsUnit ? "systemctl stop \(place.unit)" : "kill 9"))
  }

  @Test("a user's manager is named by its proof, never by its name, and never ended")
  func userManagers() {
    var manager = process(70, "anything")
    manager.isServiceManager = true
    manager.uid = 1000
    #expect(command([listener([manager])]) == nil)
    #expect(
      command([listener([manager])], kind: .findHolder, uid: 1000) == "systemctl --user list-sockets")
    #expect(
      command([listener([manager])], kind: .findHolder)
        == "sh -c 'systemctl --user -M 1000@ list-sockets 2>/dev/null'")
    #expect(command([listener([process(70, "systemd")])]) == "kill 70", "anybody may take the name")
    let first = listener([process(1, "node")])
    #expect(command([first]) == nil && command([first], kind: .findHolder) == nil, "the first of a pid namespace")
  }

  @Test("a unit whose control group alone tells that systemd has the port is stopped with its service")
  func hiddenUnit() {
    var socket = listener([], owner: .hidden)
    #expect(command([socket], uid: 1000) == nil)
    socket.activation = SocketActivation(unit: "panel.socket", activates: "web.service")
    #expect(command([socket], uid: 1000) == "sudo systemctl stop panel.socket web.service")
    socket.activation = SocketActivation(unit: "panel.socket", activates: "panel@.service")
    #expect(command([socket], uid: 1000) == "sudo systemctl stop panel.socket")
    socket.activation = SocketActivation(unit: "panel.socket", activates: nil)
    #expect(command([socket], uid: 1000) == nil, "what it starts may have the socket too")
    #expect(command([socket], kind: .findHolder, uid: 1000) == "systemctl list-sockets panel.socket")
    var other = socket
    other.activation = nil
    #expect(command([socket, other], uid: 1000) == nil, "somebody else is in the way too")
  }

  @Test("what a supervisor starts again is left to it")
  func supervised() {
    var app = process(9, "node")
    app.parents = [ParentProcess(pid: 8, command: "sh"), ParentProcess(pid: 7, command: "supervisord")]
    let explanation = explanation([listener([app])])
    #expect(command([listener([app])]) == nil)
    #expect(command([listener([app])], kind: .findHolder) == "supervisorctl status")
    #expect(explanation.notes.contains { $0.kind == .supervised && $0.text.contains("under supervisord") })
  }

  @Test(
    "each of them is known by its name, as a parent of whatever generation",
    arguments: [
      "supervisord", "runsv", "s6-supervise", "monit", "circusd", "nodemon", "forever", "PM2 v6.0.0: God",
    ])
  func supervisors(_ name: String) {
    var app = process(9, "node")
    for parents in [[name], ["sh", name], ["sh", "npm", name, "systemd"]] {
      app.parents = parents.enumerated().map { ParentProcess(pid: Int32(8 - $0.offset), command: $0.element) }
      #expect(explanation([listener([app])]).notes.map(\.kind) == [.supervised], "\(parents)")
      let list = name == "supervisord" ? "supervisorctl status" : nil
      #expect(command([listener([app])], kind: .findHolder) == list && command([listener([app])]) == nil)
    }
    for other in ["", "supervisor", "PM2", "runsvdir", "pm2 x"] {
      app.parents = [ParentProcess(pid: 8, command: other)]
      #expect(command([listener([app])]) == "kill 9", "\(other)")
    }
  }

  @Test(
    "a service of what starts anything is not stopped for what it started",
    arguments: [
      "sshd", "sshd-session", "dropbear", "login", "cron", "crond", "atd", "tmux", "screen", "emacs", "dockerd",
      "containerd", "podman", "crio", "k3s", "kubelet", "libvirtd", "supervisord", "dotnet", "sh", "python3.11",
      "node",
      "java", "ruby3.1", "perl", "php8.2", "bash", "dash", "beam.smp", "deno", "bun", "lua5.4",
    ])
  func startsOthers(_ name: String) {
    var holder = process(9, name, executable: "/usr/bin/\(name)")
    holder.unit = "x.service"
    holder.unitMain = UnitMain(pid: 7, command: name, executable: "/usr/bin/\(name)")
    #expect(command([listener([holder])]) == "kill 9")
    holder.unitMain?.pid = 9
    #expect(command([listener([holder])]) == "systemctl stop x.service", "the main process itself")
    var other = process(9, "x" + name, executable: "/usr/bin/x\(name)")
    other.unit = "x.service"
    other.unitMain = UnitMain(pid: 7, command: "x" + name, executable: "/usr/bin/x\(name)")
    #expect(command([listener([other])]) == "systemctl stop x.service", "another name")
  }

  @Test(
    "workers of servers that are known end with their parent",
    arguments: [
      "nginx", "apache2", "httpd", "haproxy", "gunicorn",
    ])
  func endsWithParent(_ name: String) {
    func kill(_ short: String, _ executable: String) -> String? {
      command([
        listener([
          process(70, short, executable: executable), process(71, short, executable: executable, parent: 70),
        ])
      ])
    }
    #expect(kill(name, "/usr/bin/\(name)") == "kill 70")
    #expect(kill(name, "/usr/bin/python3") == "kill 70", "by the name it gave itself")
    #expect(kill("x", "/usr/bin/\(name)") == "kill 70", "by its file")
    #expect(kill("x" + name, "/usr/bin/x\(name)") == "kill 70 71")
    #expect(kill(name, "/usr/bin/\(name) (deleted)") == "kill 70")
  }

  @Test(
    "the children of a shell are no group that a signal may be sent to",
    arguments: [
      "bash", "zsh", "fish", "ksh", "mksh", "dash", "sh", "tcsh", "xonsh",
    ])
  func shells(_ name: String) {
    let crowd = (Int32(70)..<110).map { pid in
      var one = process(pid, "mine", executable: "/bin/mine", parent: 60)
      (one.siblings, one.parents) = (40, [ParentProcess(pid: 60, command: name)])
      return one
    }
    #expect(command([listener(crowd)]) == (name == "xonsh" ? "pkill -P 60" : nil))
  }

  @Test(
    "the sshd of a login is what the daemon started, by whatever name",
    arguments: [
      ("sshd", "sshd", true), ("sshd-session", "sshd", true), ("dropbear", "dropbear", true),
      ("sshd", "sshd-session", true),
      ("sshd", "systemd", false), ("nginx", "sshd", false), ("xsshd", "sshd", false),
    ])
  func loginServers(_ name: String, _ parent: String, _ serves: Bool) {
    var session = process(9, name, executable: "/usr/sbin/\(name)")
    session.parents = [ParentProcess(pid: 8, command: parent), ParentProcess(pid: 1, command: "systemd")]
    #expect(session.servesLogin == serves)
  }

  @Test("the sshd of one login is known by the instance of its unit, too, which distributions name differently")
  func loginUnit() {
    #expect(process(9, "sshd", unit: "sshd@7-10.0.0.1:22-10.0.0.2:50000.service").servesLogin)
    #expect(process(9, "sshd", unit: "ssh@7-10.0.0.1:22-10.0.0.2:50000.service").servesLogin)
    #expect(!process(9, "sshd", unit: "sshd.service").servesLogin)
    #expect(!process(9, "nginx", unit: "sshd@7-10.0.0.1:22-10.0.0.2:50000.service").servesLogin)
  }

  @Test("what many hold is forwarded in one sentence")
  func forwardings() {
    let notes = explanation([listener([7, 8, 9].map { process($0, "ssh", executable: "/usr/bin/ssh") })]).notes
    #expect(
      notes.filter { $0.kind == .loginForwarding }.map(\.text) == [
        "ssh (pid 7), ssh (pid 8) and 1 more forward the port to another host (ssh -L or -D): to end one of them ends"
          + " the whole session"
      ])
  }

  @Test("a login's sshd is no daemon: the login is named, and what moves its forwarding")
  func login() {
    var session = process(9, "sshd", executable: "/usr/sbin/sshd")
    session.uid = 1000
    session.parents = [ParentProcess(pid: 8, command: "sshd"), ParentProcess(pid: 1, command: "systemd")]
    var forwarded = listener([session])
    let remote = explanation([forwarded])
    #expect(remote.notes.contains { $0.text.contains("for an ssh login (ssh -R): to end it ends the whole session") })
    #expect(
      remote.suggestions.contains {
        $0.kind == .stopHolder && $0.text.hasPrefix("end the ssh login that sshd (pid 9) serves, with its shell")
          && $0.command?.text == "kill 9"
      })
    #expect(remote.suggestions.contains { $0.kind == .changeSetting && $0.text.contains("ClientAliveInterval") })
    forwarded.local = Endpoint(address: .v4(.any), port: Port(8443))
    #expect(explanation([forwarded]).suggestions.first?.kind == .stopHolder, "no other port is known")
    forwarded.local = Endpoint(address: .v4(.any), port: Port(443))
    #expect(
      explanation([forwarded]).suggestions.map(\.kind).prefix(2) == [.otherPort, .stopHolder], "the safest first")
    forwarded.local = Endpoint(address: .v4(.loopback), port: Port(6010))
    #expect(story(of: session, at: 0, user: { "uid \($0)" }) == "sshd (pid 9, uid 1000, for an ssh login)")
    session.parents = [ParentProcess(pid: 1, command: "systemd")]
    #expect(explanation([listener([session])]).suggestions.contains { $0.text == "end sshd" }, "the daemon")
  }

  @Test("one parent is enough where its workers end with it, else all are named, parents first")
  func workers() {
    func workers(_ name: String) -> SocketObservation {
      listener((70...73).map { process($0, name, executable: "/bin/\(name)", parent: $0 == 72 ? 1 : 72) })
    }
    #expect(command([workers("nginx")]) == "kill 72")
    #expect(command([workers("mine")]) == "kill 72 70 71 73")
    let named = (70...73).map { process($0, "nginx", executable: "/home/x/nginx", parent: $0 == 72 ? 1 : 72) }
    #expect(command([listener(named)]) == "kill 72 70 71 73", "anybody may call his own program so")
    let orphans = listener((70...93).map { process($0, "nginx", executable: "/bin/nginx", parent: 1) })
    #expect(command([orphans])?.split(separator: " ").count == 25)
  }

  @Test("thousands are ended as the group or the children that they are, exactly, and else only counted")
  func crowd() {
    func crowd(group: Int32?, groupSize: Int?, siblings: Int?, parent: Int32 = 60) -> SocketObservation {
      listener(
        (Int32(70)..<4070).map { pid in
          var one = process(pid, "mine", executable: "/bin/mine", parent: parent)
          (one.group, one.groupSize, one.siblings) = (group, groupSize, siblings)
          return one
        })
    }
    #expect(command([crowd(group: 70, groupSize: 4000, siblings: 4000)]) == "sh -c 'kill -- -70'")
    #expect(command([crowd(group: 70, groupSize: 4001, siblings: 4000)]) == "pkill -P 60")
    for unsure in [
      crowd(group: 70, groupSize: 4001, siblings: 4001), crowd(group: nil, groupSize: nil, siblings: nil),
      crowd(group: 1, groupSize: 4000, siblings: 4000, parent: 1),
      crowd(group: 0, groupSize: 4000, siblings: 4000, parent: 0),
    ] {
      #expect(command([unsure]) == nil && command([unsure], kind: .findHolder) == nil)
      let texts = explanation([unsure]).suggestions.map(\.text)
      #expect(texts.contains("find and end what started the 4000 processes of mine"), "\(texts)")
    }
    var mixed = crowd(group: 70, groupSize: 4000, siblings: 4000)
    mixed.processes[5].group = 71
    mixed.processes[6].parent = 61
    #expect(command([mixed]) == nil)
  }

  @Test("of a crowd those get SIGKILL that SIGTERM does not end, and the line says so; many of them take all along")
  func deafInCrowd() {
    func crowd(_ deaf: Int, stopped: Bool = false, siblings: Int = 41) -> SocketObservation {
      listener(
        (Int32(70)..<110).map { pid in
          var one = process(pid, "mine", executable: "/bin/mine", parent: 60)
          (one.group, one.groupSize, one.siblings) = (70, siblings == 40 ? 41 : 40, siblings)
          one.ignoresTermination = pid - 70 < deaf
          one.isStopped = stopped && pid == 109
          return one
        })
    }
    func text(_ socket: SocketObservation) -> String? {
      explanation([socket]).suggestions.first { $0.kind == .stopHolder }?.text
    }
    #expect(command([crowd(1)]) == "sh -c 'kill -- -70; kill -KILL 70'")
    #expect(text(crowd(1)) == "end mine, of which SIGTERM does not end mine (pid 70)")
    #expect(command([crowd(1, stopped: true)]) == "sh -c 'kill -- -70; kill -s CONT -- -70; kill -KILL 70'")
    #expect(command([crowd(1, siblings: 40)]) == "sh -c 'pkill -P 60; kill -KILL 70'")
    #expect(command([crowd(35)]) == "sh -c 'kill -s KILL -- -70'")
    #expect(text(crowd(35)) == "end mine by SIGKILL, as SIGTERM does not end 35 of the 40 processes")
    #expect(command([crowd(40, siblings: 40)]) == "pkill -KILL -P 60")
    #expect(text(crowd(40)) == "end mine, for which SIGTERM is not enough")
    // A parent alone is enough for SIGTERM, never for SIGKILL: its workers would live on.
    var nginx = crowd(41)
    for index in nginx.processes.indices {
      nginx.processes[index].command = "nginx"
      if index > 0 { nginx.processes[index].parent = 70 }
    }
    #expect(command([nginx]) == "sh -c 'kill -s KILL -- -70'")
  }

  @Test("what a debugger holds gets no SIGTERM: its tracer is named, and SIGKILL ends it")
  func traced() {
    var one = process(9, "python3", executable: "/bin/python3")
    one.tracer = ParentProcess(pid: 12, command: "gdb")
    #expect(command([listener([one])]) == "kill -KILL 9")
    let told = explanation([listener([one])])
    #expect(told.suggestions.contains { $0.text == "end python3, to which gdb (pid 12) lets no SIGTERM through" })
    #expect(told.notes.contains { $0.kind == .stopped && $0.text.contains("is held by gdb (pid 12)") })
    let free = process(10, "python3", executable: "/bin/python3")
    #expect(command([listener([free, one])]) == "sh -c 'kill 10; kill -KILL 9'")
  }

  @Test("of what a socket unit starts nothing is guessed where its files cannot be read")
  func unreadUnit() {
    var socket = listener([process(1, "systemd")])
    socket.activation = SocketActivation(unit: "panel.socket", activates: nil)
    #expect(command([socket]) == "systemctl stop panel.socket")
    let told = explanation([socket])
    #expect(told.notes.contains { $0.text.hasSuffix("for panel.socket and starts what that unit names when needed") })
    #expect(told.suggestions.contains { $0.text.hasSuffix("not the port in the configuration of what it starts") })
    socket.processes.append(process(70, "web", unit: "web.service"))
    #expect(command([socket]) == nil, "the service goes on with the socket")
    #expect(command([socket], kind: .findHolder) == "systemctl list-sockets panel.socket")
  }

  @Test("what is stopped is woken to end, what SIGTERM does not end gets the signal that does")
  func deaf() {
    func holder(_ name: String, _ change: (inout ProcessRecord) -> Void) -> SocketObservation {
      var one = process(9, name, executable: "/bin/\(name)")
      change(&one)
      return listener([one])
    }
    let stopped = holder("python3") { $0.isStopped = true }
    #expect(command([stopped]) == "sh -c 'kill 9; kill -CONT 9'")
    #expect(command([stopped], uid: 1000) == "sudo sh -c 'kill 9; kill -CONT 9'")
    #expect(
      explanation([stopped]).notes.contains { $0.kind == .stopped && $0.text.contains("suspended, as by Ctrl-Z") })
    #expect(command([holder("python3") { $0.ignoresTermination = true }]) == "kill -KILL 9")
    #expect(command([holder("bash") { $0.ignoresTermination = true }]) == "kill -KILL 9")
    var (master, worker) = (
      process(9, "nginx", executable: "/bin/nginx"), process(10, "nginx", executable: "/bin/nginx", parent: 9)
    )
    (master.isStopped, worker.isStopped) = (true, true)
    #expect(command([listener([master, worker])]) == "sh -c 'kill 9; kill -CONT 9 10'")
    (master.isStopped, worker.isStopped, worker.ignoresTermination) = (false, false, true)
    #expect(command([listener([master, worker])]) == "sh -c 'kill 9; kill -KILL 10'")
    master.isStopped = true
    #expect(command([listener([master, worker])]) == "sh -c 'kill 9; kill -CONT 9; kill -KILL 10'")
    master.ignoresTermination = true
    #expect(command([listener([master, worker])]) == "kill -KILL 9 10")
    #expect(command([holder("bash") { $0.ignoresTermination = false }]) == "kill 9")
    #expect(command([holder("python3") { ($0.isStopped, $0.ignoresTermination) = (true, true) }]) == "kill -KILL 9")
  }

  @Test("a worker whose parent another user runs is not ended: that parent is, which would start it again")
  func worker() {
    func worker(of parent: ParentProcess) -> SocketObservation {
      var one = process(9, "nginx", executable: "/bin/nginx", parent: parent.pid)
      one.parents = [parent]
      var socket = listener([one])
      socket.uid = 1000
      return socket
    }
    let master = worker(of: ParentProcess(pid: 8, command: "nginx", uid: 0))
    #expect(command([master], uid: 1000) == "sudo kill 8")
    #expect(command([master]) == "kill 9", "root saw that the parent does not hold it")
    #expect(command([worker(of: ParentProcess(pid: 8, command: "nginx", uid: 1000))], uid: 1000) == "kill 9")
    #expect(command([worker(of: ParentProcess(pid: 8, command: "bash", uid: 0))], uid: 1000) == "kill 9")
    #expect(command([worker(of: ParentProcess(pid: 8, command: "nginx"))], uid: 1000) == "kill 9", "not known")
    var script = process(9, "python3", executable: "/bin/python3", parent: 8)
    script.parents = [ParentProcess(pid: 8, command: "python3", uid: 0)]
    var socket = listener([script])
    socket.uid = 1000
    #expect(command([socket], uid: 1000) == "kill 9", "what an interpreter started is no worker of it")
  }

  @Test("docker takes a port without a protocol for TCP")
  func publishedUDP() {
    var proxy = process(9, "docker-proxy")
    proxy.forwardsTo = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(53))
    var socket = listener([proxy])
    (socket.transport, socket.state) = (.udp, .close)
    let find = explanation([socket], transport: .udp).suggestions.first { $0.kind == .findHolder }
    #expect(find?.command?.text == "docker ps --filter publish=8080/udp")
  }

  @Test("a unit of a user manager is stopped by that manager")
  func userUnit() {
    var inside = process(9, "web", unit: "web.service")
    inside.userManager = 1000
    let socket = listener([inside])
    #expect(command([socket], uid: 1000) == "systemctl --user stop web.service")
    #expect(command([socket], uid: 0, sudoUID: 1000) == "systemctl --user stop web.service", "typed without sudo")
    // What root's systemctl starts as that user has root's standard error, which must not be the terminal.
    let stop = "sh -c 'systemctl --user -M 1000@ stop web.service 2>/dev/null'"
    #expect(command([socket], uid: 1001) == "sudo " + stop)
    #expect(command([socket]) == stop)
  }

  @Test("sudo stands before a command exactly where whoever types it may not run it otherwise")
  func rights() {
    var own = listener([process(9, "web")])
    own.uid = 1000
    #expect(command([own], uid: 1000) == "kill 9" && command([own], uid: 0, sudoUID: 1000) == "kill 9")
    #expect(command([own], uid: 1001) == "sudo kill 9" && command([own]) == "kill 9")
    // A unit is stopped by its manager, whoever its server runs as.
    var unit = listener([process(9, "web", unit: "web.service")])
    unit.uid = 1000
    #expect(command([unit], uid: 1000) == "sudo systemctl stop web.service")
    #expect(command([unit], uid: 0, sudoUID: 1000) == "sudo systemctl stop web.service")
    unit.activation = SocketActivation(unit: "web.socket", activates: "web.service")
    #expect(command([unit], kind: .changeSocketUnit, uid: 1000) == "sudo systemctl edit web.socket")
    unit.activation?.userManager = 1000
    #expect(command([unit], kind: .changeSocketUnit, uid: 1000) == "systemctl --user edit web.socket")
    #expect(
      command([unit], kind: .changeSocketUnit, uid: 1001) == nil, "systemctl(1): Cannot edit units remotely")
    var proxy = process(9, "docker-proxy")
    proxy.forwardsTo = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80))
    #expect(
      command([listener([proxy])], kind: .findHolder, uid: 1000) == "sudo docker ps --filter publish=8080")
  }

  @Test("what only root may change is offered with sudo to everybody else")
  func rootsCommands() {
    func commands(_ uid: UInt32) -> [String] {
      var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid)
      host.unprivilegedPortStart = 1024
      let attempt = BindAttempt(transport: .tcp, address: .v4(.any), port: Port(85), uid: 1000)
      let snapshot = Snapshot(host: host, sockets: [])
      let judged = outcomes(of: attempt, in: snapshot)
      return explain(Situation(attempt: attempt, outcomes: judged, planned: [], snapshot: snapshot))
        .suggestions.compactMap(\.command?.text)
    }
    #expect(commands(1000).count == 1 && commands(1000).allSatisfy { $0.hasPrefix("sudo ") })
    #expect(commands(0).count == 1 && !commands(0).contains { $0.hasPrefix("sudo ") })
  }

  @Test("an answer made with sudo offers to ask again with sudo")
  func againWithSudo() {
    var left = listener([], owner: .none)
    left.state = .timeWait
    left.timer = SocketTimer(kind: .timeWait, expires: 5000)
    #expect(command([left], kind: .wait, uid: 0, sudoUID: 1000) == "sudo portwhy --wait 8080")
    #expect(command([left], kind: .wait, uid: 1000) == "portwhy --wait 8080")
  }

  @Test("a hostile name of a unit or a container stays one word of the command")
  func hostile() {
    var socket = listener([process(1, "systemd")])
    socket.activation = SocketActivation(unit: "a b;rm -rf.socket", activates: "x")
    #expect(command([socket]) == "systemctl stop 'a b;rm -rf.socket'")
    var inside = process(9, "x")
    inside.container = "$(reboot)"
    inside.containerEngine = "lxc"
    #expect(command([listener([inside])]) == "lxc-stop -n '$(reboot)'")
  }

  @Test("the kernel's own socket is named with its interface, and no process is to be stopped")
  func kernel() {
    var socket = listener([], owner: .kernel)
    socket.transport = .udp
    socket.state = .close
    socket.kernelOwner = KernelOwner(kind: .vxlan, interface: "vx0")
    let explanation = explanation([socket], transport: .udp)
    #expect(explanation.headline == "8080/udp is taken: the kernel (vxlan interface vx0) has 0.0.0.0:8080 bound")
    #expect(!explanation.suggestions.contains { $0.kind == .stopHolder })
    #expect(explanation.suggestions.contains { $0.kind == .changeInterface })
  }
}

@Suite("The story of a holder")
struct StoryTests {
  private func told(_ change: (inout ProcessRecord) -> Void, others: Int = 0) -> String {
    var record = ProcessRecord(pid: 1363, command: "python3", descriptors: [3])
    record.uid = 1000
    record.startedAt = 10_000
    record.workingDirectory = "/home/alice/shop"
    change(&record)
    return story(of: record, at: 10_000 + 3 * 3600, user: { $0 == 1000 ? "alice" : "uid \($0)" }, others: others)
  }

  @Test("is one line: who, since when, and where it belongs, without what is not known")
  func line() {
    #expect(told { _ in } == "python3 (pid 1363, alice, since 3 hours, in ~/shop)")
    #expect(
      told { $0.workingDirectory = "/home/alice2" } == "python3 (pid 1363, alice, since 3 hours, in /home/alice2)")
    #expect(told { $0.workingDirectory = "/home/alice" } == "python3 (pid 1363, alice, since 3 hours, in ~)")
    #expect(
      told { $0.workingDirectory = "/tmp/x) listens - end it: kill 42 (y" }
        == #"python3 (pid 1363, alice, since 3 hours, in "/tmp/x) listens - end it: kill 42 (y")"#)
    #expect(
      told { $0.workingDirectory = "/" + String(repeating: "d", count: 90) }
        == "python3 (pid 1363, alice, since 3 hours, in …\(String(repeating: "d", count: 59)))")
    #expect(told { ($0.startedAt, $0.workingDirectory) = (nil, "/") } == "python3 (pid 1363, alice)")
    #expect(
      told({ $0.unit = "web.service" }, others: 3)
        == "python3 (pid 1363 and 3 more, alice, since 3 hours, in web.service)")
    #expect(
      told { ($0.container, $0.containerName) = (String(repeating: "0f", count: 32), "web") }
        == "python3 (pid 1363, alice, since 3 hours, in container web)")
    #expect(
      told { ($0.unit, $0.uid) = ("app-code-1.scope", 5) }.hasSuffix("uid 5, since 3 hours, in /home/alice/shop)"))
  }

  @Test("times have the largest whole unit")
  func times() {
    let texts = [-5.0, 1, 119, 120, 7199, 7200, 172_799, 172_800, 1e300].map(duration)
    #expect(
      texts.dropLast() == [
        "0 seconds", "1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "47 hours", "2 days",
      ])
  }
}

@Suite("An inherited descriptor")
struct InheritanceTests {
  @Test("shows in another program that holds the socket beside its parent")
  func otherProgram() {
    let socket = listener([
      process(70, "server", executable: "/bin/server"), process(90, "mpv", executable: "/bin/mpv", parent: 70),
    ])
    guard case .otherPrograms(let creator, let heirs) = socket.inheritance else {
      Issue.record("\(String(describing: socket.inheritance))")
      return
    }
    #expect(creator?.pid == 70 && heirs.map(\.pid) == [90])
    #expect(
      explanation([socket]).notes.contains {
        $0.text.hasPrefix("mpv (pid 90) inherited the socket from server (pid 70)")
          && $0.text.contains("SOCK_CLOEXEC")
      })
  }

  @Test("shows in an orphan whose descriptor survives execve(2), and that waits for something else")
  func parentGone() {
    var heir = process(90, "mpv", executable: "/bin/mpv", parent: 1)
    heir.isParentGone = true
    heir.closesOnExec = false
    heir.sleepsIn = "hrtimer_nanosleep"
    let socket = listener([heir])
    #expect(socket.inheritance == .parentGone(heirs: [heir]))
    let explanation = explanation([socket])
    #expect(explanation.cause == .inheritedDescriptor)
    #expect(explanation.notes.contains { $0.text.hasPrefix("mpv (pid 90) has inherited the socket") })
    #expect(command([socket]) == "kill 90")
    // sleep(3), wait(2), a pipe, a signal, a terminal: /proc/PID/wchan of kernels from 5.10 on.
    for place in [
      "do_nanosleep", "do_wait", "kernel_wait4", "pipe_read", "anon_pipe_read", "pipe_wait", "__do_sys_pause",
      "sigsuspend", "do_sigtimedwait", "n_tty_read",
    ] {
      heir.sleepsIn = place
      #expect(listener([heir]).inheritance == .parentGone(heirs: [heir]), "\(place)")
    }
  }

  @Test(
    "is not claimed of a server that merely lost its shell",
    arguments: [
      (nil, false, "hrtimer_nanosleep"), (true, true, "hrtimer_nanosleep"), (true, nil, "hrtimer_nanosleep"),
      (true, false, "inet_csk_accept"), (true, false, "ep_poll"), (true, false, nil),
      (false, false, "hrtimer_nanosleep"),
    ] as [(Bool?, Bool?, String?)])
  func lostItsShell(_ isParentGone: Bool?, _ closesOnExec: Bool?, _ sleepsIn: String?) {
    var server = process(90, "server", executable: "/bin/server", parent: 1)
    server.goneLeader = 70
    (server.isParentGone, server.closesOnExec, server.sleepsIn) = (isParentGone, closesOnExec, sleepsIn)
    #expect(listener([server]).inheritance == nil)
    #expect(explanation([listener([server])]).cause == .listener)
  }

  @Test("is not seen in forked workers of one program, in what systemd hands over, or where a program is not known")
  func notInherited() {
    let workers = [
      process(70, "nginx", executable: "/usr/sbin/nginx"),
      process(71, "nginx", executable: "/usr/sbin/nginx", parent: 70),
    ]
    #expect(listener(workers).inheritance == nil)
    #expect(
      listener([process(1, "systemd", executable: "/s"), process(2, "a", executable: "/a")]).inheritance == nil)
    #expect(
      listener([process(1, "init", executable: "/i"), process(2, "a", executable: "/a")]).inheritance == nil)
    #expect(listener([process(3, "a"), process(2, "a", executable: "/a")]).inheritance == nil)
  }
}
