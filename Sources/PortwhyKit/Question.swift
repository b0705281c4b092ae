public import BindRules
public import Explanation
public import SocketModel

/// An address of a question.
public enum QuestionAddress: Sendable, Hashable {
  /// No address or `*`: the wildcard of every family asked for, 0.0.0.0 and ::.
  case wildcard
  /// One address; the zone is the interface name after `%` of an IPv6 address.
  case address(IPAddress, zone: String?)
}

/// One item of TARGET: what is to be bound, and to which ports.
public struct QuestionItem: Sendable, Hashable {
  /// Each is judged by itself, in this order; never empty.
  public var addresses: [QuestionAddress]
  /// 1...65535.
  public var ports: ClosedRange<UInt16>
  /// TCP or UDP.
  public var transport: TransportProtocol

  /// One with these parts, each as its property says.
  public init(addresses: [QuestionAddress], ports: ClosedRange<UInt16>, transport: TransportProtocol) {
    self.addresses = addresses
    self.ports = ports
    self.transport = transport
  }
}

/// What somebody wants to know: the binds they plan.
public struct Question: Sendable, Hashable {
  /// No two items share a port of one transport, so each gives its targets once.
  public var items: [QuestionItem]
  /// The reuse options the planned socket sets.
  public var options: ReuseOptions
  /// IPV6_V6ONLY of the planned socket; nil for the host's default (`net.ipv6.bindv6only`).
  public var v6only: Bool?
  /// The interface of SO_BINDTODEVICE.
  public var device: String?
  /// The owner of the planned socket; nil for the default: the user who called sudo(8), else the effective one,
  /// and 0 for a privileged port.
  public var uid: UInt32?
  /// The families `-4` and `-6` ask for; nil where neither was given: both, and one the host lacks is skipped
  /// with a note.
  public var families: Set<AddressFamily>?
  /// The network namespace looked at; nil for the calling thread's.
  public var namespace: NamespaceReference?
  /// Settle undetermined TCP outcomes by real binds that never listen.
  public var probe: Bool
  /// The runtime of the planned server: what it sets by default counts for TCP where nothing else was said.
  public var runtime: Runtime?
  /// Also look for what costs more than the answer: the port in other network namespaces, and firewall rules that
  /// redirect it. This alone runs another program (`nft` or `iptables-save`).
  public var deep = false
  /// Ask BPF iterators where they decide and the reader may.
  public var bpf = true
  /// Settle all four combinations as far as possible, not only what the headline says.
  public var thorough = false
  /// The runtime whose words the suggestions use, where what it sets by default is not to count.
  var wording: Runtime?
  /// The call that was made, where the question is about one.
  var observed: ObservedCall?
  /// The inode of the planned socket where it is there already: it does not stand in its own way.
  var ownSocket: UInt64?

  /// One with these parts, each as its property says.
  public init(
    items: [QuestionItem], options: ReuseOptions = [], v6only: Bool? = nil, device: String? = nil,
    uid: UInt32? = nil, families: Set<AddressFamily>? = nil, namespace: NamespaceReference? = nil,
    probe: Bool = false, runtime: Runtime? = nil
  ) {
    self.items = items
    self.options = options
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.families = families
    self.namespace = namespace
    self.probe = probe
    self.runtime = runtime
  }
}

extension Question {
  /// The reuse options of the planned socket of this transport: those asked for and those its runtime sets.
  public func options(_ transport: TransportProtocol) -> ReuseOptions {
    guard let runtime, transport == .tcp else { return options }
    return options.union(runtime.reuseaddr ? .reuseaddr : []).union(runtime.reuseport ? .reuseport : [])
  }

  /// IPV6_V6ONLY of the planned socket: as asked for, else as its runtime has it; nil for the host's default.
  func v6only(_ transport: TransportProtocol) -> Bool? {
    if let v6only { return v6only }
    guard let runtime, transport == .tcp else { return nil }
    switch runtime.v6only {
    case .set: return true
    case .cleared: return false
    case .host: return nil
    }
  }
}
