package import BindRules
import Evidence
import Explanation
import Linux
public import SocketModel

/// An address of a question.
public enum QuestionAddress: Sendable, Hashable {
  /// No address: where the planned runtime binds by default, else as `everyAddress`.
  case wildcard
  /// `*`: the wildcard of every family asked for, 0.0.0.0 and ::, whatever the runtime's default is.
  case everyAddress
  /// One address; the zone is the interface name after `%` of an IPv6 address.
  case address(IPAddress, zone: String?)
}

/// One item of TARGET: what is to be bound, and to which ports.
public struct QuestionItem: Sendable, Hashable {
  /// Each is judged by itself, in this order; never empty.
  public var addresses: [QuestionAddress]
  /// 1...65535.
  public var ports: ClosedRange<Port>
  /// TCP or UDP.
  public var transport: TransportProtocol

  /// Each of these addresses with each of these ports.
  public init(addresses: [QuestionAddress], ports: ClosedRange<Port>, transport: TransportProtocol) {
    self.addresses = addresses
    self.ports = ports
    self.transport = transport
  }

  /// One port on the wildcards, as `portwhy PORT` asks.
  public init(port: Port, transport: TransportProtocol = .tcp) {
    self.init(addresses: [.wildcard], ports: port...port, transport: transport)
  }

  /// The ports as numbers, as the dumps ask for them.
  package var numbers: ClosedRange<UInt16> { ports.lowerBound.rawValue...ports.upperBound.rawValue }
}

/// What somebody wants to know: the binds they plan.
@dynamicMemberLookup
public struct Question: Sendable, Hashable {
  /// No two items share a port of one transport, so each gives its targets once.
  public var items: [QuestionItem]
  /// The planned socket.
  public var plan: Plan
  /// The families `-4` and `-6` ask for; nil where neither was given: both, and one the host lacks is skipped
  /// with a note.
  public var families: Set<AddressFamily>?
  /// The network namespace looked at; nil for the calling thread's.
  public var namespace: NamespaceReference?
  /// Settle undetermined TCP outcomes by real binds that never listen.
  public var probes: Bool
  /// Also look for what costs more than the answer: the port in other network namespaces, and firewall rules that
  /// redirect it. This alone runs another program (`nft` or `iptables-save`).
  public var isDeep: Bool
  /// Ask BPF iterators where they decide and the reader may.
  public var usesBPF: Bool
  /// The systems that are asked besides, each judged by the facts of the same sockets; changes no verdict.
  package var systems: [BSDSystem] = []
  /// Answer with the verdict alone: nothing is explained, named, noted or suggested. Who holds the sockets, and with which
  /// options, is not looked for where the planned binds do not depend on it: it is then hidden.
  public var isVerdictOnly: Bool
  /// What is one's own: where nothing else is in the way, the answer is `TargetReport.ours`.
  package var ours: [OursPredicate] = []
  /// The runtime whose words the suggestions use, where what it sets by default is not to count.
  var wording: Runtime?
  /// The call that was made, where the question is about one.
  var observed: ObservedCall?
  /// The inode of the planned socket where it is there already: it does not stand in its own way.
  var ownSocket: UInt64?
  /// The planned socket is there already, with IP_FREEBIND or IP_TRANSPARENT.
  var ownFreebind = false
  /// The network namespace itself, where it is open already; `namespace` is then how it is called.
  var openedNamespace: OpenFile?

  /// A question about these items; what is not said is as each property has it.
  public init(
    items: [QuestionItem], plan: Plan = Plan(), families: Set<AddressFamily>? = nil,
    namespace: NamespaceReference? = nil, probes: Bool = false, isDeep: Bool = false, usesBPF: Bool = true,
    isVerdictOnly: Bool = false
  ) {
    self.items = items
    self.plan = plan
    self.families = families
    self.namespace = namespace
    self.probes = probes
    self.isDeep = isDeep
    self.usesBPF = usesBPF
    self.isVerdictOnly = isVerdictOnly
  }

  /// A part of the plan.
  public subscript<Part>(dynamicMember part: WritableKeyPath<Plan, Part>) -> Part {
    get { plan[keyPath: part] }
    set { plan[keyPath: part] = newValue }
  }
}

