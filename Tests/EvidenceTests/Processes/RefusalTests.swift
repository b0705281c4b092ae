import CProcessTestSupport
import Glibc
import Linux
import SocketModel
import Testing

@testable import Evidence

private let listener = "my $s = make(AF_INET, SOCK_STREAM, [$RA], 0); listen($s, 1); show('s', $s);"

@Suite struct RefusalTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var says: String
    var error: Int32
    var scope: Int = 0
    var uid: UInt32 = 1000
    var owner: UInt32? = 1000
    var mayTraceAll = false
    var reason: UnknownReason
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "EPERM without Yama", error: EPERM, reason: .hidden),
    Row(says: "EPERM of one's own process under Yama", error: EPERM, scope: 1, reason: .yama),
    Row(says: "EPERM of another user's process under Yama", error: EPERM, scope: 1, owner: 33, reason: .hidden),
    Row(says: "EPERM of one's own process that is not dumpable", error: EPERM, scope: 1, owner: 0, reason: .hidden),
    Row(says: "root without CAP_SYS_PTRACE", error: EPERM, scope: 1, uid: 0, owner: 0, reason: .hidden),
    Row(says: "root under Yama 1", error: EPERM, scope: 1, uid: 0, mayTraceAll: true, reason: .hidden),
    Row(says: "root under Yama 3", error: EPERM, scope: 3, uid: 0, mayTraceAll: true, reason: .yama),
    Row(says: "the process is gone", error: ESRCH, scope: 1, reason: .vanished),
    Row(says: "the descriptor is closed", error: EBADF, reason: .vanished),
    Row(says: "no such system call", error: ENOSYS, scope: 1, reason: .oldKernel),
    Row(says: "a security module refuses", error: EACCES, scope: 1, reason: .hidden),
  ]

  @Test("each refusal has its reason", arguments: rows)
  func mapping(_ row: Row) {
    let reader = RefusalReader(ptraceScope: row.scope, uid: row.uid, mayTraceAll: row.mayTraceAll)
    #expect(reader.reason(SystemError(rawValue: row.error), owner: row.owner) == row.reason)
  }

  /// What a thread sees of `inode` on which `call` fails with `error`, as nobody or as we are.
  private func look(
    _ proc: String, _ inode: UInt64, refusing call: Int, with error: Int32, asNobody: Bool = false
  ) throws -> (SocketObservation, ProcessVisibility) {
    try onThread {
      // The filter first: without privilege it needs no_new_privs, which it sets itself.
      try privileged("filter system calls", test_refuse_system_call(call, error))
      if asNobody { try privileged("change the uid", test_become_user(nobody, nobody)) }
      var sockets = [observation(inode: inode)]
      let visibility = ProcessReader(procRoot: proc).examine(&sockets)
      return (sockets[0], visibility)
    }
  }

  @Test("a kernel without pidfd_open or pidfd_getfd is an old kernel", arguments: [true, false])
  func oldKernel(hasOpen: Bool) throws {
    try withHelper(listener) { helper in
      let call = hasOpen ? test_pidfd_getfd_number : test_pidfd_open_number
      let (socket, visibility) = try look("/proc", try helper.socket("s").inode, refusing: call, with: ENOSYS)
      #expect(socket.processes.map(\.pid) == [helper.pid])
      #expect(socket.reuseaddr == .unknown(.oldKernel))
      #expect(visibility == ProcessVisibility(reasons: [.oldKernel]))
    }
  }

  @Test("a descriptor that closed meanwhile has vanished", arguments: [EBADF, ESRCH])
  func vanished(_ error: Int32) throws {
    try withHelper(listener) { helper in
      let (socket, visibility) = try look(
        "/proc", try helper.socket("s").inode, refusing: test_pidfd_getfd_number, with: error)
      #expect(socket.reuseaddr == .unknown(.vanished))
      #expect(visibility == ProcessVisibility())
    }
  }

  @Test("under Yama the flags of one's own process are unknown because of Yama", arguments: [0, 1, 2, 3])
  func yama(scope: Int) throws {
    try needingRoot {
      try withHelper(listener, through: asNobody) { helper in
        try withFakeProc { proc in
          proc.realProcess(helper.pid)
          proc.realProcess(1)
          proc.yama(scope: scope)
          let (socket, visibility) = try look(
            proc.root, try helper.socket("s").inode, refusing: test_pidfd_getfd_number, with: EPERM, asNobody: true)
          #expect(socket.processes.map(\.pid) == [helper.pid])
          #expect(socket.reuseaddr == .unknown(scope == 0 ? .hidden : .yama))
          #expect(visibility.reasons == (scope == 0 ? [.notRoot] : [.yama]))
        }
      }
    }
  }

  @Test("a process of one's own that may be looked at gives its flags without root")
  func ownUser() throws {
    try needingRoot {
      try withHelper(listener, through: asNobody) { helper in
        try withFakeProc { proc in
          proc.realProcess(helper.pid)
          let inode = try helper.socket("s").inode
          let (socket, visibility) = try asUserNobody {
            var sockets = [observation(inode: inode)]
            let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
            return (sockets[0], visibility)
          }
          // Where the test host has Yama, the kernel refuses this, and "hidden" is right as the fake has none.
          let host = RefusalReader([.refused(.notPermitted, question: 0)], ProcessFiles()).ptraceScope
          #expect(socket.reuseaddr == (host == 0 ? .known(true, .getsockopt) : .unknown(.hidden)))
          #expect(visibility == ProcessVisibility(reasons: host == 0 ? [] : [.notRoot]))
        }
      }
    }
  }

  @Test("a number that stands for another socket by now tells nothing about the wanted one")
  func otherInode() throws {
    try withHelper(listener) { helper in
      try withFakeProc { proc in
        let socket = try helper.socket("s")
        proc.process(helper.pid, [("\(socket.descriptor)", "socket:[5]"), ("0", "socket:[6]")])
        var sockets = [observation(inode: 5), observation(inode: 6)]
        _ = ProcessReader(procRoot: proc.root).examine(&sockets)
        #expect(sockets.map(\.reuseaddr) == [.unknown(.vanished), .unknown(.vanished)])
      }
    }
  }

  @Test("where one holder cannot be asked the next one is")
  func nextHolder() throws {
    try withHelper(listener) { helper in
      try withFakeProc { proc in
        let inode = try helper.socket("s").inode
        // Process 1 has no such descriptor, as if it had just closed it.
        proc.process(1, [("9999", "socket:[\(inode)]")])
        proc.realProcess(helper.pid)
        var sockets = [observation(inode: inode)]
        let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
        #expect(sockets[0].processes.map(\.pid) == [1, helper.pid])
        #expect(sockets[0].reuseaddr == .known(true, .getsockopt))
        #expect(visibility == ProcessVisibility())
      }
    }
  }

  @Test("hidepid is named where it hides the holder", arguments: [1, 2])
  func hidepid(_ level: Int) throws {
    try needingRoot {
      try withHelper(listener) { helper in
        try withFakeProc { proc in
          let inode = try helper.socket("s").inode
          let (socket, visibility) = try onThread {
            try privileged("unshare mounts", test_unshare_mounts())
            try privileged("mount proc", mount("proc", proc.root, "proc", 0, "hidepid=\(level)"))
            try privileged("change the uid", test_become_user(nobody, nobody))
            var sockets = [observation(inode: inode)]
            let visibility = ProcessReader(procRoot: proc.root).examine(&sockets)
            return (sockets[0], visibility)
          }
          #expect(socket.owner == .hidden)
          #expect(visibility.reasons == [.notRoot, .hidepid])
          if level == 1 { #expect(visibility.unreadableProcesses > 0) }
        }
      }
    }
  }
}
