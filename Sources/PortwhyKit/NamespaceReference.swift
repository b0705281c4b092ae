import Evidence
import Linux
import SocketModel

/// Which network namespace a question is about, where it is not the asking thread's own.
public enum NamespaceReference: Sendable, Hashable, CustomStringConvertible {
  /// That of a process, by its number in the reader's pid namespace.
  case process(Int32)
  /// One that `ip netns` has named: a file in /run/netns or /var/run/netns (ip-netns(8)).
  case name(String)
  /// A file of nsfs, or a bind mount of one (namespaces(7)).
  case path(String)

  /// Reads a word: a number is a process, anything with a slash a path, the rest a name; nil for what is none.
  public init?(_ word: String) {
    if word.contains("/") {
      self = .path(word)
    } else if word.isDecimal {
      guard let pid = Int32(word), pid > 0 else { return nil }
      self = .process(pid)
    } else {
      guard !word.isEmpty, word != ".", word != "..", !word.utf8.contains(0) else { return nil }
      self = .name(word)
    }
  }

  /// The word that is read as this.
  public var description: String {
    switch self {
    case .process(let pid): String(pid)
    case .name(let text), .path(let text): text
    }
  }

  private var paths: [String] {
    switch self {
    case .process(let pid): ["/proc/\(pid)/ns/net"]
    case .name(let name): ["/run/netns/\(name)", "/var/run/netns/\(name)"]
    case .path(let path): [path]
    }
  }

  /// Runs `body` in the namespace, on a thread of its own.
  func look<Value>(_ body: () throws(PortwhyError) -> Value) throws(PortwhyError) -> Value {
    let result: Result<Value, PortwhyError>
    do throws(NamespaceEntryError) {
      result = try inNetworkNamespace(at: paths) { Result(catching: body) }
    } catch {
      throw PortwhyError(error, self)
    }
    return try result.get()
  }
}

extension PortwhyError {
  fileprivate init(_ error: NamespaceEntryError, _ namespace: NamespaceReference) {
    switch (error, namespace) {
    case (.absent, .process(let pid)): self = .invalidQuestion("no process \(pid)")
    case (.absent, .name(let name)): self = .invalidQuestion("no network namespace \"\(name)\" in /run/netns")
    case (.absent, .path(let path)): self = .invalidQuestion("no file \"\(path)\"")
    case (.noNetworkNamespace, _): self = .invalidQuestion("\"\(namespace)\" is no network namespace")
    case (.mayNotOpen, .process(let pid)):
      self = .notPermitted("the namespaces of process \(pid) may not be opened: this needs CAP_SYS_PTRACE (sudo)")
    case (.mayNotOpen(let errno), _):
      self = .notPermitted("\"\(namespace)\" may not be opened (\(errno)): this needs root (sudo)")
    case (.mayNotEnter, _):
      self = .notPermitted(
        "the network namespace \"\(namespace)\" may not be entered: this needs CAP_SYS_ADMIN in the user namespace"
          + " that owns it and in your own (sudo)")
    case (.failed(let call, let errno), _): self = .internalError("\(call): \(errno)")
    }
  }
}
