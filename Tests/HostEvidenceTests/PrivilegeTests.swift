import NetlinkTestSupport
import CNetlink
import Glibc
import HostEvidence
import SocketModel
import Testing

@Suite("Whether the reader may bind a privileged port")
struct PrivilegeTests {
  @Test("is what binding one says, with and without the capability")
  func capability() throws {
    try inPrivateNamespace {
      func bindWorks() -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(80).bigEndian
        return withUnsafePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
          }
        }
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

  /// A /proc whose thread-self has the given namespaces and effective capabilities.
  private func root(network: String, user: String, capabilities: String) throws -> TemporaryRoot {
    try TemporaryRoot(
      files: ["thread-self/status": "CapEff:\t\(capabilities)\n"],
      links: ["thread-self/ns/net": network, "thread-self/ns/user": user])
  }

  @Test("is false for the root of a child user namespace in a network namespace that its parent owns")
  func childUserNamespace() throws {
    let child = try #require(Child("-Ur"))
    let other = try root(
      network: "/proc/self/ns/net", user: "/proc/\(child.pid)/ns/user", capabilities: "000001ffffffffff")
    #expect(try HostReader(procRoot: other.path).read(.capability).readerMayBindPrivileged == false)
  }

  @Test("is true in a network namespace that the reader's own user namespace owns")
  func ownUserNamespace() throws {
    let child = try #require(Child("-Urn"))
    let process = "/proc/\(child.pid)/ns"
    let inside = try root(network: "\(process)/net", user: "\(process)/user", capabilities: "0000000000000400")
    let facts = try HostReader(procRoot: inside.path).read(.capability)
    #expect(facts.readerMayBindPrivileged == true && facts.namespaceMaker == nil)
    let without = try root(network: "\(process)/net", user: "\(process)/user", capabilities: "0000000000000000")
    #expect(try HostReader(procRoot: without.path).read(.capability).readerMayBindPrivileged == false)
  }

  @Test("is true, whatever the capabilities, for the user who made the child namespace that owns the network")
  func makerOfTheNamespace() throws {
    let child = try #require(Child("-Urn"))
    let above = try root(
      network: "/proc/\(child.pid)/ns/net", user: "/proc/self/ns/user", capabilities: "0000000000000000")
    let facts = try HostReader(procRoot: above.path).read(.capability)
    #expect(facts.readerMayBindPrivileged == true && facts.namespaceMaker == geteuid())
  }
}

private func firstLine(_ path: String) -> String? {
  guard let stream = fopen(path, "r") else { return nil }
  defer { fclose(stream) }
  var line = [CChar](repeating: 0, count: 64)
  guard fgets(&line, 64, stream) != nil else { return nil }
  return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
