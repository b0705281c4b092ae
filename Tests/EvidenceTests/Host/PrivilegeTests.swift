import Linux
import NetlinkTestSupport
import CLinux
import Glibc
import Evidence
import SocketModel
import Testing

@Suite("Whether the reader may bind a privileged port")
struct PrivilegeTests {
  @Test("is what binding one says, with and without the capability")
  func capability() throws {
    try inPrivateNamespace {
      func bindWorks() -> Bool {
        guard let socket = try? Descriptor(newSocketOf: .ipv4, .tcp) else { return false }
        return (try? socket.bind(to: .v4(.any), scope: nil, port: Port(80))) != nil
      }
      #expect(bindWorks())
      #expect(try HostReader().read(.capability).readerMayBindPrivileged == true)
      // The raw system call changes this thread alone; glibc's setresuid() would change every thread.
      #expect(portwhy_syscall(Int(SYS_setresuid), 1000, 1000, 1000) == 0)
      let facts = try HostReader().read([.capability, .sudoUser])
      #expect(!bindWorks() && facts.readerMayBindPrivileged == false && facts.uid == 1000)
    }
  }

  /// A child process in namespaces of its own, made by unshare(1); killed at the end of its life.
  private final class Child {
    let pid: pid_t

    init?(_ option: String) {
      var pid = pid_t()
      let words = ["/usr/bin/unshare", option, "sleep", "60"].map { (word: String) in strdup(word) }
      defer { words.forEach { free($0) } }
      guard posix_spawn(&pid, "/usr/bin/unshare", nil, nil, words + [nil], [nil]) == 0 else { return nil }
      self.pid = pid
      for _ in 0..<3000 {
        if firstLine("/proc/\(pid)/comm") == "sleep\n" { return }
        usleep(10_000)
      }
      sayNotRun("unshare \(option) made no process")
      return nil
    }

    deinit {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
  }

  /// A reader whose thread-self has the given namespaces, with these effective capabilities.
  private func facts(network: String, user: String, capabilities: Capabilities) throws -> HostFacts {
    let root = try TemporaryRoot(links: ["thread-self/ns/net": network, "thread-self/ns/user": user])
    return try withExtendedLifetime(root) {
      try HostReader(procRoot: root.path, capabilities: capabilities).read(.capability)
    }
  }

  private static let every = Capabilities(rawValue: 0x1ff_ffff_ffff)

  @Test("is false for the root of a child user namespace in a network namespace that its parent owns")
  func childUserNamespace() throws {
    let child = try #require(Child("-Ur"))
    let other = try facts(
      network: "/proc/self/ns/net", user: "/proc/\(child.pid)/ns/user", capabilities: Self.every)
    #expect(other.readerMayBindPrivileged == false)
  }

  @Test("is true in a network namespace that the reader's own user namespace owns")
  func ownUserNamespace() throws {
    let child = try #require(Child("-Urn"))
    let process = "/proc/\(child.pid)/ns"
    let inside = try facts(network: "\(process)/net", user: "\(process)/user", capabilities: .netBindService)
    #expect(inside.readerMayBindPrivileged == true && inside.namespaceMaker == nil)
    let without = try facts(network: "\(process)/net", user: "\(process)/user", capabilities: [])
    #expect(without.readerMayBindPrivileged == false)
    let others = Self.every.subtracting(.netBindService)
    #expect(
      try facts(network: "\(process)/net", user: "\(process)/user", capabilities: others)
        .readerMayBindPrivileged == false)
  }

  @Test("is true, whatever the capabilities, for the user who made the child namespace that owns the network")
  func makerOfTheNamespace() throws {
    let child = try #require(Child("-Urn"))
    let above = try facts(network: "/proc/\(child.pid)/ns/net", user: "/proc/self/ns/user", capabilities: [])
    #expect(above.readerMayBindPrivileged == true && above.namespaceMaker == geteuid())
  }

  @Test("of a program of root is not known where the bounding set cannot be asked")
  func unknownBounds() throws {
    let root = try TemporaryRoot(links: [
      "thread-self/ns/net": "/proc/self/ns/net", "thread-self/ns/user": "/proc/self/ns/user",
    ])
    for isInBounds in [true, false, nil] {
      let reader = HostReader(procRoot: root.path, capabilities: Self.every, isInBounds: isInBounds)
      let facts = try reader.read(.capability)
      #expect(facts.rootMayBindPrivileged == isInBounds)
    }
  }

  @Test("counts CAP_NET_RAW for itself: what changes the device of a socket")
  func rawCapability() throws {
    let own = try facts(network: "/proc/self/ns/net", user: "/proc/self/ns/user", capabilities: .netRaw)
    #expect(own.readerMayChangeDevice == true && own.readerMayBindPrivileged == false)
    let without = try facts(network: "/proc/self/ns/net", user: "/proc/self/ns/user", capabilities: .netBindService)
    #expect(without.readerMayChangeDevice == false && without.readerMayBindPrivileged == true)
  }

  @Test("is not known where the capabilities cannot be read")
  func unknownCapabilities() throws {
    let root = try TemporaryRoot(links: [
      "thread-self/ns/net": "/proc/self/ns/net", "thread-self/ns/user": "/proc/self/ns/user",
    ])
    let facts = try HostReader(procRoot: root.path, capabilities: nil).read(.capability)
    #expect(facts.readerMayBindPrivileged == nil)
  }
}

private func firstLine(_ path: String) -> String? {
  guard let stream = fopen(path, "r") else { return nil }
  defer { fclose(stream) }
  var line = [CChar](repeating: 0, count: 64)
  guard fgets(&line, 64, stream) != nil else { return nil }
  return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
