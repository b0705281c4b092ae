import Glibc
import SocketModel
import Testing

@testable import Evidence

/// No process has this number: it is above the largest pid_max.
private let nobodysPid: Int32 = 99_000_000

private func holders(_ proc: FakeProc) -> [ProcessRecord] {
  var sockets = [observation(inode: 5)]
  _ = ProcessReader(procRoot: proc.root).examine(&sockets)
  return sockets[0].processes
}

@Suite("Who stands behind a holder")
struct OwnershipTests {
  @Test("a docker-proxy tells what it forwards to, and nothing else of its arguments is kept")
  func dockerProxy() throws {
    try withFakeProc { proc in
      proc.process(
        nobodysPid, [("3", "socket:[5]")], command: Array("docker-proxy\n".utf8),
        executable: "/usr/bin/docker-proxy", controlGroup: "0::/system.slice/docker.service\n")
      let arguments =
        "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"
      proc.file("\(nobodysPid)/cmdline", arguments.split(separator: " ").joined(separator: "\0").utf8 + [0])
      proc.file("\(nobodysPid)/status", "Name:\tdocker-proxy\nUid:\t0\t0\t0\t0\n".utf8)
      let record = try #require(holders(proc).first)
      #expect(record.forwardsTo == Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80)))
      #expect(!"\(record)".contains("host-port"))
    }
  }

  @Test(
    "a docker-proxy is believed where root runs it, or the user's own engine",
    arguments: [
      (0, "/system.slice/docker.service", true), (1000, "/system.slice/docker.service", false),
      (1000, "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service", true),
      (1001, "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service", false),
      (1000, "/user.slice/user-1000.slice/user@1000.service/app.slice/other.service", false),
    ])
  func whoseProxy(_ uid: Int, _ group: String, _ isBelieved: Bool) throws {
    try withFakeProc { proc in
      proc.process(
        nobodysPid, [("3", "socket:[5]")], executable: "/home/x/docker-proxy", controlGroup: "0::\(group)\n")
      proc.file("\(nobodysPid)/cmdline", "p\0-container-ip\010.0.0.1\0-container-port\080\0".utf8)
      proc.file("\(nobodysPid)/status", "Name:\tUid:\t0\nUid:\t0\t\(uid)\t0\t0\n".utf8)
      #expect((holders(proc).first?.forwardsTo != nil) == isBelieved)
    }
  }

  @Test(
    "the systemd of a user is told by its control group and its uid, and by no name",
    arguments: [
      ("/user.slice/user-1000.slice/user@1000.service/init.scope", 1000, true),
      ("/user.slice/user-1000.slice/user@1000.service/init.scope", 1001, false),
      ("/user.slice/user-1000.slice/user@1000.service/init.scope", 0, false),
      ("/user.slice/user-1000.slice/user@1000.service/app.slice/init.scope", 1000, false),
      ("/user.slice/user-1000.slice/user@1001.service/init.scope", 1001, false),
      ("/system.slice/x.service/user.slice/user-0.slice/user@0.service/init.scope", 0, false),
      ("/user.slice/user-1000.slice/session-3.scope", 1000, false),
    ])
  func serviceManager(_ group: String, _ uid: Int, _ isManager: Bool) throws {
    try withFakeProc { proc in
      proc.process(
        nobodysPid, [("3", "socket:[5]")], command: Array("systemd\n".utf8), controlGroup: "0::\(group)\n")
      proc.file("\(nobodysPid)/status", "Name:\tsystemd\nUid:\t\(uid)\t\(uid)\t0\t0\n".utf8)
      let record = try #require(holders(proc).first)
      #expect(record.isServiceManager == isManager)
    }
  }

  @Test("process 1 is the system's service manager where it is systemd")
  func processOne() throws {
    for (command, isManager) in [("systemd\n", true), ("nginx\n", false)] {
      try withFakeProc { proc in
        proc.process(1, [("3", "socket:[5]")], command: Array(command.utf8))
        #expect(holders(proc).first?.isServiceManager == isManager)
      }
    }
  }

