package import SocketModel

/// What the library says where there is no answer: one line, lower case, what is wrong with what.
package enum ErrorWords {
  // MARK: The kernel

  package static func sockDiagMissing(_ errno: SystemError) -> String {
    "the kernel's sock_diag interface is missing or forbidden (\(errno)): check for a seccomp filter,"
      + " and for CONFIG_INET_DIAG (modprobe inet_diag tcp_diag udp_diag)"
  }

  package static func internalError(_ text: String) -> String { "internal error: \(text)" }

  // MARK: A failed bind

  package static let portZero = "port 0 means any free port: there is nothing to explain"

  package static func noAnswer(_ port: Port) -> String { "no answer for \(port)" }

  package static func noPort(_ text: String) -> String { "\"\(text)\" has no port: ADDRESS:PORT is expected" }

  package static func noAddress(_ text: String) -> String { "\"\(text)\" is no address: names are not looked up" }

  package static func noSocket(_ descriptor: Int32, _ errno: SystemError) -> String {
    "descriptor \(descriptor) is no TCP or UDP socket (\(errno))"
  }

  // MARK: A network namespace

  package static func noProcess(_ pid: Int32) -> String { "no process \(pid)" }

  package static func noNamedNamespace(_ name: String) -> String {
    "no network namespace \"\(name)\" in /run/netns"
  }

  package static func noFile(_ path: String) -> String { "no file \"\(path)\"" }

  package static func noNamespace(_ word: String) -> String { "\"\(word)\" is no network namespace" }

  package static func mayNotOpenNamespaces(of pid: Int32) -> String {
    "the namespaces of process \(pid) may not be opened: this needs CAP_SYS_PTRACE (sudo)"
  }

  package static func mayNotOpen(_ word: String, _ errno: SystemError, isRoot: Bool) -> String {
    let reason =
      isRoot ? "root is refused too, by fs.protected_symlinks or a security module" : "this needs root (sudo)"
    return "\"\(word)\" may not be opened (\(errno)): \(reason)"
  }

  package static func mayNotEnter(_ word: String) -> String {
    "the network namespace \"\(word)\" may not be entered: this needs CAP_SYS_ADMIN in the user namespace"
      + " that owns it and in your own (sudo)"
  }

  package static func failed(_ call: String, _ errno: SystemError) -> String { "\(call): \(errno)" }
}
