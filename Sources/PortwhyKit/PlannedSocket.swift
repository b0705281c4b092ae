public import BindRules
package import ProcessEvidence
public import SocketModel

/// The socket of a server whose bind(2) or listen(2) failed, as far as it decides that.
public struct PlannedSocket: Sendable, Hashable {
  /// TCP for SOCK_STREAM, UDP for SOCK_DGRAM.
  public var transport: TransportProtocol
  /// SO_REUSEADDR and SO_REUSEPORT.
  public var options: ReuseOptions
  /// IPV6_V6ONLY; nil for the host's default, and for IPv4.
  public var v6only: Bool?
  /// The interface of SO_BINDTODEVICE.
  public var device: String?
  /// Its owner; nil for the effective user, or the one who called sudo(8).
  public var uid: UInt32?
  /// AF_INET or AF_INET6; nil where the address alone says it.
  public var family: AddressFamily?
  /// The socket itself, where it is there: it does not stand in its own way.
  var own: OwnSocket?

  /// A socket described by hand, for servers that no longer have a descriptor.
  public init(
    _ transport: TransportProtocol = .tcp, options: ReuseOptions = [], v6only: Bool? = nil, device: String? = nil,
    uid: UInt32? = nil
  ) {
    self.transport = transport
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
  }

  /// Reads the options and the owner of this very socket (getsockopt(2), fstat(2)).
  ///
  /// Throws `invalidQuestion` where the descriptor is no TCP or UDP socket.
  public init(descriptor: Int32) throws(PortwhyError) {
    let socket: OwnSocket
    do throws(SystemError) { socket = try OwnSocket(descriptor: descriptor) } catch {
      throw .invalidQuestion("descriptor \(descriptor) is no TCP or UDP socket (\(error))")
    }
    self.init(socket)
  }

  /// The socket whose options were read.
  package init(_ socket: OwnSocket) {
    self.init(
      socket.transport, v6only: socket.v6only, device: socket.device, uid: socket.uid)
    family = socket.family
    if socket.reuseaddr { options.insert(.reuseaddr) }
    if socket.reuseport { options.insert(.reuseport) }
    own = socket
  }
}
