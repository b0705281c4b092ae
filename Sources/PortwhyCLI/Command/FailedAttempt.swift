internal import SocketModel

/// A call of the command that failed, as far as it decides what is printed about it, and when.
struct FailedAttempt: Hashable {
  /// The same call of the same process on the same address, which a server tries again and again.
  struct Kind: Hashable {
    var process: Int32
    var function: SocketCall
    var transport: TransportProtocol
    var endpoint: Endpoint
    var errno: SystemError
  }

  enum State: Hashable {
    /// Kept until it is known whether the process goes without this port.
    case held
    case printed
    /// Nobody needs to read it: the process has what it wanted, or a line said what it took instead.
    case dropped
  }

  /// The number of its first call.
  var number: UInt64
  var kind: Kind
  /// The name of the process.
  var command: String
  /// The socket; nil where it could not be looked at.
  var inode: UInt64?
  var tries = 1
  /// How many of them `printed` said.
  var triesTold = 0
  var state = State.held
  /// When it is printed at the latest, CLOCK_MONOTONIC in microseconds.
  var printAt: UInt64
  /// What is in the way, in a few words; nil where it is nobody that has a name. Known with the explanation.
  var holder: String?
  /// What makes two explanations the same for a reader; nil as long as there is none.
  var likeness: String?
}

extension Endpoint {
  /// `127.0.0.1:80`, `[::1]:80`.
  var text: String { address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
