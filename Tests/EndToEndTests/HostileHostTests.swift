import BindRules
import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// What runs on a damaged host showed about a listener, a free port and a privileged one, with what the kernel did.
private struct Damaged: Sendable {
  var listener: Answer
  var free: Answer
  var privileged: Answer
  var overview: Answer
  var screen: Ending
  var trials: [[TrialResult]] = []
}

private let wildcard = Attempt(.tcp, ip("0.0.0.0"))
private let asNobody = Attempt(.tcp, ip("0.0.0.0"), uid: 65534, mayBindPrivileged: false)

/// Damages the mounts of a thread, then looks as this user beside a listener; ports from 600 on need no privilege,
/// which only a sysctl tells.
private func look(_ start: Start = Start(), damage: () throws -> Void) throws -> Damaged {
  let attempt = start.through.isEmpty ? wildcard : asNobody
  return try inPrivateMounts { (namespace: inout NetworkNamespace) in
    try namespace.setSysctl("ipv4/ip_unprivileged_port_start", "600")
    let used = try namespace.build(Scenario([], attempt))
    let unused = try namespace.build(Scenario([], attempt))
    let ports = [used.port, unused.port].map { "0.0.0.0:\($0)" }
    return try withServer("our $s = listener($port);", port: used.port.rawValue) { _ in
      let trials = [
        ReuseOptions.combinations.map { used.tryBind($0) }, ReuseOptions.combinations.map { unused.tryBind($0) },
      ]
      try damage()
      return Damaged(
        listener: try Answer([ports[0]], start), free: try Answer([ports[1]], start),
        privileged: try Answer(["0.0.0.0:700"], start), overview: try Answer([], start),
        screen: try portwhy([ports[0]], start), trials: trials)
    }
  }
}

extension Damaged {
  var reasons: Set<String> {
    Set((listener.document["visibility"]?["reasons"]?.elements ?? []).compactMap(\.text))
  }

  /// What is the same however damaged the host is.
  func expectHonest(open: Set<ReuseOptions>, at location: SourceLocation = #_sourceLocation) {
    for (answer, trials) in zip([listener, free], trials) {
      #expect(answer.disagreements(with: [trials], open: open) == [], sourceLocation: location)
    }
    for answer in [listener, free, privileged, overview] {
      #expect(answer.violations() == [], sourceLocation: location)
      // A sanitizer warns that it cannot name the executable without /proc.
      let errors = answer.ending.errors.split(separator: "\n").filter {
        sanitizer == nil || !$0.contains("WARNING: reading executable name failed")
      }
      #expect(errors == [], sourceLocation: location)
    }
    #expect(listener.states == ["LISTEN"], sourceLocation: location)
    #expect(screen.lines.allSatisfy { $0.unicodeScalars.count <= 80 }, sourceLocation: location)
    #expect(screen.status == listener.ending.status, sourceLocation: location)
  }
}

private let all = Set(ReuseOptions.combinations)
private let reusePorts: Set<ReuseOptions> = [reuseport, both]

