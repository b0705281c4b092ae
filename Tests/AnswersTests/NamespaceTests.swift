import BindRules
import CLinux
import Glibc
import KernelLab
import Answers
import SocketModel
import Testing

private func question(
  _ port: Port, in namespace: NamespaceReference? = nil, options: ReuseOptions = []
) -> Question {
  Question(
    items: [
      QuestionItem(
        addresses: [.address(.v4(.loopback), zone: nil)], ports: port...port, transport: .tcp)
    ], plan: Plan(options: options), namespace: namespace)
}

/// The namespace of the calling thread, for other threads.
private func ownNamespace() -> String { "/proc/self/task/\(portwhy_syscall(Int(SYS_gettid), 0, 0, 0))/ns/net" }

@Suite("Another network namespace", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct NamespaceTests {
  @Test("is looked into as if one were there: sockets, owners, sysctls, its inode; one's own stays as it was")
  func sockets() throws {
    let seen = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { outer in
      let port = try outer.freshPort()
      try outer.setSysctl("ipv4/ip_unprivileged_port_start", "81")
      let held = listener(port)
      defer { close(held) }
      let place = ownNamespace()
      let inner = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
        let own = inode(ownNamespace())
        let there = try Portwhy.answer(question(port, in: .path(place)))
        let here = try Portwhy.answer(question(port))
        let all = try Portwhy.overview([.tcp], in: .path(place))
        return (there, here, all, own == inode(ownNamespace()))
      }
      return (inner, inode(place), port)
    }
    let ((there, here, all, stayed), place, port) = seen
    #expect(there.host.networkNamespace == place && here.host.networkNamespace != place && stayed)
    #expect(there.host.unprivilegedPortStart == 81 && here.host.unprivilegedPortStart != 81)
    #expect(there.targets[0].verdict == .fails(.addressInUse) && here.targets[0].verdict == .ok)
    #expect(there.targets[0].sockets.first?.processes.map(\.pid).contains(getpid()) == true)
    #expect(all.targets.contains { $0.port == port } && all.host.networkNamespace == place)
  }

  @Test("is found by process and by the name that ip-netns gave")
  func names() throws {
    let name = "netns-test-\(getpid())"
    do { try run("ip", "netns", "add", name) } catch {
      return try notRun("ip netns add: \(error)")
    }
    defer { try? run("ip", "netns", "delete", name) }
    let expected = inode("/run/netns/\(name)")
    let named = try Portwhy.answer(question(Port(2), in: .name(name)))
    #expect(named.host.networkNamespace == expected && expected != nil)
    let pid = try start(["ip", "netns", "exec", name, "sleep", "60"])
    defer {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    for _ in 0..<3000 where inode("/proc/\(pid)/ns/net") != expected { usleep(10_000) }
    #expect(try Portwhy.answer(question(Port(2), in: .process(pid))).host.networkNamespace == expected)
  }

  @Test(
    "that is not there, or is something else, is named in one line",
    arguments: [
      ("2147483647", "no process 2147483647"), ("no-such-name", "\"no-such-name\" in /run/netns"),
      ("/no/such/file", "\"/no/such/file\""), ("/etc/passwd", "\"/etc/passwd\" is no network namespace"),
      ("/proc/self/ns/uts", "is no network namespace"), ("/dev/null", "is no network namespace"),
      ("/", "is no network namespace"),
    ])
  func wrong(_ word: String, _ text: String) throws {
    let namespace = try #require(NamespaceReference(word))
    do throws(PortwhyError) {
      _ = try Portwhy.answer(question(Port(2), in: namespace))
      Issue.record("answered")
    } catch {
      guard case .invalidQuestion(let message) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(message.contains(text) && !message.contains("\n"))
    }
  }

  @Test("may not be entered without CAP_SYS_ADMIN, and that is said")
  func notPermitted() throws {
    var messages: [String] = []
    try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in
      // The thread ends with the namespace.
      try becomeNobody()
      for namespace in [NamespaceReference.path("/proc/thread-self/ns/net"), .process(1)] {
        do throws(PortwhyError) {
          _ = try Portwhy.answer(question(Port(2), in: namespace))
        } catch {
          if case .notPermitted(let message) = error { messages.append(message) }
        }
      }
    }
    #expect(messages.count == 2 && messages[0].contains("CAP_SYS_ADMIN") && messages[1].contains("CAP_SYS_PTRACE"))
  }

  @Test("of a child user namespace: its maker may bind privileged ports there, its own root not outside")
  func userNamespaces() throws {
    let pid = try start(["unshare", "-Urn", "sleep", "60"])
    defer {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    let own = inode("/proc/self/ns/net")
    for _ in 0..<3000 where inode("/proc/\(pid)/ns/net") == own { usleep(10_000) }
    try #require(inode("/proc/\(pid)/ns/net") != own)
    let report = try Portwhy.answer(question(Port(80), in: .process(pid)))
    #expect(report.host.readerMayBindPrivileged == true && report.host.rootMayBindPrivileged == true)
    let inside = try output(of: ["unshare", "-Ur", program, "--json", "--uid", "0", "127.0.0.1:80"])
    #expect(inside.contains("\"root_may_bind_privileged\":false") && inside.contains("\"errno\":\"EACCES\""))
  }

  @Test("A uid that is not mapped into the reader's user namespace is no uid")
  func unmapped() throws {
    let (report, full) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let mapped = listener(port, options: [SO_REUSEPORT])
      let unmapped = listener(port, uid: 1000, options: [SO_REUSEPORT])
      defer {
        close(mapped)
        close(unmapped)
      }
      // The second one is refused its port, being another user's: it takes one of its own.
      let other = try namespace.freshPort()
      let foreign = listener(other, uid: 1000)
      defer { close(foreign) }
      let words = ["--json", "127.0.0.1:\(port),127.0.0.1:\(other)"]
      return (try output(of: ["unshare", "-Ur", program] + words), try output(of: [program] + words))
    }
    let uids = { (text: String) in
      text.matches(of: /"unknown_because":(?:null|"[a-z-]+"),"uid":(\w+)/).map { String($0.1) }
    }
    #expect(uids(report) == ["0", "null"], "\(report)")
    #expect(uids(full) == ["0", "1000"])
    #expect(report.contains("\"overflow_uid\":65534") && full.contains("\"overflow_uid\":null"))
  }
}

@Suite("The words for a network namespace")
struct NamespaceReferenceTests {
  @Test("are a number, a name, or a path, and read as they are written")
  func words() {
    let words: [(String, NamespaceReference?)] = [
      ("1", .process(1)), ("0", nil), ("4294967296", nil), ("blue", .name("blue")), ("8a", .name("8a")), ("", nil),
      (".", nil), ("..", nil), ("./x", .path("./x")), ("/run/netns/1", .path("/run/netns/1")),
    ]
    for (word, expected) in words {
      #expect(NamespaceReference(word) == expected)
      if let expected { #expect(expected.description == word) }
    }
  }
}
