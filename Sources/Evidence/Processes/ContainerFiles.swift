import Linux
import SocketModel

/// What its engine calls a container.
struct ContainerLabel: Sendable, Hashable {
  var name: String?
  var image: String?

  /// nil where the files say neither.
  init?(name: String?, image: String?) {
    guard name != nil || image != nil else { return nil }
    self.name = name
    self.image = image
  }

  /// Reads it from the files in which engines keep the names of their containers; no daemon is asked.
  ///
  /// - Parameters:
  ///   - container: the full id.
  ///   - root: where /var and /run are.
  init?(of container: String, engine: String?, in root: HostTree) {
    // An id is part of a path here.
    guard container.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }), container != "..", !container.isEmpty else {
      return nil
    }
    switch engine {
    case "docker":
      guard let file = Self.read("var/lib/docker/containers/\(container)/config.v2.json", root) else { return nil }
      let name = file["Name"]?.text.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
      self.init(name: name, image: file["Config"]?["Image"]?.text)
    case "podman":
      let path = "var/lib/containers/storage/overlay-containers/containers.json"
      guard let file = Self.read(path, root), let entry = file.elements.first(where: { $0["id"]?.text == container })
      else { return nil }
      // The metadata are a text that is JSON once more.
      let metadata = (entry["metadata"]?.text).flatMap { JSONTree(parsing: Array($0.utf8)) }
      self.init(name: entry["names"]?.elements.first?.text, image: metadata?["image-name"]?.text)
    case "kubernetes":
      let runtimes = [
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/\(container)/config.json",
        "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/\(container)/config.json",
        "run/containers/storage/overlay-containers/\(container)/userdata/config.json",
      ]
      var found: JSONTree?
      for path in runtimes where found == nil { found = Self.read(path, root)?["annotations"] }
      guard let notes = found else { return nil }
      let (of, crio) = ("io.kubernetes.cri.", "io.kubernetes.")
      let name = notes[of + "container-name"]?.text ?? notes[crio + "container.name"]?.text
      let pod = notes[of + "sandbox-name"]?.text ?? notes[crio + "pod.name"]?.text
      self.init(
        name: [pod, name].compactMap { $0 }.joined(separator: "/"),
        image: notes[of + "image-name"]?.text ?? notes["io.kubernetes.cri-o.ImageName"]?.text)
    case "lxc": self.init(name: container, image: nil)
    default: return nil
    }
  }

  fileprivate static func read(_ path: String, _ root: HostTree) -> JSONTree? {
    root.contents(of: path, limit: 4 << 20).flatMap { JSONTree(parsing: $0) }
  }
}

/// A port of the host that dockerd sends on to a container.
struct Publication: Sendable, Hashable {
  /// The address and port inside of the container.
  var target: Endpoint
  /// The host's port.
  var port: Port
  var transport: TransportProtocol

  /// What dockerd says of its running containers (`containers/ID/config.v2.json`), each with the id of its container;
  /// left out where two containers say the same, so that neither can be named.
  ///
  /// - Parameter root: where /var is.
  static func all(in root: HostTree) -> [Publication: String] {
    let folder = "var/lib/docker/containers"
    var found: [Publication: String] = [:]
    var unsure: Set<Publication> = []
    for container in (root.names(in: folder) ?? []).prefix(1024)
    where container.utf8.count == 64 {
      // A container that has ended has neither address nor ports.
      guard let settings = ContainerLabel.read("\(folder)/\(container)/config.v2.json", root)?["NetworkSettings"],
        case .object(let networks)? = settings["Networks"], case .object(let ports)? = settings["Ports"]
      else { continue }
      let addresses = networks.values.flatMap { network in
        ["IPAddress", "GlobalIPv6Address"].compactMap { network[$0]?.text.flatMap { IPAddress($0) } }
      }
      for (inside, published) in ports {
        // `80/tcp`
        let words = inside.split(separator: "/")
        guard words.count == 2, let port = Port(decimal: words[0]),
          let transport = TransportProtocol(rawValue: String(words[1]))
        else { continue }
        let outside = Set(published.elements.compactMap { $0["HostPort"]?.text.flatMap { Port(decimal: $0[...]) } })
        for (address, outer) in addresses.flatMap({ address in outside.map { (address, $0) } }) {
          let publication = Publication(
            target: Endpoint(address: address, port: port), port: outer, transport: transport)
          if found.updateValue(container, forKey: publication) ?? container != container {
            unsure.insert(publication)
          }
        }
      }
    }
    return found.filter { !unsure.contains($0.key) }
  }
}

