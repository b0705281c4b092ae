internal import SocketModel

/// The names that lead to this host: those of hosts(5), and its own (gethostname(2)).
///
/// Read here and not by getaddrinfo(3), which may ask the network for a name that was pasted.
struct HostNames: Hashable {
  private var addresses: [String: [IPAddress]] = [:]
  private let own: String?

  /// Reads `ADDRESS NAME [ALIAS…] [# comment]` lines; what does not have that shape is skipped.
  init(parsing text: String, own: String?) {
    self.own = own?.lowercased()
    for line in text.split(separator: "\n") {
      let entry = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
      guard let first = entry.first, let address = IPAddress(String(first)) else { continue }
      for name in entry.dropFirst().map({ $0.lowercased() }) where !(addresses[name]?.contains(address) ?? false) {
        addresses[name, default: []].append(address)
      }
    }
  }

  /// The addresses of a name; empty for this host's own name where hosts(5) does not have it, nil for any other.
  func addresses(of name: String) -> [IPAddress]? {
    let name = name.lowercased()
    return addresses[name] ?? (name == own ? [] : nil)
  }
}
