@testable import Evidence
import Glibc
import Linux
import SocketModel
import Testing

/// A process in the fake /proc: its parent, the leader of its session, and its control group.
private struct Row {
  var pid: Int32
  var parent: Int32
  var session: Int32
  var command = "server"
  var group = "/"
  var start = 100
  var state = "S"
}

extension FakeProc {
  fileprivate func add(_ rows: [Row]) {
    for row in rows {
      process(row.pid, [], command: Array("\(row.command)\n".utf8), controlGroup: "0::\(row.group)\n")
      let rest = "0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 \(row.start) 0"
      file("\(row.pid)/stat", "\(row.pid) (\(row.command)) \(row.state) \(row.parent) 7 \(row.session) \(rest)".utf8)
    }
  }

  /// What is read around a holder of this number.
  fileprivate func told(
    _ pid: Int32, unit: String? = nil, user: UInt32? = nil, container: String? = nil, engine: String? = nil,
    forwardsTo: Endpoint? = nil, executable: String? = nil, hasHostPaths: Bool? = true
  ) -> ProcessRecord? {
    var record = ProcessRecord(pid: pid, command: "server", descriptors: [3], unit: unit, container: container)
    record.executable = executable
    record.hasHostPaths = hasHostPaths
    record.userManager = user
    record.containerEngine = engine
    record.forwardsTo = forwardsTo
    if case .text(let stat) = readText("\(root)/\(pid)/stat") {
      record.parent = ProcessStat(Array(stat.utf8))?.parent
    }
    var socket = observation(inode: 5, owner: .process)
    socket.processes = [record]
    var sockets = [socket]
    ProcessReader(procRoot: root).readSurroundings(&sockets, fileRoot: root)
    return sockets[0].processes.first
  }
}

@Suite("What stands around a holder")
struct HolderSurroundingsTests {
  private let service = "/system.slice/web.service"