/// The strings of a JSON text, RFC 8259, as far as the files of engines need it: numbers and words are passed over.
enum JSONTree: Sendable, Hashable {
  case text(String)
  case object([String: JSONTree])
  case array([JSONTree])
  case other

  /// nil for what is no JSON, or nested deeper than 64.
  init?(parsing bytes: [UInt8]) {
    var rest = bytes[...]
    guard let value = JSONTree.value(&rest, depth: 0) else { return nil }
    JSONTree.skipBlanks(&rest)
    guard rest.isEmpty else { return nil }
    self = value
  }

  /// The value of a key; nil where there is none, or this is no object.
  subscript(_ key: String) -> JSONTree? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  /// Empty for what is no array.
  var elements: [JSONTree] {
    if case .array(let elements) = self { elements } else { [] }
  }

  /// nil for what is no string.
  var text: String? {
    if case .text(let text) = self { text } else { nil }
  }

  private static func value(_ rest: inout ArraySlice<UInt8>, depth: Int) -> JSONTree? {
    skipBlanks(&rest)
    guard depth < 64, let first = rest.first else { return nil }
    switch first {
    case UInt8(ascii: "\""): return string(&rest).map(JSONTree.text)
    case UInt8(ascii: "{"):
      var members: [String: JSONTree] = [:]
      let isWhole = list(&rest, end: "}") { rest in
        guard let key = string(&rest), take(":", &rest), let value = value(&rest, depth: depth + 1) else {
          return false
        }
        members[key] = value
        return true
      }
      return isWhole ? .object(members) : nil
    case UInt8(ascii: "["):
      var elements: [JSONTree] = []
      let isWhole = list(&rest, end: "]") { rest in
        guard let value = value(&rest, depth: depth + 1) else { return false }
        elements.append(value)
        return true
      }
      return isWhole ? .array(elements) : nil
    default:
      let word = rest.prefix { !" \t\n\r,]}:\"{[".utf8.contains($0) }
      rest = rest[word.endIndex...]
      return word.isEmpty ? nil : .other
    }
  }

  /// What stands between a bracket and its end, with commas between.
  private static func list(
    _ rest: inout ArraySlice<UInt8>, end: Unicode.Scalar, _ item: (inout ArraySlice<UInt8>) -> Bool
  ) -> Bool {
    rest.removeFirst()
    if take(end, &rest) { return true }
    repeat {
      skipBlanks(&rest)
      guard item(&rest) else { return false }
    } while take(",", &rest)
    return take(end, &rest)
  }

  private static func string(_ rest: inout ArraySlice<UInt8>) -> String? {
    guard take("\"", &rest) else { return nil }
    var bytes: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let escaped = rest.popFirst() else { return nil }
        switch escaped {
        case UInt8(ascii: "u"):
          guard rest.count >= 4, let unit = UInt16(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16) else {
            return nil
          }
          rest = rest.dropFirst(4)
          // Half of a surrogate pair is no character: names and images have none.
          bytes += String(Unicode.Scalar(unit).map(Character.init) ?? "\u{fffd}").utf8
        case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): bytes.append(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): bytes.append(UInt8(ascii: "\r"))
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        default: bytes.append(escaped)
        }
      default: bytes.append(byte)
      }
    }
    return nil
  }

  private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
    skipBlanks(&rest)
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
    while let first = rest.first, " \t\n\r".utf8.contains(first) { rest.removeFirst() }
  }
}
