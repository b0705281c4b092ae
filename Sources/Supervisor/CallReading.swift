import CLinux
import Evidence
package import Linux
package import SocketModel

// What is read while the thread of a call stands still. Its sockets and its memory may keep who looks waiting for ever: see
// `LookingThread`.

extension FailedCall {
  /// Throws ESRCH where the thread is gone, ETIMEDOUT where somebody keeps who looks waiting.
  init(
    _ run: RunningCall, _ errno: SystemError, number: UInt64, ownNamespace: UInt64, _ files: ProcessFiles
  ) throws(SystemError) {
    let caller = try Caller(thread: run.call.thread, files)
    let told = ThreadFiles(run.call.thread, descriptor: run.call.descriptor, files)
    self.number = number
    function = run.call.function
    self.errno = errno
    self.caller = caller
    address = CallAddress(run.address)
    let now = run.call.function == .bind ? try run.call.addressBytes(isOthers: told.isOthers) : run.address
    addressChanged = now != run.address
    descriptor = run.call.descriptor
    madeAt = Clock.microseconds
    if told.isOthers {
      guard let asked = run.asked(told) else { return }
      socket = asked.asOwn(namespace: ownNamespace)
      if run.call.function == .listen { address = asked.address }
      if let cookie = asked.answer.namespaceCookie, ownNamespace != 0, cookie != ownNamespace {
        namespace = CallNamespace(of: run.call.thread, files)
      }
      return
    }
    guard let own = run.duplicate(told) else { return }
    socket = try? OwnSocket(descriptor: own.number)
    if run.call.function == .listen { address = CallAddress(localName(of: own.number)) }
    let cookie = portwhy_namespace_cookie(own.number)
    if cookie != 0, ownNamespace != 0, cookie != ownNamespace {
      // The socket's, which need not be the thread's (setns(2)); that one needs CAP_NET_ADMIN there.
      let ofSocket = portwhy_socket_namespace(own.number)
      namespace =
        ofSocket >= 0
        ? CallNamespace(file: OpenFile(owning: ofSocket)) : CallNamespace(of: run.call.thread, files)
    }
  }
}

extension WorkedCall {
  /// nil where the socket is another by now.
  init?(_ run: RunningCall, _ files: ProcessFiles) {
    let found: (transport: TransportProtocol?, address: CallAddress?)
    let told = ThreadFiles(run.call.thread, descriptor: run.call.descriptor, files)
    if told.isOthers {
      let asked = run.asked(told)
      found = (asked?.answer.transport, asked?.address)
    } else {
      guard let own = run.duplicate(told) else { return nil }
      found = ((try? OwnSocket(descriptor: own.number))?.transport, CallAddress(localName(of: own.number)))
    }
    guard let transport = found.transport, let address = found.address,
      let caller = try? Caller(thread: run.call.thread, files)
    else { return nil }
    function = run.call.function
    process = caller.process
    command = caller.command
    self.transport = transport
    self.address = address
    inode = run.inode
  }
}

extension RunningCall {
  /// The socket of the call, asked, if the descriptor still is that.
  fileprivate func asked(_ files: ThreadFiles) -> ForeignSocket? {
    guard let asked = try? ForeignSocket(files), asked.inode == inode else { return nil }
    return asked
  }

  /// A duplicate of the socket of the call, if the descriptor still is that.
  fileprivate func duplicate(_ files: ThreadFiles) -> OwnedDescriptor? {
    guard let number = try? duplicateDescriptor(files),
      let own = OwnedDescriptor(number), portedSocket(number) == inode
    else { return nil }
    return own
  }
}

extension CallNamespace {
  fileprivate init(of thread: Int32, _ files: ProcessFiles) {
    file = files.ask(ProcessQuestion(.named([thread]), [.opened("ns/net")])).processes.first?.file("ns/net")
  }
}

