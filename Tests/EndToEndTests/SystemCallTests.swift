import CProcessTestSupport
import Glibc
import KernelLab
import SocketModel
import Testing

/// A command line beside a listener, and the exit status it must have.
private struct Watched: Sendable, CustomTestStringConvertible {
  /// `PORT` stands for the listener's port.
  var words: [String]
  var status: Int32 = 1
  /// Whether a descriptor of the listener's process has to be duplicated for the answer; nil where either may be.
  var duplicates: Bool? = true
  var testDescription: String { words.joined(separator: " ") }
}

private let watched = [
  Watched(words: ["PORT"]),
  Watched(words: ["--json", "PORT"]),
  Watched(words: ["-v", "--reuseport", "PORT"], status: 0),
  // A listener is in the way whatever it has set; to share the port with it its options decide.
  Watched(words: ["-q", "--no-bpf", "PORT"], duplicates: kernelListsBoundSockets ? false : nil),
  Watched(words: ["-q", "--no-bpf", "--reuseport", "PORT"], status: 0),
  Watched(words: ["--netns", "/proc/thread-self/ns/net", "PORT"]),
  Watched(words: ["--wait", "--timeout", "1", "PORT"]),
  Watched(words: ["--probe", "PORT"]),
  // A kernel without a list of bound sockets has them looked for among all descriptors.
  Watched(words: ["127.0.0.1:1"], status: 0, duplicates: kernelListsBoundSockets ? false : nil),
  Watched(words: ["[fe80::1%nosuch0]:1"], duplicates: nil),
  Watched(words: ["--probe", "[fe80::1%nosuch0]:1"], duplicates: nil),
  Watched(words: ["--device", "nosuch0", "PORT"], duplicates: nil),
  Watched(words: [], status: 0),
  Watched(words: ["---complete", "targets", ""], status: 0, duplicates: false),
  Watched(words: ["--explain"], status: 0, duplicates: false),
]

/// What every word that could change what is executed, loaded or trusted is set to: the traps are programs that would
/// show in the watch, or libraries that are not there.
private let hostileEnvironment = [
  "PATH=/tmp:.:", "LANG=../../tmp", "LC_ALL=zz_ZZ.\u{1b}[31m", "LANGUAGE=x", "TERM=\u{1b}]0;x", "TERMINFO=/tmp",
  "COLUMNS=1", "LINES=1", "LISTEN_PID=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=a:b", "NOTIFY_SOCKET=@x",
  "XDG_CONFIG_HOME=/proc/self", "XDG_RUNTIME_DIR=/proc/self", "XDG_DATA_HOME=/dev/zero", "HOME=/dev/zero",
  "SHELL=/bin/sh", "PAGER=/bin/sh", "EDITOR=/bin/sh", "IFS=x", "ENV=/tmp/x", "BASH_ENV=/tmp/x", "TZ=/dev/zero",
  "TMPDIR=/proc", "SUDO_USER=x", "LD_LIBRARY_PATH=/nonexistent", "LD_BIND_NOW=1", "LOCPATH=/proc/self",
  "NLSPATH=/proc/self/%N", "GCONV_PATH=/nonexistent", "HOSTALIASES=/dev/zero", "RES_OPTIONS=debug",
  "SWIFT_BACKTRACE=enable=yes,interactive=no,swift-backtrace=/bin/sh", "SWIFT_ROOT=/nonexistent",
]

private func watchBesideListener(
  _ words: [String], environment: [String] = Start().environment, hasStreams: Bool = true,
  prepare: () throws -> Void = {}
) throws -> (status: Int32, lines: [String]) {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    let port = try namespace.freshPort().rawValue
    return try withServer("our $s = listener($port, AF_INET, [SO_REUSEPORT]);", port: port) { _ in
      try prepare()
      return watch(words.map { $0 == "PORT" ? "\(port)" : $0 }, environment, hasStreams: hasStreams)
    }
  }
}

@Suite("System calls", .enabled(if: endToEndTestsRun && !isSanitized, "need CAP_SYS_ADMIN and no sanitizer"))
struct SystemCallTests {
  @Test(
    "nothing is executed, changed, handed on or left open, and no duplicate outlives its use", arguments: watched)
  private func clean(_ watched: Watched) throws {
    let (status, lines) = try watchBesideListener(watched.words)
    #expect(status == watched.status)
    #expect(lines.filter { $0 != "duplicate" } == [])
    #expect(watched.duplicates == nil || lines.contains("duplicate") == watched.duplicates)
  }

  @Test(
    "no socket of portwhy becomes a standard stream that was closed",
    arguments: [["PORT"], ["--wait", "--timeout", "1", "PORT"], ["--watch", "PORT"], ["--json", "PORT"]])
  func closedStreams(_ words: [String]) throws {
    let (status, lines) = try watchBesideListener(words, hasStreams: false)
    #expect(status == 70, "nowhere to write")
    // An option is asked for again until it is sure that it stays, one duplicate at a time: none was kept beside another.
    #expect(Set(lines) == ["duplicate"])
  }

  @Test("a hostile environment changes nothing that is executed, nor the answer")
  func environment() throws {
    let (status, lines) = try watchBesideListener(["PORT"], environment: hostileEnvironment)
    #expect(status == 1)
    #expect(Set(lines) == ["duplicate"])
    let (normal, hostile) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort().rawValue
      return try withServer("our $s = listener($port);", port: port) { _ in
        var start = Start()
        start.environment = hostileEnvironment
        return (try portwhy(["\(port)"]), try portwhy(["\(port)"], start))
      }
    }
    #expect(hostile.untimed == normal.untimed && normal.status == 1)
  }

  @Test("--deep runs the two programs it documents, by their paths, and hands nothing on to them")
  func deep() throws {
    let (status, lines) = try watchBesideListener(["--deep", "PORT"], environment: hostileEnvironment) {
      try standIn(for: ["nft", "iptables-save"], in: "/usr/sbin")
    }
    #expect(status == 1)
    #expect(lines.filter { $0 != "duplicate" } == ["exec /usr/sbin/nft", "exec /usr/sbin/iptables-save"])
  }

  @Test("--deep gives them no environment and no standard input")
  func deepGivesNothing() throws {
    let seen = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      try inDirectory { directory in
        let script = """
          #!/bin/sh
          { cat; tr '\\0' '\\n' </proc/$$/environ; echo $0 $*; } >\(directory)/seen

          """
        try standIn(for: ["nft"], in: "/usr/sbin", script)
        var start = Start()
        start.environment = hostileEnvironment
        _ = try portwhy(["--deep", "1"], start)
        return try contents(of: directory + "/seen")
      }
    }
    #expect(seen == "/usr/sbin/nft -nn list ruleset\n")
  }
}

/// Hides a directory of the host, for this thread and what it starts, behind one with these programs alone: a script,
/// or by default true(1).
private func standIn(for names: [String], in directory: String, _ script: String? = nil) throws {
  guard test_unshare_mounts() == 0 else { throw StartError(what: "unshare") }
  guard test_mount("none", "/mnt", "tmpfs", 0, "mode=755") == 0 else { throw StartError(what: "mount") }
  for name in names {
    if let script {
      try write(script, to: "/mnt/\(name)", mode: 0o755)
    } else {
      let copied = try run(["/usr/bin/env", "cp", "/usr/bin/true", "/mnt/\(name)"], Start())
      guard copied.status == 0 else { throw StartError(what: copied.errors) }
    }
  }
  guard test_mount("/mnt", directory, nil, test_bind_mount, nil) == 0 else { throw StartError(what: "bind mount") }
}
