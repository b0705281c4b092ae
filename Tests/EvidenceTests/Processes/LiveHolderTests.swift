import CLinux
import CProcessTestSupport
import Glibc
import SocketModel
import Testing

@testable import Evidence

/// How many descriptors this thread's table has.
func countDescriptors() -> Int {
  guard let directory = opendir("/proc/thread-self/fd") else { return -1 }
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count
}

@Suite struct LiveHolderTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var says: String
    var script: String
    var reuseaddr: Bool
    var reuseport: Bool
    var v6only: Bool?
    var testDescription: String { says }
  }

  static let rows = [
    Row(
      says: "a TCP listener without options", script: "make(AF_INET, SOCK_STREAM, [], 0); listen($s, 1)",
      reuseaddr: false, reuseport: false),
    Row(
      says: "a TCP listener with SO_REUSEADDR", script: "make(AF_INET, SOCK_STREAM, [$RA], 0); listen($s, 1)",
      reuseaddr: true, reuseport: false),
    Row(
      says: "a bound TCP socket with SO_REUSEPORT", script: "make(AF_INET, SOCK_STREAM, [$RP], 0)",
      reuseaddr: false, reuseport: true),
    Row(
      says: "a dual-stack UDP socket with both", script: "make(AF_INET6, SOCK_DGRAM, [$RA, $RP, $DUAL], 0)",
      reuseaddr: true, reuseport: true, v6only: false),
    Row(
      says: "an IPv6-only UDP socket", script: "make(AF_INET6, SOCK_DGRAM, [$ONLY], 0)",
      reuseaddr: false, reuseport: false, v6only: true),
  ]

  @Test("the flags of another process's socket are those it set", arguments: rows)
  func flags(_ row: Row) throws {
    try withHelper("my $s = \(row.script); show('s', $s);") { helper in
      let socket = try helper.socket("s")
      let family: AddressFamily = row.v6only == nil ? .ipv4 : .ipv6
      let state: SocketState = row.script.contains("listen(") ? .listen : .close
      var sockets = [observation(inode: socket.inode, family: family, state: state, uid: nil)]
      let visibility = ProcessReader().examine(&sockets)
      #expect(sockets[0].reuseaddr == .known(row.reuseaddr, .getsockopt))
      #expect(sockets[0].reuseport == .known(row.reuseport, .getsockopt))
      #expect(sockets[0].v6only == row.v6only.map { .known($0, .getsockopt) })
      #expect(sockets[0].uid == geteuid())
      #expect(visibility == ProcessVisibility())
      let process = try #require(sockets[0].processes.first { $0.pid == helper.pid })
      #expect(process.command == "perl")
      #expect(process.executable == "/usr/bin/perl")
      #expect(process.descriptors == [socket.descriptor])
    }
  }

  @Test(
    "the options of a socket that listens and did not in the dump, or the other way round, are not those of the dump",
    arguments: [SocketState.listen, .close])
  func moved(from state: SocketState) throws {
    let end = state == .listen ? "" : "listen($s, 1);"
    try withHelper("my $s = make(AF_INET, SOCK_STREAM, [$RA], 0); \(end) show('s', $s);") { helper in
      let socket = try helper.socket("s")
      var sockets = [observation(inode: socket.inode, state: state), observation(inode: socket.inode, state: state)]
      sockets[1].state = state == .listen ? .close : .listen
      _ = ProcessReader().examine(&sockets)
      #expect(sockets.map(\.reuseaddr) == [.unknown(.vanished), .known(true, .getsockopt)])
      #expect(sockets.map(\.reuseport) == [.unknown(.vanished), .known(false, .getsockopt)])
      #expect(sockets.allSatisfy { $0.processes.contains { $0.pid == helper.pid } })
    }
  }

  @Test("what was seen of another's socket is confirmed while it is so, and not where anything changed")
  func confirming() throws {
    let script = "my $s = make(AF_INET, SOCK_STREAM, [$RA], 0); listen($s, 1); show('s', $s);"
    try withHelper(script) { helper in
      var sockets = [observation(inode: try helper.socket("s").inode, uid: geteuid())]
      sockets[0].state = .listen
      _ = ProcessReader().examine(&sockets)
      let seen = sockets[0]
      func confirm(_ change: (inout SocketObservation) -> Void) -> Bool {
        var changed = seen
        change(&changed)
        let told = ProcessReader().confirm([changed])
        #expect(told.all)
        return told.areAsSeen
      }
      #expect(confirm { _ in })
      #expect(confirm { $0.uid = nil })
      #expect(!confirm { $0.state = .close })
      #expect(!confirm { $0.reuseaddr = .known(false, .getsockopt) })
      #expect(!confirm { $0.reuseport = .known(true, .getsockopt) })
      #expect(!confirm { $0.device = InterfaceIndex(rawValue: 1) })
      #expect(!confirm { $0.uid = geteuid() + 1 })
      #expect(!confirm { $0.processes[0].descriptors = [9999] })
      var unasked = seen
      unasked.reuseaddr = .unknown(.hidden)
      unasked.reuseport = .unknown(.hidden)
      #expect(ProcessReader().confirm([unasked]) == (true, false))
      unasked.inode = nil
      #expect(ProcessReader().confirm([unasked]) == (true, true))
    }
  }

  @Test(
    "a socket is found at whatever number its descriptor has, with and without gaps before it",
    arguments: [0, 4, 700])
  func gaps(_ gap: Int) throws {
    let script =
      "my $s = make(AF_INET, SOCK_STREAM, [], 0); open(my $far, '>&', $s) or die; "
      + "POSIX::dup2(fileno $s, fileno($far) + \(gap)) or die; show('s', $s);"
    try withHelper("use POSIX (); \(script)") { helper in
      let socket = try helper.socket("s")
      var sockets = [observation(inode: socket.inode)]
      _ = ProcessReader().examine(&sockets)
      let process = try #require(sockets[0].processes.first { $0.pid == helper.pid })
      let last = socket.descriptor + 1 + Int32(gap)
      #expect(process.descriptors == Array(Set([socket.descriptor, socket.descriptor + 1, last])).sorted())
    }
  }

  @Test("a socket is found each time behind descriptors that come and go")
  func comingAndGoing() throws {
    let script = """
      use POSIX (); my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s); my $parent = $$;
      my $child = fork // die;
      if (!$child) {
        POSIX::dup2(fileno $s, 40) or die; close $s;
        while (getppid() == $parent) { my @some; for (1..8) { open(my $f, '<', '/dev/null'); push @some, $f } }
        exit;
      }
      print "child $child\\n"; select undef, undef, undef, 0.1;
      """
    try withHelper(script) { helper in
      let (socket, child) = (try helper.socket("s"), try helper.numbers("child"))
      for _ in 0..<100 {
        var sockets = [observation(inode: socket.inode)]
        _ = ProcessReader().examine(&sockets)
        let holder = sockets[0].processes.first { UInt64($0.pid) == child.first }
        try #require(holder?.descriptors == [40] && sockets[0].processes.count == 2)
      }
    }
  }

  @Test("a socket of our own process is read the same way")
  func ownSocket() throws {
    let socket = Glibc.socket(AF_INET6, Int32(1 /* SOCK_STREAM */) | Int32(0o2000000 /* SOCK_CLOEXEC */), 0)
    try #require(socket >= 0)
    defer { close(socket) }
    var on: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    setsockopt(socket, 41, IPV6_V6ONLY, &on, 4)
    var status = stat()
    try #require(fstat(socket, &status) == 0)
    var sockets = [observation(inode: UInt64(status.st_ino), family: .ipv6, state: .close)]
    _ = ProcessReader().examine(&sockets)
    #expect(sockets[0].owner == .process)
    #expect(sockets[0].processes.first { $0.pid == getpid() }?.descriptors.contains(socket) == true)
    #expect(sockets[0].reuseaddr == .known(true, .getsockopt))
    #expect(sockets[0].reuseport == .known(false, .getsockopt))
    #expect(sockets[0].v6only == .known(true, .getsockopt))
  }

  @Test("forty forked workers and their parent are all listed")
  func workers() throws {
    let script = """
      my $s = make(AF_INET, SOCK_STREAM, [$RA], 0); listen($s, 5); show('s', $s); pipe(my $r, my $w);
      for (1..40) { my $pid = fork; if (!$pid) { close $w; <$r>; exit } push @workers, $pid }
      print join(' ', 'workers', @workers), "\\n";
      """
    try withHelper(script) { helper in
      var sockets = [observation(inode: try helper.socket("s").inode)]
      _ = ProcessReader().examine(&sockets)
      let expected = try helper.numbers("workers").map { Int32($0) } + [helper.pid]
      #expect(sockets[0].processes.map(\.pid) == expected.sorted())
      #expect(sockets[0].reuseaddr == .known(true, .getsockopt))
    }
  }

  @Test("a socket inherited by a child whose parent has gone is the child's")
  func orphanedChild() throws {
    let script = """
      my $s = make(AF_INET, SOCK_STREAM, [$RP], 0); listen($s, 5); show('s', $s); pipe(my $r, my $w);
      my $middle = fork;
      if (!$middle) { my $pid = fork; if (!$pid) { close $w; <$r>; exit } print "child $pid\\n"; exit }
      close $s; waitpid($middle, 0);
      """
    try withHelper(script) { helper in
      var sockets = [observation(inode: try helper.socket("s").inode)]
      _ = ProcessReader().examine(&sockets)
      #expect(sockets[0].processes.map { UInt64($0.pid) } == (try helper.numbers("child")))
      #expect(sockets[0].reuseport == .known(true, .getsockopt))
    }
  }

  @Test("root reads the flags of another user's socket, nobody does not and says why")
  func otherUser() throws {
    try needingRoot {
      let script = "my $s = make(AF_INET, SOCK_STREAM, [$RA], 0); listen($s, 1); show('s', $s);"
      try withHelper(script) { helper in
        let inode = try helper.socket("s").inode
        let (sockets, visibility) = try asUserNobody {
          var sockets = [observation(inode: inode)]
          let visibility = ProcessReader().examine(&sockets)
          return (sockets, visibility)
        }
        #expect(sockets[0].owner == .hidden)
        #expect(sockets[0].processes.isEmpty)
        #expect(sockets[0].reuseaddr == .unknown(.hidden))
        #expect(sockets[0].uid == 0)
        #expect(visibility.unreadableProcesses > 0)
        #expect(visibility.reasons.contains(.notRoot))
      }
      try withHelper(script, through: asNobody) { helper in
        var sockets = [observation(inode: try helper.socket("s").inode)]
        _ = ProcessReader().examine(&sockets)
        #expect(sockets[0].processes.map(\.pid) == [helper.pid])
        #expect(sockets[0].reuseaddr == .known(true, .getsockopt))
      }
    }
  }

  @Test("no descriptor is left open, neither after success nor after a refusal")
  func noLeak() throws {
    let script = "my $s = make(AF_INET6, SOCK_STREAM, [$RA], 0); listen($s, 1); show('s', $s);"
    try withHelper(script) { helper in
      let socket = try helper.socket("s")
      for refused in [nil, test_pidfd_open_number, test_pidfd_getfd_number] {
        let (before, after) = try onThread {
          try privileged("unshare descriptors", test_unshare_files())
          if let refused { try privileged("filter system calls", test_refuse_system_call(refused, EPERM)) }
          let before = countDescriptors()
          var sockets = [observation(inode: socket.inode, family: .ipv6)]
          _ = ProcessReader().examine(&sockets, controlGroupPaths: true)
          #expect(sockets[0].reuseaddr.sure == (refused == nil ? true : nil))
          _ = ProcessReader().boundSockets(on: socket.port...socket.port, notIn: [])
          return (before, countDescriptors())
        }
        #expect(before == after)
      }
    }
  }
}
