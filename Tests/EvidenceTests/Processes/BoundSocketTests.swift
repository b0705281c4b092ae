import CProcessTestSupport
import Glibc
import Linux
import SocketModel
import Testing

@testable import Evidence

/// A /proc that shows only process 1 (without descriptors) and these; all of it can be read.
private func withSmallProc<Result>(
  _ pids: [Int32], _ body: (FakeProc) throws -> Result
) throws -> Result {
  try withFakeProc { proc in
    proc.process(1, [])
    for pid in pids { proc.realProcess(pid) }
    proc.link("thread-self", to: "/proc/thread-self")
    proc.directory("self/ns")
    proc.link("self/ns/pid", to: "pid:[4026531836]")
    return try body(proc)
  }
}

@Suite struct BoundSocketTests {
  @Test("a TCP socket that is only bound is found with all its facts")
  func bound() throws {
    let script = """
      my $v4 = make(AF_INET, SOCK_STREAM, [$RA], 0); show('v4', $v4);
      my $v6 = make(AF_INET6, SOCK_STREAM, [$RP, $ONLY], 0); show('v6', $v6);
      """
    try withHelper(script) { helper in
      try withSmallProc([helper.pid]) { proc in
        let found = ProcessReader(procRoot: proc.root).boundSockets(notIn: [])
        let (sockets, complete) = (found.sockets, found.complete)
        #expect(complete)
        let v4 = try helper.socket("v4")
        let v6 = try helper.socket("v6")
        try #require(sockets.map(\.inode) == [v4.inode, v6.inode])
        #expect(sockets.map(\.cookie).allSatisfy { $0 != 0 } && sockets[0].cookie != sockets[1].cookie)
        #expect(sockets.map { $0.processes.map(\.pid) } == [[helper.pid], [helper.pid]])
        var expected = SocketObservation(
          transport: .tcp, family: .ipv4,
          local: Endpoint(address: .v4(.loopback), port: Port(v4.port)), state: .close,
          reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), uid: geteuid(),
          inode: v4.inode, cookie: sockets[0].cookie, owner: .process, processes: sockets[0].processes)
        #expect(sockets[0] == expected)
        expected.family = .ipv6
        expected.local = Endpoint(address: .v6(.any), port: Port(v6.port))
        (expected.reuseaddr, expected.reuseport) = (expected.reuseport, expected.reuseaddr)
        expected.v6only = .known(true, .getsockopt)
        (expected.inode, expected.cookie) = (v6.inode, sockets[1].cookie)
        expected.processes[0].descriptors = [v6.descriptor]
        #expect(sockets[1] == expected)
      }
    }
  }

  @Test("what the dumps showed, other ports, other protocols and unbound sockets are left out")
  func filtered() throws {
    let script = """
      my $a = make(AF_INET, SOCK_STREAM, [], 0); show('a', $a);
      my $b = make(AF_INET, SOCK_STREAM, [], 0); show('b', $b);
      my $udp = make(AF_INET, SOCK_DGRAM, [], 0); my $fresh = make(AF_INET, SOCK_STREAM, []);
      socketpair(my $x, my $y, AF_UNIX, SOCK_STREAM, 0);
      """
    try withHelper(script) { helper in
      try withSmallProc([helper.pid]) { proc in
        let (a, b) = (try helper.socket("a"), try helper.socket("b"))
        let reader = ProcessReader(procRoot: proc.root)
        #expect(reader.boundSockets(notIn: [a.inode]).sockets.map(\.inode) == [b.inode])
        #expect(reader.boundSockets(on: a.port...a.port, notIn: []).sockets.map(\.inode) == [a.inode])
        let none = reader.boundSockets(notIn: [a.inode, b.inode])
        #expect(none.sockets.isEmpty && none.complete)
      }
    }
  }

  @Test("a bound socket is found through any of its holders, and listed once")
  func shared() throws {
    let script = """
      my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s); pipe(my $r, my $w);
      my $pid = fork; if (!$pid) { close $w; <$r>; exit } print "child $pid\\n";
      """
    try withHelper(script) { helper in
      let child = Int32(try #require(try helper.numbers("child").first))
      try withSmallProc([helper.pid, child]) { proc in
        let socket = try helper.socket("s")
        let all = [helper.pid, child].sorted()
        let found = ProcessReader(procRoot: proc.root).boundSockets(notIn: []).sockets
        #expect(found.map(\.inode) == [socket.inode])
        #expect(found.first?.processes.map(\.pid) == all)
      }
    }
  }

  @Test("a device the socket is bound to is reported")
  func device() throws {
    try needingRoot {
      let script = "my $s = make(AF_INET, SOCK_STREAM, [[SOL_SOCKET, 25, 'lo']], 0); show('s', $s);"
      try withHelper(script) { helper in
        try withSmallProc([helper.pid]) { proc in
          let sockets = ProcessReader(procRoot: proc.root).boundSockets(notIn: []).sockets
          #expect(sockets.map(\.device) == [InterfaceIndex(kernel: if_nametoindex("lo"))])
        }
      }
    }
  }

  @Test("a socket that began to listen or to connect after the dump is shown in its state")
  func laterStates() throws {
    let script = """
      my $l = make(AF_INET, SOCK_STREAM, [], 0); listen($l, 1); show('l', $l);
      my $c = make(AF_INET, SOCK_STREAM, []); connect($c, getsockname $l) or die; show('c', $c);
      """
    try withHelper(script) { helper in
      try withSmallProc([helper.pid]) { proc in
        let found = ProcessReader(procRoot: proc.root).boundSockets(notIn: [])
        let (sockets, complete) = (found.sockets, found.complete)
        #expect(sockets.map(\.state) == [.listen, .established])
        let listening = try helper.socket("l").port
        #expect(sockets.map(\.remote?.port.rawValue) == [nil, listening])
        #expect(complete)
      }
    }
  }

  @Test(
    "a closed socket with a past is not taken for a bound one, and the search says that it is not complete",
    arguments: [
      "my $s = make(AF_INET, SOCK_STREAM, []); connect($s, pack_sockaddr_in(1, INADDR_LOOPBACK)) and die",
      "my $s = make(AF_INET, SOCK_STREAM, [], 0); listen($s, 1); shutdown($s, 2)",
      """
      my $l = make(AF_INET, SOCK_STREAM, [], 0); listen($l, 1);
      my $s = make(AF_INET, SOCK_STREAM, []); connect($s, getsockname $l); accept(my $a, $l);
      setsockopt($a, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)); close $a; close $l; sysread($s, my $b, 1)
      """,
    ])
  func past(_ script: String) throws {
    try withHelper(script + "; show('s', $s);") { helper in
      try withSmallProc([helper.pid]) { proc in
        let reader = ProcessReader(procRoot: proc.root)
        let port = try helper.socket("s").port
        let found = reader.boundSockets(on: port...port, notIn: [])
        let (sockets, complete) = (found.sockets, found.complete)
        #expect(sockets.isEmpty)
        #expect(!complete)
        let other = port ^ 1
        #expect(reader.boundSockets(on: other...other, notIn: []).complete)
      }
    }
  }

  @Test("an MPTCP socket that is only bound is found as one")
  func multipath() throws {
    let script = """
      my $s; if (socket($s, AF_INET, SOCK_STREAM, 262)) {
        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, pack_sockaddr_in(0, INADDR_LOOPBACK)); show('s', $s) }
      """
    try withHelper(script) { helper in
      guard helper.lines.count > 1 else { return print("NOT TESTED: this kernel has no MPTCP") }
      try withSmallProc([helper.pid]) { proc in
        let found = ProcessReader(procRoot: proc.root).boundSockets(notIn: [])
        let (sockets, complete) = (found.sockets, found.complete)
        #expect(sockets.map(\.ulp) == ["mptcp"])
        #expect(sockets.map(\.reuseaddr.sure) == [true])
        #expect(complete)
      }
    }
  }

  @Test("sockets of another network namespace are left out, however namespaces are told apart")
  func otherNamespace() throws {
    try needingRoot {
      let script = "my $s = make(AF_INET6, SOCK_STREAM, [], 0); show('s', $s);"
      try withHelper(script, through: inNewNetwork) { helper in
        let socket = try helper.socket("s")
        try withSmallProc([helper.pid]) { proc in
          let found = ProcessReader(procRoot: proc.root).boundSockets(notIn: [])
          let (sockets, complete) = (found.sockets, found.complete)
          #expect(sockets.isEmpty && complete)
        }
        let answers = try compare(helper.pid, socket)
        #expect(answers == [false, false, nil])
      }
      try withHelper(script) { helper in
        let answers = try compare(helper.pid, try helper.socket("s"))
        #expect(answers == [true, true, nil])
      }
    }
  }

  /// What each way to compare namespaces says: the cookie, the namespace's file, neither.
  private func compare(
    _ pid: Int32, _ socket: (inode: UInt64, descriptor: Int32, port: UInt16)
  ) throws -> [Bool?] {
    let holders = try FileStatus(ofFile: "/proc/\(pid)/ns/net")
    let question = SocketQuestion(pid: pid, descriptor: socket.descriptor, inode: socket.inode, slot: 0)
    guard case .told(let answer) = Errand.ask([question], slots: 1, .place).answers[0] else {
      throw SystemError.noSuchProcess
    }
    let ours = OwnNamespace(file: try FileStatus(ofFile: "/proc/thread-self/ns/net"))
    var answers: [Bool?] = []
    for one in [
      OwnNamespace(cookie: ours.cookie, file: nil), OwnNamespace(cookie: nil, file: ours.file),
      OwnNamespace(cookie: nil, file: nil),
    ] {
      answers.append(one.contains(answer, holders: holders))
    }
    return answers
  }

  @Test("without the capability for it the holder's namespace stands for the socket's")
  func holdersNamespace() throws {
    try needingRoot {
      for (wrapper, expected) in [(asNobody, true), (inNewNetwork + asNobody, false)] {
        try withHelper("my $s = make(AF_INET6, SOCK_STREAM, [], 0); show('s', $s);", through: wrapper) { helper in
          let socket = try helper.socket("s")
          let answer = try asUserNobody { try compare(helper.pid, socket)[1] }
          #expect(answer == expected)
        }
      }
    }
  }

  @Test("the search is not complete where anything could not be looked at")
  func incomplete() throws {
    try needingRoot {
      try withHelper("my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s);") { helper in
        try withSmallProc([helper.pid]) { proc in
          let reader = ProcessReader(procRoot: proc.root)
          #expect(reader.boundSockets(notIn: []).complete)
          // Another user's process cannot be listed.
          let byNobody = try asUserNobody { reader.boundSockets(notIn: []) }
          #expect(byNobody.sockets.isEmpty && !byNobody.complete)
          // Its descriptors cannot be duplicated.
          let refused = try onThread {
            try privileged("filter system calls", test_refuse_system_call(test_pidfd_getfd_number, EPERM))
            return reader.boundSockets(notIn: [])
          }
          #expect(refused.sockets.isEmpty && !refused.complete)
          // Not the first pid namespace: there are processes outside of it.
          unlink(proc.root + "/self/ns/pid")
          proc.link("self/ns/pid", to: "pid:[4026531999]")
          #expect(!reader.boundSockets(notIn: []).complete)
        }
        #expect(!ProcessReader(procRoot: "/nonexistent").boundSockets(notIn: []).complete)
      }
    }
  }
}
