import CLinux
import Glibc
import Netlink
import SocketModel

package struct NamespaceError: Error {
  package var what: String
  package var number: Int32

  package init(what: String, number: Int32 = errno) {
    self.what = what
    self.number = number
  }
}

/// Says on standard error what did not run, and why.
package func sayNotRun(_ reason: String) {
  let line = "NOT RUN: \(reason)\n"
  _ = line.withCString { write(2, $0, line.utf8.count) }
}

/// Runs `body` on a thread of its own in a network namespace of its own, with lo up. Nil, said loudly, where this
/// is not permitted; in CI (environment variable CI) that is a failure.
package func inPrivateNamespace<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value? {
  let job = ThreadJob<Value?> {
    guard portwhy_unshare_network() == 0 else {
      let text = "no private network namespace (errno \(errno)): this test did not run"
      if getenv("CI") != nil { throw NamespaceError(what: text) }
      sayNotRun(text)
      return nil
    }
    try change(.setLink, up(1))
    return try body()
  }
  return try job.run()
}

/// One value made on a new thread.
private final class ThreadJob<Value: Sendable>: @unchecked Sendable {
  let body: () throws -> Value
  var result: Result<Value, any Error>?
  init(_ body: @escaping () throws -> Value) { self.body = body }

  func run() throws -> Value {
    var thread = pthread_t()
    let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
      guard let pointer else { return nil }
      let job = Unmanaged<AnyObject>.fromOpaque(pointer).takeRetainedValue()
      (job as? any Startable)?.start()
      return nil
    }
    guard pthread_create(&thread, nil, start, Unmanaged.passRetained(self as AnyObject).toOpaque()) == 0 else {
      throw NamespaceError(what: "pthread_create")
    }
    pthread_join(thread, nil)
    guard let result else { throw NamespaceError(what: "the thread left nothing") }
    return try result.get()
  }
}

private protocol Startable { func start() }

extension ThreadJob: Startable {
  func start() { result = Result { try body() } }
}

/// The rtnetlink changes that scenarios need (rtnetlink(7)).
package enum RouteChange {
  case setLink, newLink, newAddress, newRule, newLinkProperty

  /// RTM_NEWLINK, RTM_NEWADDR, RTM_NEWRULE or RTM_NEWLINKPROP.
  var type: UInt8 {
    switch self {
    case .setLink, .newLink: 16
    case .newAddress: 20
    case .newRule: 32
    case .newLinkProperty: 108
    }
  }
  /// The high byte of the flags: NLM_F_CREATE and NLM_F_EXCL for what must not exist yet.
  var flags: UInt8 { self == .setLink ? 0 : 6 }
}

/// Asks rtnetlink for a change and waits for its acknowledgement.
package func change(_ change: RouteChange, _ body: [UInt8]) throws {
  let length = UInt8(16 + body.count)
  let header: [UInt8] = [length, 0, 0, 0, change.type, 0, 0x05, change.flags, 1, 0, 0, 0, 0, 0, 0, 0]
  var failure: SystemError?
  let request = NetlinkRequest(family: .route, bytes: header + body)
  try NetlinkTransport.kernel.exchange(request) { (bytes, _) throws(NetlinkError) in
    do throws(WireError) {
      var cursor = MessageCursor()
      while let message = try cursor.next(in: bytes) { failure = try message.error(in: bytes) }
    } catch {
      throw .malformedReply(error)
    }
    return .complete
  }
  if let failure { throw NamespaceError(what: "rtnetlink \(change)", number: failure.rawValue) }
}

/// ifinfomsg that sets IFF_UP.
package func up(_ index: UInt8) -> [UInt8] { [0, 0, 0, 0, index, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] }

package func attribute(_ type: UInt8, _ payload: [UInt8], flags: UInt8 = 0) -> [UInt8] {
  [UInt8(payload.count + 4), 0, type, flags] + payload + Array(repeating: 0, count: (4 - payload.count % 4) % 4)
}

/// ifinfomsg of a new veth pair; the kernel names and numbers the peer.
package func veth(_ name: String, index: UInt8) -> [UInt8] {
  let kind = attribute(1, Array("veth".utf8))
  return [0, 0, 0, 0, index, 0, 0, 0] + Array(repeating: 0, count: 8) + attribute(3, Array(name.utf8) + [0])
    + attribute(18, kind)
}
