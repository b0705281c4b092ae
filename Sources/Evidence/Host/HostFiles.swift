import Linux
package import SocketModel

// How the kernel writes the sysctls that are read here (Documentation/networking/ip-sysctl.rst). A text of another
// form is nil: better no fact than a wrong one.

/// The text without the blanks and the newline around it.
func trimmed(_ text: String) -> Substring {
  let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" }
  let start = text.drop(while: isBlank)
  guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
  return start[...last]
}

/// A decimal number without sign; nil for anything else.
func decimal<Number: FixedWidthInteger & UnsignedInteger>(_ text: Substring) -> Number? {
  text.isDecimal ? Number(text) : nil
}

/// `ip_unprivileged_port_start`, 0...65535.
func portStart(_ text: String) -> UInt32? {
  guard let number: UInt16 = decimal(trimmed(text)) else { return nil }
  return UInt32(number)
}

/// A switch: 0 is off, every other number is on.
func flag(_ text: String) -> Bool? {
  guard let number: UInt32 = decimal(trimmed(text)) else { return nil }
  return number != 0
}

/// A number of 8 bits that goes into one bit of a socket: every even one is off.
func lowestBit(_ text: String) -> Bool? {
  guard let number: UInt32 = decimal(trimmed(text)) else { return nil }
  return number & 1 == 1
}

/// `ip_local_port_range`: two numbers with blanks between them.
func portRange(_ text: String) -> ClosedRange<UInt16>? {
  let words = text.split { $0 == " " || $0 == "\t" || $0 == "\n" }
  guard words.count == 2, let low: UInt16 = decimal(words[0]), let high: UInt16 = decimal(words[1]), low <= high
  else { return nil }
  return low...high
}

/// `ip_local_reserved_ports`: numbers and ranges `a-b` with commas between them; empty for none.
func reservedPorts(_ text: String) -> [ClosedRange<UInt16>]? {
  let list = trimmed(text)
  guard !list.isEmpty else { return [] }
  var ranges: [ClosedRange<UInt16>] = []
  for item in list.split(separator: ",", omittingEmptySubsequences: false) {
    let ends = item.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let low: UInt16 = decimal(ends[0]), let high: UInt16 = decimal(ends.last ?? ""), low <= high else {
      return nil
    }
    ranges.append(low...high)
  }
  return ranges
}

/// Whether a uid_map leaves no uid out: lines of "first inside, first outside, count" (user_namespaces(7)). A child
/// cannot map what its parent does not, so the counts alone tell.
func mapsEveryUser(_ map: String) -> Bool {
  var count: UInt64 = 0
  for line in map.split(separator: "\n") {
    let words = line.split(separator: " ")
    guard words.count == 3, let length: UInt32 = decimal(words[2]) else { return false }
    count += UInt64(length)
  }
  return count >= UInt64(UInt32.max)
}

/// `SUDO_UID`, believed only where the reader runs as root: anybody can set an environment variable, but only
/// root's was set by sudo(8). (uid_t)-1 is no user.
func sudoUser(_ text: String?, effectiveUser: UInt32) -> UInt32? {
  guard effectiveUser == 0, let text, let uid: UInt32 = decimal(text[...]), uid != .max else { return nil }
  return uid
}

/// The security modules of `/sys/kernel/security/lsm` that can refuse a bind(2). The ones left out have no hook
/// there (`security_socket_bind`); one that is not known here stays.
func bindingModules(_ text: String) -> [String] {
  let silent: Set<Substring> = [
    "capability", "lockdown", "yama", "safesetid", "loadpin", "integrity", "ima", "evm", "ipe",
  ]
  return trimmed(text).split(separator: ",").filter { !silent.contains($0) }.map(String.init)
}

extension HostReader {
  /// The ports of the kernel's NFS server and lock manager, as far as the kernel says which; empty without them.
  ///
  /// `/proc/fs/nfsd/portlist` lists the server's (kernel function `svc_xprt_names`); the lock manager tells its ports
  /// only where they were fixed (`fs.nfs.nlm_tcpport`, `fs.nfs.nlm_udpport`). Both are of the network namespace of
  /// process 1, so elsewhere they are not looked at.
  package func kernelServicePorts() -> [KernelPort] {
    guard let own = try? FileStatus(ofFile: "\(procRoot)/thread-self/ns/net"),
      let first = try? FileStatus(ofFile: "\(procRoot)/1/ns/net"), own.isSameFile(as: first)
    else { return [] }
    var ports: [KernelPort] = []
    if case .text(let list) = readText("\(procRoot)/fs/nfsd/portlist") { ports += nfsdPorts(list) }
    for transport in TransportProtocol.allCases {
      guard case .text(let text) = readText("\(procRoot)/sys/fs/nfs/nlm_\(transport.rawValue)port"),
        let number = UInt16(text.filter(\.isNumber)), number != 0
      else { continue }
      ports.append(KernelPort(transport: transport, port: Port(number), owner: KernelOwner(kind: .lockd)))
    }
    return ports
  }
}

/// Lines such as `tcp 2049`; transports without a port of the host (`rdma`) are skipped.
func nfsdPorts(_ list: String) -> [KernelPort] {
  list.split(separator: "\n").compactMap { line in
    let words = line.split(separator: " ")
    guard words.count == 2, let transport = TransportProtocol(rawValue: String(words[0])),
      let number = UInt16(words[1])
    else { return nil }
    return KernelPort(transport: transport, port: Port(number), owner: KernelOwner(kind: .nfsd))
  }
}