extension Caller {
  /// Reads /proc/TID; throws the same.
  init(thread: Int32, _ files: ProcessFiles) throws(SystemError) {
    let (label, user) = ("attr/current", "ns/user")
    let reply = files.ask(
      ProcessQuestion(
        .named([thread]), [.contents("status"), .link("exe"), .link(user), .contents(label)],
        rootFiles: [.link("self/ns/user")]))
    guard let told = reply.processes.first, let bytes = told.contents("status") else {
      throw reply.end == .noAnswer || reply.isSilent ? .timedOut : .noSuchProcess
    }
    let status = StatusFile(bytes)
    guard let process = status.number("Tgid:").flatMap({ Int32($0) }) else { throw .noSuchProcess }
    self.thread = thread
    self.process = process
    command = status.text("Name:") ?? "?"
    let users = status.text("Uid:")?.split(whereSeparator: { $0 == "\t" || $0 == " " }) ?? []
    uid = users.count > 1 ? UInt32(users[1]) ?? .max : .max
    capabilities = status.text("CapEff:").flatMap { UInt64($0, radix: 16) } ?? 0
    executable = told.link("exe")
    let (theirs, ours) = (told.link(user), reply.root.link("self/ns/user"))
    isInOurUserNamespace = theirs == nil || ours == nil ? nil : theirs == ours
    let text = String(
      decoding: (told.contents(label) ?? []).prefix { $0 != 0 && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    securityLabel = text.isEmpty || text == "unconfined" ? nil : text
  }
}

/// /proc/TID/status, proc_pid_status(5).
struct StatusFile {
  private var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// What stands behind a field's name, which is the first of its line.
  func text(_ name: String) -> String? {
    let key = Array(name.utf8)
    var rest = bytes[...]
    while !rest.isEmpty {
      let line = rest.prefix { $0 != UInt8(ascii: "\n") }
      if line.starts(with: key) {
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        return String(decoding: line.dropFirst(key.count).drop(while: blank), as: UTF8.self)
      }
      rest = rest[line.endIndex...].dropFirst()
    }
    return nil
  }

  func number(_ name: String) -> UInt64? { text(name).flatMap { UInt64($0) } }
}

/// Whether a process descends from this one, which adopts what the command leaves behind.
package func isBelowThisProcess(_ process: Int32, _ files: ProcessFiles) -> Bool {
  let reply = files.ask(ProcessQuestion(.namedAndParents([process]), [.contents("stat")]))
  return process != ownProcess() && reply.processes.contains { $0.pid == ownProcess() }
}

/// The address that a program passed to bind(2): a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)).
package struct CallAddress: Sendable, Hashable {
  package var endpoint: Endpoint
  /// `sin6_scope_id`; nil for 0.
  package var scope: UInt32?

  package init(endpoint: Endpoint, scope: UInt32? = nil) {
    self.endpoint = endpoint
    self.scope = scope
  }

  /// What may be an address of a TCP or UDP socket; nil for every other family and for too few bytes.
  ///
  /// AF_UNSPEC counts as AF_INET, as it does to `__inet_bind`.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 16 else { return nil }
    // The family is in the order of the host, and x86-64 and aarch64 are little-endian.
    let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
    let port = Port(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
    switch family {
    case 0, Self.inet:
      endpoint = Endpoint(address: .v4(IPv4Address(bytes[4], bytes[5], bytes[6], bytes[7])), port: port)
    case Self.inet6 where bytes.count >= 24:
      let halves = [bytes[8..<16], bytes[16..<24]].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
      endpoint = Endpoint(address: .v6(IPv6Address(high: halves[0], low: halves[1])), port: port)
      if bytes.count >= 28 {
        let number = (24..<28).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[$1]) }
        scope = number == 0 ? nil : number
      }
    default: return nil
    }
  }

  /// Whether the bytes may be such an address; the rest of the host's binds is let go on unseen.
  static func mayBe(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 2 else { return false }
    let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
    return family == 0 || family == inet || family == inet6
  }

  /// AF_INET and AF_INET6.
  private static let inet: Int32 = 2
  private static let inet6: Int32 = 10
}