extension Question {
  /// The options of this question on the command line, for the commands that call portwhy again.
  var commandOptions: [String] {
    var words = plan.commandOptions
    if let families, families.count == 1 { words.append(families.contains(.ipv4) ? "-4" : "-6") }
    if !usesBPF { words.append("--no-bpf") }
    for predicate in ours { words += option("--ours", predicate.description) }
    if let namespace { words += option("--netns", namespace.description) }
    return words
  }
}

/// Which network namespace a question is about, where it is not the asking thread's own.
public enum NamespaceReference: Sendable, Hashable, CustomStringConvertible {
  /// That of a process, by its number in the reader's pid namespace.
  case process(Int32)
  /// One that `ip netns` has named: a file in /run/netns or /var/run/netns (ip-netns(8)).
  case name(String)
  /// A file of nsfs, or a bind mount of one (namespaces(7)).
  case path(String)

  /// Reads a word: a number is a process, anything with a slash a path, the rest a name; nil for what is none.
  package init?(_ word: String) {
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

  private var entrance: NamespaceEntrance {
    switch self {
    case .process(let pid): .process(pid)
    case .name(let name): .files(["/run/netns/\(name)", "/var/run/netns/\(name)"])
    case .path(let path): .files([path])
    }
  }

  /// Runs `body` in the namespace, on a thread of its own.
  /// - Parameter opened: the namespace itself, where it is open already.
  func look<Value>(
    opened: OpenFile? = nil, _ body: () throws(PortwhyError) -> Value
  ) throws(PortwhyError) -> Value {
    let result: Result<Value, PortwhyError>
    do throws(NamespaceEntryError) {
      result = try inNetworkNamespace(at: opened.map { .opened($0) } ?? entrance) { Result(catching: body) }
    } catch {
      throw PortwhyError(error, self)
    }
    return try result.get()
  }
}

extension PortwhyError {
  fileprivate init(_ error: NamespaceEntryError, _ namespace: NamespaceReference) {
    switch (error, namespace) {
    case (.absent, .process(let pid)): self = .invalidQuestion(ErrorWords.noProcess(pid))
    case (.absent, .name(let name)): self = .invalidQuestion(ErrorWords.noNamedNamespace(name))
    case (.absent, .path(let path)): self = .invalidQuestion(ErrorWords.noFile(path))
    case (.noNetworkNamespace, _): self = .invalidQuestion(ErrorWords.noNamespace(namespace.description))
    case (.mayNotOpen, .process(let pid)): self = .notPermitted(ErrorWords.mayNotOpenNamespaces(of: pid))
    case (.mayNotOpen(let errno), _):
      self = .notPermitted(
        ErrorWords.mayNotOpen(namespace.description, errno, isRoot: effectiveUser() == 0))
    case (.noAnswer, _): self = .kernelInterfaceMissing(ErrorWords.noAnswer(from: namespace.description))
    case (.mayNotEnter, _): self = .notPermitted(ErrorWords.mayNotEnter(namespace.description))
    case (.failed(let call, let errno), _): self = .internalError(ErrorWords.failed(call, errno))
    }
  }
}

// The facts of the host that a bind needs: what no verdict uses is not read.

extension Question {
  /// The smallest range that covers the ports of each transport asked for.
  var portsByTransport: ByTransport<ClosedRange<UInt16>> {
    var ranges = ByTransport<ClosedRange<UInt16>>()
    for item in items {
      ranges[item.transport] = ranges[item.transport]?.hull(item.numbers) ?? item.numbers
    }
    return ranges
  }

