import Linux
import SocketModel

/// Those of `ports` that services(5) gives to a service of the transport; empty where there is no such file.
func servicePorts(_ transport: TransportProtocol, _ ports: ClosedRange<UInt16>) -> Set<UInt16> {
  guard let text = SystemCalls.contents(of: "/etc/services") else { return [] }
  return servicePorts(transport, ports, in: text)
}

/// The same of a text: lines of `name port/protocol aliases`, `#` before comments.
func servicePorts(_ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, in text: String) -> Set<UInt16> {
  var found: Set<UInt16> = []
  for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
    let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard words.count > 1, let slash = words[1].firstIndex(of: UInt8(ascii: "/")),
      words[1][slash...].dropFirst().elementsEqual(transport.rawValue.utf8),
      let number = UInt16(String(Substring(words[1][..<slash]))), ports.contains(number)
    else { continue }
    found.insert(number)
  }
  return found
}
