import Glibc
import SocketModel
import Testing

@testable import Evidence

/// No process has this number: it is above the largest pid_max.
private let nobodysPid: Int32 = 99_000_000

@Suite struct FakeProcTests {
  @Test("every process and every descriptor that holds the socket is listed, ascending")
  func allHolders() throws {
    try withFakeProc { proc in
      proc.process(1, [("0", "/dev/null")])
      for pid in [nobodysPid + 2, nobodysPid, nobodysPid + 1] {
        proc.process(pid, [("11", "socket:[4711]"), ("3", "socket:[4711]"), ("4", "socket:[9]")])
      }
      var sockets = [observation(inode: 4711)]
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].owner == .process)
      #expect(sockets[0].processes.map(\.pid) == [nobodysPid, nobodysPid + 1, nobodysPid + 2])
      #expect(sockets[0].processes.map(\.descriptors) == [[3, 11], [3, 11], [3, 11]])
    }
  }

  @Test("a process is described by its short name, its executable, its unit and its container")
  func description() throws {
    try withFakeProc { proc in
      let id = String(repeating: "ab", count: 32)
      proc.process(
        nobodysPid, [("3", "socket:[5]")], command: Array("a\u{1b}\nb".utf8) + [0xff, 0x0a],
        executable: "/opt/old server (deleted)", controlGroup: "0::/system.slice/docker.service/x-\(id)\n")
      var sockets = [observation(inode: 5)]
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      var expected = ProcessRecord(
        pid: nobodysPid, command: "a\u{1b}\nb\u{fffd}", executable: "/opt/old server (deleted)",
        descriptors: [3], unit: "docker.service", container: id)
      // The directory is that of whoever runs the test.
      expected.uid = geteuid()
      #expect(sockets[0].processes == [expected])
    }
  }

  @Test(
    "only a whole socket:[INODE] is a socket",
    arguments: [
      "socket:[12", "socket:[]", "socket:[123", "socket:[1234]", "socket:[23]", "/tmp/socket:[123]", "socket:123",
      "socket:[123x]", "socket:[18446744073709551739]", "pipe:[123]", "sockets[123]", "s",
    ])
  func lookalikes(_ target: String) throws {
    try withFakeProc { proc in
      proc.process(nobodysPid, [("3", target), ("x4", "socket:[123]")])
      var sockets = [observation(inode: 123)]
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].owner == .hidden)
    }
  }

  @Test("the largest inode number is found")
  func largestInode() throws {
    try withFakeProc { proc in
      proc.process(nobodysPid, [("3", "socket:[18446744073709551615]")])
      var sockets = [observation(inode: .max)]
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].owner == .process)
    }
  }

  @Test("a process with more descriptors than one read of its directory holds is read to the end")
  func manyDescriptors() throws {
    try withFakeProc { proc in
      proc.process(nobodysPid, (0..<3000).map { ("\($0)", "socket:[\(10_000 + $0)]") })
      var sockets = (0..<3000).map { observation(inode: 10_000 + $0) }
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets.filter { $0.processes.count != 1 }.map(\.inode) == [])
      #expect(sockets[2999].processes.first?.descriptors == [2999])
    }
  }

  @Test("without an inode /proc is not touched and nobody owns the socket")
  func noInode() {
    var sockets = [observation(inode: nil, family: .ipv6, state: .timeWait)]
    let visibility = ProcessReader(procRoot: "/nonexistent").examine(&sockets)
    #expect(visibility == ProcessVisibility())
    #expect(sockets[0].owner == .none)
    #expect(sockets[0].reuseaddr == .unknown(.noOwner))
    #expect(sockets[0].reuseport == .unknown(.noOwner))
    #expect(sockets[0].v6only == .unknown(.noOwner))
  }

  @Test("without /proc a socket's owner is hidden, and the reason is no-proc", arguments: [true, false])
  func noProc(isEmptyDirectory: Bool) throws {
    try withFakeProc { proc in
      var sockets = [observation(inode: 5)]
      let root = isEmptyDirectory ? proc.root : "/nonexistent"
      let visibility = ProcessReader(procRoot: root).examine(&sockets)
      #expect(visibility == ProcessVisibility(reasons: [.noProc]))
      #expect(sockets[0].owner == .hidden)
      #expect(sockets[0].reuseaddr == .unknown(.hidden))
    }
  }

  @Test("a socket that nobody is seen to hold is hidden, never free and never the kernel's")
  func hidden() throws {
    try withFakeProc { proc in
      proc.process(1, [])
      var sockets = [observation(inode: 5), observation(inode: 6, owner: .kernel)]
      let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].owner == .hidden)
      #expect(sockets[0].reuseport == .unknown(.hidden))
      #expect(sockets[1].owner == .kernel)
      #expect(sockets[1].reuseport == .unknown(.kernel))
      #expect(visibility.unreadableProcesses == 0)
    }
  }

  @Test("what is known for sure stays, a guess stays where nothing better is found")
  func knownStays() throws {
    try withFakeProc { proc in
      proc.process(nobodysPid, [("3", "socket:[5]")])
      var sockets = [observation(inode: 5, family: .ipv6, v6only: .known(true, .sockDiag))]
      sockets[0].reuseaddr = .known(true, .bpf)
      sockets[0].reuseport = .inferred(true, from: 0, because: .vanished)
      let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].v6only == .known(true, .sockDiag))
      #expect(sockets[0].reuseaddr == .known(true, .bpf))
      #expect(sockets[0].reuseport == .inferred(true, from: 0, because: .vanished))
      #expect(visibility == ProcessVisibility())
    }
  }

  @Test("the subflows of an MPTCP socket share its inode and its holder")
  func sharedInode() throws {
    try withFakeProc { proc in
      proc.process(nobodysPid, [("3", "socket:[5]")])
      var sockets = [observation(inode: 5), observation(inode: 5, state: .established)]
      _ = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets.map(\.processes.count) == [1, 1])
    }
  }

  @Test("a process that vanished is ignored; the flags of its socket are unknown because it vanished")
  func vanished() throws {
    try withFakeProc { proc in
      proc.directory("\(nobodysPid + 1)")
      proc.directory("\(nobodysPid + 2)/fd")
      proc.link("\(nobodysPid + 2)/fd/3", to: "socket:[5]")
      proc.process(nobodysPid, [("3", "socket:[5]")])
      var sockets = [observation(inode: 5)]
      let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
      #expect(sockets[0].processes.map(\.pid) == [nobodysPid])
      #expect(sockets[0].reuseaddr == .unknown(.vanished))
      #expect(visibility == ProcessVisibility())
    }
  }

  @Test("unreadable processes count where a holder is missing; kernel threads and zombies never do")
  func unreadable() throws {
    try needingRoot {
      try withFakeProc { proc in
        proc.process(1, [])
        for (pid, stat) in [
          (10, "10 (a b) c) S 1 1 1 0 -1 4194560 0"), (11, "11 (kworker) I 2 0 0 0 -1 69238880 0"),
          (12, "12 (gone) Z 1 1 1 0 -1 4194304 0"), (13, "garbage"),
        ] {
          proc.directory("\(pid)/fd", mode: 0o700)
          proc.file("\(pid)/stat", stat.utf8)
        }
        proc.process(nobodysPid, [("3", "socket:[5]")])
        let seen = try asUserNobody {
          var sockets = [observation(inode: 5), observation(inode: 6)]
          let missing = ProcessReader(procRoot: proc.root).examine(&sockets)
          var held = [sockets[0]]
          return (missing, ProcessReader(procRoot: proc.root).examine(&held), sockets[1].owner)
        }
        #expect(seen.0 == ProcessVisibility(unreadableProcesses: 2, reasons: [.notRoot]))
        #expect(seen.1 == ProcessVisibility())
        #expect(seen.2 == .hidden)
      }
    }
  }
}
