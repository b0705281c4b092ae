import CLinux
import CProcessTestSupport
import Glibc
import Linux
import SocketModel
import Testing

@testable import Evidence

@Suite struct ControlGroupPathTests {
  @Test("the cgroup2 mount point is read from a recorded mountinfo, blanks and all")
  func mountPoint() {
    let hybrid = """
      29 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
      38 29 0:35 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
      39 29 0:36 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
      """
    #expect(cgroup2MountPoint(mountinfo: hybrid) == "/sys/fs/cgroup/unified")
    #expect(
      cgroup2MountPoint(mountinfo: "39 29 0:36 / /mnt/a\\040b\\134 rw - cgroup2 none rw") == "/mnt/a b\\")
    // A carriage return is no part of the line's end, a combining mark no part of a blank.
    #expect(
      cgroup2MountPoint(mountinfo: "1 2 0:3 / /m rw - x y rw,a=\r\n39 29 0:36 / /g rw - cgroup2 \u{301} rw\n") == "/g"
    )
    // A bind mount of a part of the hierarchy would give paths that are too short.
    #expect(cgroup2MountPoint(mountinfo: "39 29 0:36 /x /mnt rw - cgroup2 none rw") == nil)
    #expect(cgroup2MountPoint(mountinfo: "1 2 3\n- - - / - -\n") == nil)
  }

  /// Makes a control group of its own, runs `body` with its path below the mount and its number.
  private func withControlGroup(_ name: String, _ body: (String, UInt64) throws -> Void) throws {
    guard case .text(let text) = readText("/proc/self/mountinfo"), let mount = cgroup2MountPoint(mountinfo: text)
    else {
      throw MissingPrivilege(description: "no cgroup2 is mounted here")
    }
    let path = "/portwhy-test-\(name)-\(getpid())"
    try privileged("make a control group", mkdir(mount + path, 0o755))
    defer { rmdir(mount + path) }
    var status = stat()
    try #require(stat(mount + path, &status) == 0)
    try body(path, UInt64(status.st_ino))
  }

  @Test("a control group's number becomes its path by the file handle, and only when asked")
  func byHandle() throws {
    try needingRoot {
      try withControlGroup("handle") { path, number in
        var socket = observation(inode: nil)
        socket.cgroupID = number
        var sockets = [socket]
        _ = ProcessReader().examine(&sockets)
        #expect(sockets[0].cgroup == nil)
        _ = ProcessReader().examine(&sockets, controlGroupPaths: true)
        #expect(sockets[0].cgroup == path)
      }
    }
  }

  @Test("the root group is /, and a group that is gone has no path")
  func rootAndGone() throws {
    try needingRoot {
      var gone: UInt64 = 0
      try withControlGroup("gone") { _, number in gone = number }
      let first = observation(inode: nil)
      var sockets = [first, first]
      sockets[0].cgroupID = 1
      sockets[1].cgroupID = gone
      _ = ProcessReader().examine(&sockets, controlGroupPaths: true)
      #expect(sockets.map(\.cgroup) == ["/", nil])
    }
  }

  @Test("without the capability for handles the holder's own group is recognised by its number")
  func byHolder() throws {
    try needingRoot {
      try withControlGroup("holder") { path, number in
        let paths = try onThread {
          try privileged(
            "filter system calls", test_refuse_system_call(test_open_by_handle_at_number, EPERM))
          guard var paths = ControlGroupPaths(ProcessFiles()) else { return [String?]() }
          let unknown = paths.path(of: number + 100_000, candidates: [path])
          return [paths.path(of: number, candidates: ["/..", "/../x", "/", path]), unknown]
        }
        #expect(paths == [path, nil])
      }
    }
  }
}
