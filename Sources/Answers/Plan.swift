public import BindRules
public import Explanation
package import SocketModel

/// The planned socket, apart from its address and port: what the question says of it, and in a report what was judged.
public struct Plan: Sendable, Hashable {
  /// The reuse options it sets.
  public var options: ReuseOptions
  /// IPV6_V6ONLY; nil for the host's default (`net.ipv6.bindv6only`).
  public var v6only: Bool?
  /// The interface of SO_BINDTODEVICE.
  public var device: String?
  /// Its owner. nil in a question is the user who called sudo(8), else the effective one; by sudo(8) 0 for a privileged
  /// port. A report always names one.
  public var uid: UInt32?
  /// The program has CAP_NET_BIND_SERVICE whoever starts it, by file capabilities or as an ambient one (capabilities(7)).
  package var hasBindCapability = false
  /// The name of the server's runtime; a report may have one that this version does not know.
  package var runtimeName: String?

  /// Without arguments a socket without options, as the default user has it.
  public init(
    options: ReuseOptions = [], v6only: Bool? = nil, device: String? = nil, uid: UInt32? = nil,
    runtime: Runtime? = nil
  ) {
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
    runtimeName = runtime?.name
  }

  /// The runtime of the planned server: what it sets by default, and where it binds, counts where nothing else was said.
  public var runtime: Runtime? {
    get { runtimeName.flatMap(Runtime.init(named:)) }
    set { runtimeName = newValue?.name }
  }
}

extension Plan {
  /// With what the runtime sets by itself: the socket that a server of it makes.
  package func resolved(_ transport: TransportProtocol) -> Plan {
    guard let defaults = runtime?.defaults(transport) else { return self }
    var plan = self
    plan.options.formUnion(ReuseOptions(defaults))
    switch defaults.v6only {
    case .set: plan.v6only = v6only ?? true
    case .cleared: plan.v6only = v6only ?? false
    case .host: break
    }
    return plan
  }

  /// The options of the command line that plan this socket.
  package var commandOptions: [String] {
    var words: [String] = []
    if options.contains(.reuseaddr) { words.append("--reuseaddr") }
    if options.contains(.reuseport) { words.append("--reuseport") }
    if let v6only { words.append(v6only ? "--v6only" : "--no-v6only") }
    if let device { words += option("--device", device) }
    if let uid { words += ["--uid", String(uid)] }
    if hasBindCapability { words.append("--cap-net-bind") }
    if let runtimeName { words += option("--runtime", runtimeName) }
    return words
  }
}