  @Test("what a user names below his own service manager is his, whatever he calls it")
  func belowAUser() {
    let id = String(repeating: "0f", count: 32)
    let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice"
    for name in ["docker-\(id).scope", "user@0.service/docker-\(id).scope", "lxc.payload.web"] {
      let group = ControlGroup(parsing: "\(own)/\(name)\n")
      #expect(group.container != nil && group.userManager == 1000, "\(name)")
    }
    let nested = ControlGroup(parsing: "\(own)/mine.service/ssh.service\n")
    #expect(nested.unit == "mine.service" && nested.userManager == 1000)
    #expect(ControlGroup(parsing: "0::/system.slice/mine.service/ssh.service\n").unit == "mine.service")
    #expect(ControlGroup(parsing: "0::/user.slice/user-1000.slice/session-3.scope/ssh.service\n").unit == nil)
    #expect(
      ControlGroup(parsing: "0::/system.slice/x.service/user.slice/user-0.slice/user@0.service/a.service\n").unit
        == "x.service")
  }

  @Test("one hierarchy says all, and any that knows a user's manager comes first")
  func hybrid() {
    let id = String(repeating: "0f", count: 32)
    let user = "/user.slice/user-1000.slice"
    let own = "1:name=systemd:\(user)/user@1000.service/docker-\(id).scope\n"
    for other in ["\(user)/session-3.scope", "/system.slice/web.service", "/docker/\(id)", "/"] {
      for text in [own + "0::\(other)\n", "0::\(other)\n" + own] {
        let group = ControlGroup(parsing: text)
        #expect(group.container == id && group.userManager == 1000 && group.unit == nil, "\(text)")
      }
    }
    let controller = ControlGroup(
      parsing: "4:pids:\(user)/user@1000.service/a.service\n0::/system.slice/web.service\n")
    #expect(controller.userManager == 1000 && controller.unit == nil && controller.managerOf == nil)
    let two = ControlGroup(parsing: own + "0::/user.slice/user-7.slice/user@7.service/app.slice/a.service\n")
    #expect(two.userManager != nil && two.unit == nil && two.container == nil && two.engine == nil)
  }

  @Test("the arguments of another program are not read, even if it has the name")
  func impostor() throws {
    try withFakeProc { proc in
      proc.process(
        nobodysPid, [("3", "socket:[5]")], command: Array("docker-proxy\n".utf8), executable: "/opt/secret-server")
      proc.file("\(nobodysPid)/cmdline", "x\0-container-ip\0 10.0.0.1\0-container-port\080\0".utf8)
      #expect(holders(proc).first?.forwardsTo == nil)
    }
  }

  @Test(
    "arguments that name no address or no port forward nowhere",
    arguments: [
      ["docker-proxy"], ["docker-proxy", "-container-ip"],
      ["docker-proxy", "-container-ip", "x", "-container-port", "1"],
      ["docker-proxy", "-container-ip", "10.0.0.1", "-container-port", "70000"],
    ])
  func damagedArguments(_ arguments: [String]) {
    #expect(dockerProxyTarget(arguments: arguments) == nil)
  }

  @Test("both spellings of an option are read")
  func spellings() {
    let target = Endpoint(address: .v6(IPv6Address("fd00::2") ?? .any), port: Port(80))
    #expect(dockerProxyTarget(arguments: ["p", "--container-ip", "fd00::2", "--container-port", "80"]) == target)
    #expect(dockerProxyTarget(arguments: ["p", "-container-ip=fd00::2", "-container-port=80"]) == target)
  }

  @Test(
    "the control group tells who runs a container",
    arguments: [
      ("/system.slice/docker-ID.scope", "docker"), ("/docker/ID", "docker"),
      ("/machine.slice/libpod-ID.scope/container", "podman"), ("/machine.slice/libpod-conmon-ID.scope", "podman"),
      ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", "podman"),
      ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", "kubernetes"),
      ("/kubepods/besteffort/podX/ID", "kubernetes"), ("/system.slice/nerdctl-ID.scope", "nerdctl"),
      ("/lxc.payload.web/x", "lxc"), ("/lxc/web", "lxc"), ("/default/ID", nil),
    ])
  func engine(_ path: String, _ engine: String?) {
    let id = String(repeating: "0f", count: 32)
    let group = ControlGroup(parsing: "0::" + path.replacing("ID", with: id) + "\n")
    #expect(group.container != nil)
    #expect(group.engine == engine)
  }

  @Test("a unit of a user manager is told apart from one of the system manager")
  func userManager() {
    let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n"
    #expect(ControlGroup(parsing: user).unit == "web.service")
    #expect(ControlGroup(parsing: user).userManager == 1000)
    #expect(ControlGroup(parsing: "0::/system.slice/web.service\n").userManager == nil)
  }

  @Test("a process whose group leader has gone is noticed, as long as its session is there")
  func goneLeader() throws {
    try withFakeProc { proc in
      proc.process(1, [])
      proc.file("1/stat", "1 (init) S 0 1 1 0".utf8)
      proc.directory("\(nobodysPid + 50)")
      proc.file("\(nobodysPid + 50)/stat", "x".utf8)
      proc.process(nobodysPid, [("3", "socket:[5]")])
      proc.file("\(nobodysPid)/stat", "\(nobodysPid) (a) b) S 1 \(nobodysPid + 7) \(nobodysPid + 50) 0 -1".utf8)
      let record = try #require(holders(proc).first)
      #expect(record.parent == 1)
      #expect(record.goneLeader == nobodysPid + 7)
    }
  }

  @Test(
    "a daemon whose session leader has gone too, a leader itself, and a hidden process 1 say nothing",
    arguments: ["S 1 99000007 99000007", "S 1 99000000 99000050", "S 1 0 0", "garbage"])
  func noGoneLeader(_ stat: String) throws {
    try withFakeProc { proc in
      proc.process(1, [])
      proc.file("1/stat", "1 (init) S 0 1 1 0".utf8)
      proc.process(nobodysPid, [("3", "socket:[5]")])
      proc.file("\(nobodysPid)/stat", "\(nobodysPid) (a) \(stat) 0 -1".utf8)
      #expect(holders(proc).first?.goneLeader == nil)
    }
  }
}
