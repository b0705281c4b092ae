import SocketModel

/// A socket unit as its files describe it (systemd.socket(5)).
struct SocketUnit: Sendable, Hashable {
  /// What a `ListenStream=` or `ListenDatagram=` names; a nil address is the wildcard.
  struct Address: Sendable, Hashable {
    var address: IPAddress?
    var port: Port
  }

  var name: String
  var streams: [Address] = []
  var datagrams: [Address] = []
  /// `Service=`.
  var service: String?
  /// `Accept=`: a service instance for each connection.
  var accepts = false
  /// Some `*.wants` or `*.requires` directory has a link to it, so systemd starts it by itself.
  var isEnabled = false

  init(name: String) { self.name = name }

  /// What it starts: `Service=`, else the service of the same name, with `Accept=yes` an instance of it.
  var activates: String {
    if let service { return service }
    let stem = name.hasSuffix(".socket") ? name.dropLast(".socket".count) : name[...]
    return accepts ? "\(stem)@.service" : "\(stem).service"
  }

  /// Reads one file, the unit's own or a drop-in; later files add to lists, and an empty value empties one.
  mutating func read(_ text: String) {
    var isSocketSection = false
    for line in Self.logicalLines(text) {
      if line.hasPrefix("[") {
        isSocketSection = line == "[Socket]"
        continue
      }
      guard isSocketSection, let equals = line.firstIndex(of: "=") else { continue }
      let key = Self.trimmed(line[..<equals])
      let value = Self.trimmed(line[line.index(after: equals)...])
      switch key {
      case "ListenStream": Self.add(value, to: &streams)
      case "ListenDatagram": Self.add(value, to: &datagrams)
      case "Service": service = value.isEmpty ? nil : value
      case "Accept": accepts = ["1", "yes", "y", "true", "t", "on"].contains(value.lowercased())
      default: break
      }
    }
  }

  private static func add(_ value: String, to list: inout [Address]) {
    if value.isEmpty {
      list = []
    } else if let address = Address(value) {
      list.append(address)
    }
  }

  /// Lines without comments, those ended by a backslash joined with the next (systemd.syntax(7)).
  private static func logicalLines(_ text: String) -> [String] {
    var lines: [String] = []
    var pending = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let line = trimmed(line)
      if line.hasPrefix("#") || line.hasPrefix(";") { continue }
      if line.hasSuffix("\\") {
        pending += line.dropLast() + " "
        continue
      }
      lines.append(pending + line)
      pending = ""
    }
    return lines
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var text = Substring(text)
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}

extension SocketUnit.Address {
  /// `22`, `192.0.2.1:22`, `[::1]:22`, `[fe80::1]:22%eth0`; nil for the paths, names and vsock addresses that may
  /// stand there too.
  init?(_ text: String) {
    let text = text.prefix { $0 != "%" }
    if let port = Port(decimal: text) {
      self.init(address: nil, port: port)
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = Port(decimal: text[text.index(after: colon)...]) else {
      return nil
    }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard let address = IPAddress(host) else { return nil }
    self.init(address: address, port: port)
  }

  func covers(_ local: Endpoint) -> Bool {
    guard port == local.port else { return false }
    return address.map { $0 == local.address } ?? local.address.isUnspecified
  }
}
