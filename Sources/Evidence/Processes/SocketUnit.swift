import Linux
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
  /// Every file of it was read; else what it starts is not known.
  var isWhole = true

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

/// The unit directories of one manager, best first (systemd.unit(5), "Unit File Load Path").
struct SocketUnitFiles {
  private let tree: HostTree
  private let directories: [String]

  /// - Parameters:
  ///   - isUsers: the directories that all user managers share, instead of the system manager's.
  ///   - own: the directories of one user above `systemd`: of his settings, then of what runs.
  ///   - home: that user's home directory.
  init(_ tree: HostTree, isUsers: Bool, own ofUser: [String] = [], home: String? = nil) {
    self.tree = tree
    let users = ofUser.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
    let userControl = users.map { "\($0)/systemd/user.control" } + users.map { "\($0)/systemd/transient" }
    let data = home.map { ["\($0.hasPrefix("/") ? String($0.dropFirst()) : $0)/.local/share/systemd/user"] } ?? []
    let shared = ["usr/local/share/systemd/user", "usr/share/systemd/user"]
    let last = isUsers ? "user" : "system"
    let control = ["etc/systemd/\(last).control", "run/systemd/\(last).control"]
    let early = ["run/systemd/transient", "run/systemd/generator.early"]
    let installed = ["usr/local/lib/systemd/\(last)", "usr/lib/systemd/\(last)", "lib/systemd/\(last)"]
    let own = ["etc/systemd/\(last)", "run/systemd/\(last)"]
    directories =
      isUsers
      ? userControl + control + users.prefix(1).map { "\($0)/systemd/user" } + own.prefix(1)
        + users.dropFirst().map { "\($0)/systemd/user" } + own.dropFirst()
        + users.dropFirst().map { "\($0)/systemd/generator" } + data + shared + installed
      : control + early + own + ["run/systemd/generator"] + installed + ["run/systemd/generator.late"]
  }

  /// Every socket unit but templates, masked ones and those that cannot be read; ascending by name.
  func units() -> [SocketUnit] {
    var files: [String: String] = [:]
    var dropIns: [String: [String: String]] = [:]
    var enabled: Set<String> = []
    for directory in directories {
      for entry in names(directory) {
        let path = "\(directory)/\(entry)"
        if entry.hasSuffix(".socket") {
          files[entry] = files[entry] ?? path
        } else if entry.hasSuffix(".socket.d") {
          for name in names(path) where name.hasSuffix(".conf") {
            let unit = String(entry.dropLast(2))
            dropIns[unit, default: [:]][name] = dropIns[unit]?[name] ?? "\(path)/\(name)"
          }
        } else if entry.hasSuffix(".wants") || entry.hasSuffix(".requires") {
          enabled.formUnion(names(path))
        }
      }
    }
    return files.keys.sorted().filter { $0[...].place(of: "@.") == nil }.compactMap { name -> SocketUnit? in
      guard let path = files[name], let text = contents(of: path), !text.isEmpty else { return nil }
      var unit = SocketUnit(name: name)
      unit.read(text)
      for (_, path) in (dropIns[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
        guard let text = contents(of: path) else {
          unit.isWhole = false
          continue
        }
        unit.read(text)
      }
      unit.isEnabled = enabled.contains(name)
      return unit
    }
  }

  private func names(_ path: String) -> [String] { tree.names(in: path) ?? [] }

  private func contents(of path: String) -> String? {
    // A longer one than any unit's is not read in part: what it says further down may change what stands above.
    let limit = 64 << 10
    guard let bytes = tree.contents(of: path, limit: limit + 1), bytes.count <= limit else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