  @Test("what started it is told up to the service manager, and no younger process for an older")
  func parents() throws {
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1, command: "systemd", start: 0),
        Row(pid: 20, parent: 1, session: 20, command: "sshd", start: 5),
        Row(pid: 30, parent: 20, session: 20, command: "bash", start: 6),
        Row(pid: 40, parent: 30, session: 20, start: 7), Row(pid: 41, parent: 50, session: 41, start: 7),
        Row(pid: 50, parent: 1, session: 50, start: 8),
      ])
      #expect(proc.told(40)?.parents?.map(\.command) == ["bash", "sshd", "systemd"])
      #expect(proc.told(41)?.parents == [], "its parent has gone, and another has the number")
    }
  }

  @Test("a child in a session that its parent is not in was given to that parent when its own went")
  func parentGone() throws {
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1, command: "systemd", start: 0),
        Row(pid: 20, parent: 1, session: 20), Row(pid: 30, parent: 20, session: 20),
        Row(pid: 40, parent: 1, session: 20),
      ])
      #expect(proc.told(20)?.isParentGone == false, "a service leads its session")
      #expect(proc.told(30)?.isParentGone == false)
      #expect(proc.told(40)?.isParentGone == true)
    }
  }

  @Test("one that a signal stopped, and one that ignores SIGTERM, are known by their stat")
  func signals() throws {
    // As of proc_pid_stat(5): the fields 4 to 30, then the pending, blocked, ignored and caught signals.
    let rest = "1 7 20 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0 0 0 0 0 0"
    for (state, blocked, ignored, wanted) in [
      ("S", 0, 0, (false, false)), ("T", 0, 0, (true, false)), ("t", 0, 0, (false, false)),
      ("S", 0, 1 << 14, (false, true)), ("S", 1 << 14, 0, (false, false)),
      ("S", 0, 1 << 13 | 1 << 15, (false, false)),
    ] {
      let line = "40 (a) b) \(state) \(rest) 0 \(blocked) \(ignored) 0 0 0 0 17"
      let stat = ProcessStat(Array(line.utf8))
      #expect(stat?.isStopped == wanted.0 && stat?.ignoresTermination == wanted.1, "\(line)")
    }
    try withFakeProc { proc in
      proc.add([Row(pid: 1, parent: 0, session: 1), Row(pid: 40, parent: 1, session: 40)])
      let told = proc.told(40)
      #expect(told?.isStopped == false && told?.ignoresTermination == nil, "a line that ends early")
      #expect(told?.group == nil, "one process can be named")
    }
  }

  @Test("of many holders the process group and the parent are told, and how many processes these have")
  func crowd() throws {
    try withFakeProc { proc in
      let crowd = (100..<140).map { Row(pid: $0, parent: $0 == 100 ? 1 : 100, session: 50) }
      proc.add([Row(pid: 1, parent: 0, session: 1, command: "systemd", start: 0)] + crowd)
      var socket = observation(inode: 5, owner: .process)
      socket.processes = crowd.map { row in
        var record = ProcessRecord(pid: row.pid, command: "server", descriptors: [3])
        record.parent = row.parent
        return record
      }
      var sockets = [socket]
      ProcessReader(procRoot: proc.root).readSurroundings(&sockets, fileRoot: proc.root)
      // All rows have the group 7, systemd's too.
      #expect(sockets[0].processes.allSatisfy { $0.group == 7 && $0.groupSize == 41 })
      #expect(sockets[0].processes.map(\.siblings) == [1] + Array(repeating: 39, count: 39))
    }
  }

  @Test("an orphan's use of the socket is looked at: close-on-exec, and what its only thread waits for")
  func use() throws {
    try withFakeProc { proc in
      proc.add([Row(pid: 1, parent: 0, session: 1), Row(pid: 40, parent: 1, session: 20)])
      proc.directory("40/fdinfo")
      proc.file("40/fdinfo/3", "pos:\t0\nflags:\t02\nmnt_id:\t10\n".utf8)
      proc.file("40/wchan", "hrtimer_nanosleep".utf8)
      #expect(proc.told(40)?.closesOnExec == false && proc.told(40)?.sleepsIn == "hrtimer_nanosleep")
      proc.file("40/fdinfo/3", "pos:\t0\nflags:\t02000002\nmnt_id:\t10\n".utf8)
      proc.file("40/wchan", "0".utf8)
      #expect(proc.told(40)?.closesOnExec == true && proc.told(40)?.sleepsIn == nil)
    }
  }

  @Test("the main process of a unit is the one session leader that the manager has in its group")
  func unitMain() throws {
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1, command: "systemd"),
        Row(pid: 20, parent: 1, session: 20, command: "web", group: service),
        Row(pid: 30, parent: 20, session: 20, group: service),
        Row(pid: 40, parent: 1, session: 20, group: service),
      ])
      proc.directory("sys/fs/cgroup/system.slice/web.service")
      proc.file("sys/fs/cgroup\(service)/cgroup.procs", "20\n30\n40\n".utf8)
      let main = UnitMain(pid: 20, command: "web", executable: "/usr/sbin/server")
      #expect(proc.told(30, unit: "web.service")?.unitMain == main)
      #expect(proc.told(20, unit: "web.service")?.unitMain == main)
      proc.file("sys/fs/cgroup\(service)/cgroup.procs", "30\n40\n".utf8)
      #expect(proc.told(40, unit: "web.service")?.unitMain == nil, "an orphan is no main process")
    }
  }

  @Test(
    "the processes of a unit are found in each layout of control groups",
    arguments: [
      ("", "0::/system.slice/web.service"),
      ("/unified", "1:name=systemd:/system.slice/web.service\n0::/system.slice/web.service"),
      ("/systemd", "9:name=systemd:/system.slice/web.service\n8:pids:/"),
      // A container of systemd on a host that another program started.
      ("/systemd", "9:name=systemd:/system.slice/web.service\n0::/"),
    ])
  func unitMain(_ mount: String, _ group: String) throws {
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1, command: "systemd"),
        Row(pid: 20, parent: 1, session: 20, command: "web"),
      ])
      proc.file("20/cgroup", (group + "\n").utf8)
      proc.directory("sys/fs/cgroup\(mount)/system.slice/web.service")
      proc.file("sys/fs/cgroup\(mount)\(service)/cgroup.procs", "20\n".utf8)
      #expect(proc.told(20, unit: "web.service")?.unitMain?.pid == 20)
    }
  }

  @Test("a user's manager is known by its control group and its uid, whatever it calls itself")
  func managers() throws {
    try withFakeProc { proc in
      // The files are those of whoever runs the test.
      let mine = "/user.slice/user-\(geteuid()).slice/user@\(geteuid()).service"
      let others = "/user.slice/user-77.slice/user@77.service"
      proc.add([
        Row(pid: 1, parent: 0, session: 1, command: "systemd"),
        Row(pid: 20, parent: 1, session: 20, command: "x", group: "\(mine)/init.scope"),
        Row(pid: 21, parent: 1, session: 21, command: "systemd", group: "\(mine)/app.slice/fake.service"),
        Row(pid: 22, parent: 1, session: 22, command: "systemd", group: "\(others)/init.scope"),
        Row(pid: 30, parent: 20, session: 30), Row(pid: 31, parent: 21, session: 31),
        Row(pid: 32, parent: 22, session: 32),
      ])
      #expect(proc.told(30)?.parents?.map(\.pid) == [20], "nothing is above a manager")
      #expect(proc.told(31)?.parents?.map(\.pid) == [21, 1] && proc.told(32)?.parents?.map(\.pid) == [22, 1])
    }
  }

  @Test("the files of an engine say what it calls a container")
  func containers() throws {
    let id = String(repeating: "0f", count: 32)
    try withFakeProc { proc in
      proc.add([Row(pid: 1, parent: 0, session: 1), Row(pid: 40, parent: 1, session: 40)])
      proc.directory("var/lib/docker/containers/\(id)")
      proc.file(
        "var/lib/docker/containers/\(id)/config.v2.json",
        #"{"ID":"x","Config":{"Env":["SECRET=1"],"Image":"nginx:1.27"},"Name":"/web","Args":[]}"#.utf8)
      proc.directory("var/lib/containers/storage/overlay-containers")
      proc.file(
        "var/lib/containers/storage/overlay-containers/containers.json",
        #"[{"id":"a"},{"id":"\#(id)","names":["db"],"metadata":"{\"image-name\":\"docker.io/library/redis:7\"}"}]"#
          .utf8)
      proc.directory("run/containerd/io.containerd.runtime.v2.task/k8s.io/\(id)")
      proc.file(
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/\(id)/config.json",
        #"{"annotations":{"io.kubernetes.cri.container-name":"api","io.kubernetes.cri.sandbox-name":"api-0"}}"#.utf8)
      let docker = proc.told(40, container: id, engine: "docker")
      #expect(docker?.containerName == "web" && docker?.image == "nginx:1.27")
      let podman = proc.told(40, container: id, engine: "podman")
      #expect(podman?.containerName == "db" && podman?.image == "docker.io/library/redis:7")
      #expect(proc.told(40, container: id, engine: "kubernetes")?.containerName == "api-0/api")
      #expect(proc.told(40, user: 1000, container: id, engine: "podman")?.containerName == nil, "a user's files")
      #expect(proc.told(40, container: "../\(id)", engine: "docker")?.containerName == nil)
    }
  }

  @Test("a published port leads to the one running container that dockerd gave it, by address, port and protocol")
  func published() throws {
    let (first, second) = (String(repeating: "0f", count: 32), String(repeating: "1e", count: 32))
    func settings(_ address: String, _ ports: String, _ name: String) -> String {
      #"{"Name":"/\#(name)","State":{"Running":true},"NetworkSettings":{"Networks":{"bridge":{"IPAddress":"\#(address)","#
        + #""GlobalIPv6Address":"fd00::2"}},"Ports":{\#(ports)}}}"#
    }
    let published =
      #""80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"81/tcp":null"#
    func target(_ text: String, _ port: UInt16 = 80) -> Endpoint? {
      IPAddress(text).map { Endpoint(address: $0, port: Port(port)) }
    }
    try withFakeProc { proc in
      proc.add([Row(pid: 1, parent: 0, session: 1), Row(pid: 40, parent: 1, session: 40, command: "docker-proxy")])
      for (id, address, name) in [(first, "172.17.0.2", "web"), (second, "172.17.0.3", "shop")] {
        proc.directory("var/lib/docker/containers/\(id)")
        let udp = published.replacing("tcp", with: "udp")
        proc.file(
          "var/lib/docker/containers/\(id)/config.v2.json",
          settings(address, name == "web" ? published : udp, name).utf8)
      }
      proc.directory("var/lib/docker/containers/\(String(repeating: "2d", count: 32))")
      let found = proc.told(40, unit: "docker.service", forwardsTo: target("172.17.0.2"))
      #expect(found?.container == first && found?.containerName == "web" && found?.containerEngine == "docker")
      #expect(proc.told(40, forwardsTo: target("fd00::2"))?.container == first)
      #expect(proc.told(40, forwardsTo: target("172.17.0.3"))?.container == nil, "that is UDP")
      #expect(proc.told(40, forwardsTo: target("172.17.0.2", 81))?.container == nil)
      #expect(proc.told(40, user: 1000, forwardsTo: target("172.17.0.2"))?.container == nil, "a user's engine")
      proc.file(
        "var/lib/docker/containers/\(second)/config.v2.json", settings("172.17.0.2", published, "shop").utf8)
      #expect(proc.told(40, forwardsTo: target("172.17.0.2"))?.container == nil, "two say so")
    }
  }

  @Test("podman's conmon holds the port for the container that it started")
  func conmon() throws {
    let id = String(repeating: "0f", count: 32)
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1), Row(pid: 40, parent: 1, session: 40, command: "conmon"),
        Row(pid: 41, parent: 40, session: 41, group: "/libpod_parent/libpod-\(id)"),
        Row(pid: 50, parent: 1, session: 50, command: "conmon"),
        Row(
          pid: 51, parent: 50, session: 51,
          group: "/user.slice/user-7.slice/user@7.service/app.slice/docker-\(id).scope"),
      ])
      for (pid, child) in [(40, 41), (50, 51)] {
        proc.directory("\(pid)/task/\(pid)")
        proc.file("\(pid)/task/\(pid)/children", "99 \(child) ".utf8)
      }
      let user = geteuid() == 0 ? nil : geteuid()
      let conmon = "/usr/bin/conmon"
      let found = proc.told(40, user: user, executable: conmon)
      #expect(found?.container == id && found?.containerEngine == "podman")
      #expect(proc.told(40, user: user, executable: "/usr/bin/su")?.container == nil, "the name alone")
      #expect(proc.told(40, user: user, executable: conmon, hasHostPaths: false)?.container == nil, "mounted there")
      #expect(proc.told(40, user: user)?.container == nil)
      #expect(proc.told(50, user: user, executable: conmon)?.container == nil, "a group that another user named")
    }
  }

  @Test("a holder that a debugger has stopped is told with the debugger")
  func traced() throws {
    try withFakeProc { proc in
      proc.add([
        Row(pid: 1, parent: 0, session: 1), Row(pid: 39, parent: 1, session: 39, command: "gdb"),
        Row(pid: 40, parent: 1, session: 40, state: "t"), Row(pid: 41, parent: 1, session: 41, state: "T"),
        Row(pid: 42, parent: 1, session: 42, state: "t"),
      ])
      for (pid, tracer) in [(40, 39), (41, 39), (42, 0)] {
        proc.file("\(pid)/status", "Name:\tserver\nTracerPid:\t\(tracer)\nUid:\t0\t0\t0\t0\n".utf8)
      }
      let held = proc.told(40)
      #expect(held?.tracer?.pid == 39 && held?.tracer?.command == "gdb" && held?.isStopped == false)
      #expect(proc.told(41)?.tracer == nil && proc.told(41)?.isStopped == true)
      #expect(proc.told(42)?.tracer == nil, "outside of this pid namespace")
    }
  }

  @Test(
    "what is no JSON, or too deep, is nothing",
    arguments: ["", "{", "[1,]", #"{"a":}"#, #""a"#, "{} x", String(repeating: "[", count: 100), #""\u12"#, "[1}"])
  func malformed(_ text: String) {
    #expect(JSONTree(parsing: Array(text.utf8)) == nil)
  }

  @Test("strings are taken from JSON with their escapes, and the rest is passed over")
  func strings() {
    let tree = JSONTree(parsing: Array(#" {"a" : [null, -1.5e3, true, "b\"\u00e9\n"], "c":{}} "#.utf8))
    #expect(tree?["a"]?.elements.last?.text == "b\"é\n")
    #expect(tree?["a"]?.elements.count == 4 && tree?["c"] == .object([:]) && tree?["d"] == nil)
  }
}