  var hostNeeds: HostNeeds {
    var needs: HostNeeds = [.networkNamespace, .sudoUser, .localPortRange, .securityModules, .capability]
    needs.formUnion([.unprivilegedPortStart, .localReservedPorts, .userMapping, .controlGroupPrograms, .freshSockets])
    needs.insert(.containerEngines)
    for address in items.flatMap(\.addresses) {
      switch address {
      case .wildcard:
        needs.formUnion([.ipv6Availability, .bindv6only])
        for address in items.flatMap({ plan.runtime?.defaults($0.transport)?.addresses ?? [] }) {
          needs.formUnion(HostNeeds(binding: address))
        }
      case .everyAddress: needs.formUnion([.ipv6Availability, .bindv6only])
      case .address(let address, let zone):
        needs.formUnion(HostNeeds(binding: address))
        if zone != nil { needs.insert(.interfaces) }
      }
    }
    if plan.device != nil { needs.formUnion([.interfaces, .l3mdevAccept]) }
    return needs
  }
}

extension Question {
  /// The IPv4 addresses of which is asked whether they are local.
  var lookups: [IPv4Address] {
    items.flatMap { item in
      item.addresses.flatMap { address -> [IPAddress] in
        switch address {
        case .address(let address, _): [address]
        case .wildcard: plan.runtime?.defaults(item.transport)?.addresses ?? []
        case .everyAddress: []
        }
      }
    }.compactMap(\.localIPv4)
  }
}

extension IPAddress {
  /// The IPv4 address that bind(2) looks up, IPv4-mapped included; nil for every other.
  var localIPv4: IPv4Address? {
    switch self {
    case .v4(let address): address == .any ? nil : address
    case .v6(let address): address.mapped.flatMap { $0 == .any ? nil : $0 }
    }
  }
}

extension BindAttempt {
  var hostNeeds: HostNeeds {
    var needs = HostNeeds(binding: address)
    needs.formUnion([.unprivilegedPortStart, .userMapping, .freshSockets])
    if device != nil || scope != nil { needs.formUnion([.interfaces, .l3mdevAccept]) }
    return needs
  }
}

extension HostNeeds {
  /// What the checks of bind(2) before get_port look at for this address.
  fileprivate init(binding address: IPAddress) {
    self = address.family == .ipv6 ? [.ipv6Availability, .bindv6only] : []
    guard !address.isUnspecified else { return }
    formUnion([.nonlocalBind, .interfaces])
    let isIPv4 = if case .v6(let address) = address { address.mapped != nil } else { true }
    insert(isIPv4 ? .ipv4LocalRoutes : .ipv6Addresses)
  }
}

extension Question {
  /// The interfaces that the question calls by name: that of SO_BINDTODEVICE and the zones of addresses.
  var interfaceNames: [String] {
    let zones = items.flatMap(\.addresses).compactMap { address in
      if case .address(_, let zone) = address { zone } else { nil }
    }
    return (plan.device.map { [$0] } ?? []) + zones
  }
}

/// Those of `ports` that services(5) gives to a service of the transport; empty where there is no such file.
func servicePorts(_ transport: TransportProtocol, _ ports: ClosedRange<UInt16>) -> Set<UInt16> {
  guard let text = SystemCalls.contents(of: "/etc/services") else { return [] }
  return servicePorts(transport, ports, in: text)
}

/// The same of a text: lines of `name port/protocol aliases`, `#` before comments.
func servicePorts(_ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, in text: String) -> Set<UInt16> {
  let bytes = Array(text.utf8)
  var found: Set<UInt16> = []
  var start = bytes.startIndex
  while start < bytes.endIndex {
    let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
    // Most lines are about other ports, and not worth being taken apart.
    if let number = number(before: UInt8(ascii: "/"), in: bytes[start..<end]), ports.contains(number) {
      let words = bytes[start..<end].prefix { $0 != UInt8(ascii: "#") }.split { $0 == 0x20 || $0 == 0x09 }
      let behind = words.count > 1 ? words[1].drop { $0 != UInt8(ascii: "/") }.dropFirst() : []
      if behind.elementsEqual(transport.rawValue.utf8) { found.insert(number) }
    }
    start = end + 1
  }
  return found
}

/// The digits before the first such byte as a number; nil where there are none.
private func number(before mark: UInt8, in line: ArraySlice<UInt8>) -> UInt16? {
  guard let end = line.firstIndex(of: mark) else { return nil }
  var (number, unit, place) = (0, 1, end)
  while place > line.startIndex, unit < 1_000_000, case let digit = Int(line[place - 1]) - 0x30, 0...9 ~= digit {
    (number, unit, place) = (number + digit * unit, unit * 10, place - 1)
  }
  return unit > 1 ? UInt16(exactly: number) : nil
}
