package import BindRules
import Linux
package import SocketModel

/// Binds a socket like the planned one to the planned address and port, and closes it at once.
///
/// The only place of this project that binds, and it is reached only where the user asked for it. It never listens
/// and never binds UDP. The socket has the attempt's family, options and owner: the kernel compares `sk_uid`, which
/// fchown(2) sets. The security modules and control group programs it meets are this process's, not the planned
/// program's.
/// - Parameter host: the facts of the calling thread's network namespace.
package func probe(_ attempt: BindAttempt, _ options: ReuseOptions, on host: HostFacts) -> ProbeAnswer {
  if let reason = obstacle(to: attempt, host) { return .refused(reason) }
  do throws(Setback) {
    let scope =
      try attempt.missingZone.map { (zone) throws(Setback) in try index(ofZone: zone) } ?? attempt.scope
    let socket = try ProbeSocket(attempt.family)
    if attempt.uid != host.uid { try socket.give(to: attempt.uid) }
    if options.contains(.reuseaddr) { try socket.set(.reuseaddr, true) }
    if options.contains(.reuseport) { try socket.set(.reuseport, true) }
    if attempt.family == .ipv6 { try socket.set(.v6only, attempt.v6only) }
    switch attempt.device {
    case .interface(_, let name), .missing(let name): try socket.bind(toDevice: name)
    case nil: break
    }
    try socket.bind(to: attempt.address, scope: scope, port: attempt.port)
    return .answered(.ok)
  } catch {
    switch error {
    case .answer(let errno): return .answered(.fails(errno))
    case .obstacle(let reason): return .refused(reason)
    }
  }
}

private func index(ofZone name: String) throws(Setback) -> InterfaceIndex {
  do throws(SystemError) { return try interfaceIndex(named: name) } catch { throw .answer(error) }
}

/// What stops a probe.
enum Setback: Error, Hashable {
  /// The planned program would meet the same.
  case answer(SystemError)
  /// The planned program need not meet this.
  case obstacle(String)
}

/// Why a probe would be of another kind than the planned bind; nil where it would not.
private func obstacle(to attempt: BindAttempt, _ host: HostFacts) -> String? {
  guard attempt.transport == .tcp else { return "UDP is never probed: a bound socket takes datagrams at once" }
  let mayNeedPrivilege = host.unprivilegedPortStart.map { UInt32(attempt.port.rawValue) < $0 } ?? true
  guard mayNeedPrivilege, attempt.uid != host.uid else { return nil }
  switch (attempt.mayBindPrivileged, host.readerMayBindPrivileged) {
  case (true, true), (false, false): return nil
  case (true, false): return "uid \(attempt.uid) may bind this port, you may not: sudo may"
  case (false, true): return "you may bind this port, uid \(attempt.uid) may not"
  default: return "whether you and uid \(attempt.uid) may bind this port is not known"
  }
}

/// What came of one probe.
package enum ProbeAnswer: Sendable, Hashable {
  /// The first failing call of socket(2), setsockopt(2) and bind(2), or `.ok`; never `.undetermined`.
  case answered(CallResult)
  /// No socket like the planned one could be made; why, in words.
  case refused(String)
}

/// A fresh TCP socket that is closed when its owner lets go of it; each error is sorted into what the planned program
/// would meet too and what it need not meet.
struct ProbeSocket: ~Copyable {
  private let socket: Descriptor

  /// socket(2). A family the host lacks is an answer.
  init(_ family: AddressFamily) throws(Setback) {
    do throws(SystemError) { socket = try Descriptor(newSocketOf: family, .tcp) } catch {
      throw error == .addressFamilyNotSupported ? .answer(error) : .obstacle("socket() fails with \(error)")
    }
  }

  /// Gives the socket its owner; needs CAP_CHOWN for another.
  borrowing func give(to uid: UInt32) throws(Setback) {
    do throws(SystemError) { try socket.give(to: uid) } catch {
      throw .obstacle("no socket of uid \(uid) can be made (\(error)): root can")
    }
  }

  /// setsockopt(2).
  borrowing func set(_ option: SocketOption<Int32>, _ on: Bool) throws(Setback) {
    do throws(SystemError) { try socket.set(option, on) } catch {
      throw .obstacle("setsockopt() fails with \(error)")
    }
  }

  /// setsockopt(2) SO_BINDTODEVICE, unless a program of the control group has given it this device, which only
  /// CAP_NET_RAW could set once more.
  borrowing func bind(toDevice name: String) throws(Setback) {
    if let index = try? interfaceIndex(named: name), let given = try? socket.option(.boundInterface),
      given == Int32(bitPattern: index.rawValue)
    {
      return
    }
    do throws(SystemError) { try socket.bind(toDevice: name) } catch {
      throw error == .noDevice ? .answer(error) : .obstacle("SO_BINDTODEVICE fails with \(error)")
    }
  }

  /// bind(2).
  borrowing func bind(to address: IPAddress, scope: InterfaceIndex?, port: Port) throws(Setback) {
    do throws(SystemError) { try socket.bind(to: address, scope: scope, port: port) } catch { throw .answer(error) }
  }
}