@Suite("A hostile host", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for namespaces"), needsBoundSockets)
struct HostileHostTests {
  @Test("a /proc that hides processes hides the holder, and this is said")
  func hiddenProcesses() throws {
    let hide = {
      try mount("proc", on: "/proc", options: "hidepid=2")
    }
    let seen = try look(.asNobody, damage: hide)
    seen.expectHonest(open: reusePorts)
    #expect(seen.listener.sockets.first?["owner"]?.text == "hidden")
    #expect(seen.reasons.isSuperset(of: ["hidepid", "not-root"]))
    #expect(seen.listener.document["visibility"]?["complete"]?.bool == false)
    #expect(seen.free.ending.status == 0 && seen.privileged.ending.status == 0)
    // Root is exempt.
    let root = try look(damage: hide)
    root.expectHonest(open: reusePorts)
    #expect(root.reasons == [] && root.listener.pids.count == 1)
  }

  @Test(
    "without /proc the words are still read, and what only /proc tells is undetermined",
    addressSanitizerNeedsProc)
  func noProc() throws {
    let seen = try look { test_unmount("/proc") }
    seen.expectHonest(open: all)
    #expect(seen.listener.ending.status == 2 && seen.privileged.ending.status == 2)
    #expect(seen.reasons == ["no-proc"])
    #expect(seen.listener.sockets.first?["owner"]?.text == "hidden")
    let nobody = try look(.asNobody) { test_unmount("/proc") }
    nobody.expectHonest(open: all)
    #expect(nobody.privileged.ending.status == 2)
  }

  @Test(
    "an empty /proc is no /proc, not an old kernel's",
    addressSanitizerNeedsProc)
  func emptyProc() throws {
    let seen = try look { try mount("tmpfs", on: "/proc") }
    seen.expectHonest(open: all)
    #expect(seen.privileged.ending.status == 2)
    #expect(seen.reasons == ["no-proc"])
  }

  @Test("where /proc does not show net.ipv6.bindv6only, a new socket does", arguments: ["0", "1"])
  func hiddenBindv6only(_ value: String) throws {
    let ending = try inPrivateMounts { (namespace: inout NetworkNamespace) in
      try namespace.setSysctl("ipv6/bindv6only", value)
      let port = try namespace.freshPort().rawValue
      return try withServer("our $s = listener($port);", port: port) { _ in
        try mount("tmpfs", on: "/proc/sys/net")
        return try portwhy(["-q", "[::]:\(port)"])
      }
    }
    #expect(ending.status == (value == "1" ? 0 : 1))
  }

  @Test("an empty /sys costs the BPF evidence, and nothing else")
  func emptySys() throws {
    let seen = try look { try mount("tmpfs", on: "/sys") }
    seen.expectHonest(open: reusePorts)
    #expect(seen.listener.pids.count == 1 && seen.free.ending.status == 0)
    #expect(seen.listener.document["visibility"]?["bpf"]?["problem"]?.text?.contains("/sys/kernel/btf") == true)
  }

  @Test("a read-only /sys and /proc, and no place to write at all, change no answer")
  func readOnly() throws {
    let readOnly = {
      for path in ["/sys", "/proc", "/tmp", "/run", "/dev"] {
        guard test_mount(path, path, nil, test_bind_mount, nil) == 0,
          test_mount(nil, path, nil, test_read_only_mount, nil) == 0
        else { throw StartError(what: "\(path) read-only") }
      }
    }
    let (seen, normal) = (try look(damage: readOnly), try look {})
    seen.expectHonest(open: reusePorts)
    #expect(seen.listener.ending.status == 1 && seen.free.ending.status == 0)
    #expect(seen.reasons == normal.reasons && seen.listener.pids.count == 1)
  }

  @Test("endless and empty files where there should be small ones change no sure answer")
  func strangeFiles() throws {
    for strange in ["/dev/zero", "/dev/null"] {
      let seen = try look {
        for path in ["/proc/sys/net/ipv4/ip_unprivileged_port_start", "/sys/kernel/btf/vmlinux", "/etc/services"] {
          guard test_mount(strange, path, nil, test_bind_mount, nil) == 0 else { throw StartError(what: path) }
        }
      }
      seen.expectHonest(open: all)
    }
  }

  @Test("with few descriptors there is an answer, or an error that is said; no sure answer changes")
  func fewDescriptors() throws {
    // The dynamic loader needs one, a sanitizer some.
    for limit in (isSanitized ? 16 : 4)...16 {
      let start = Start(through: ["/bin/sh", "-c", "ulimit -n \(limit) || exit 70; exec \"$@\"", "sh"])
      let (held, free, report) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
        (namespace: inout NetworkNamespace) in
        let ports = try (0..<2).map { _ in try namespace.freshPort().rawValue }
        return try withServer("our $s = listener($port);", port: ports[0]) { _ in
          // No report where even its sockets could not be asked for.
          (
            try portwhy(["\(ports[0])"], start), try portwhy(["\(ports[1])"], start),
            try? Answer(["\(ports[0])"], start)
          )
        }
      }
      #expect([1, 2, 70].contains(held.status), "\(limit): \(held)")
      #expect([0, 2, 70].contains(free.status), "\(limit): \(free)")
      #expect(held.status != 70 || !held.errors.isEmpty)
      let isComplete = report?.document["visibility"]?["complete"]?.bool == true
      #expect(!isComplete || report?.pids.count == 1, "\(limit): a gap that nobody is told of")
      if limit >= 8 { #expect(held.status == 1 && free.status == 0, "\(limit): \(held)") }
    }
  }
}
