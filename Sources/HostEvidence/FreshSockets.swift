import Glibc
import SocketModel

/// A socket of each kind, made, read and closed: what the place of the calling thread makes of socket(2). Those of which
/// a failure says nothing (no descriptor or memory left) are left out.
func freshSockets() -> [FreshSocket] {
  [AddressFamily.ipv4, .ipv6].flatMap { family in
    TransportProtocol.allCases.compactMap { freshSocket($0, family) }
  }
}

/// nil where socket(2) fails for a reason that is no answer about the place.
private func freshSocket(_ transport: TransportProtocol, _ family: AddressFamily) -> FreshSocket? {
  let type = Int32((transport == .tcp ? SOCK_STREAM : SOCK_DGRAM).rawValue) | Int32(SOCK_CLOEXEC.rawValue)
  let descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, type, 0)
  guard descriptor >= 0 else {
    let error = SystemError(rawValue: errno)
    // By the protocol family, a seccomp filter, a control group program or a security module.
    let answers: [SystemError] = [.addressFamilyNotSupported, .notPermitted, .accessDenied, .noSystemCall]
    return answers.contains(error) ? FreshSocket(transport, family, refusal: error) : nil
  }
  defer { close(descriptor) }
  var fresh = FreshSocket(transport, family)
  // SO_BINDTOIFINDEX (Linux 5.1).
  if let index = option(descriptor, SOL_SOCKET, 62) { fresh.device = InterfaceIndex(kernel: UInt32(bitPattern: index)) }
  if family == .ipv6 { fresh.v6only = option(descriptor, 41, IPV6_V6ONLY).map { $0 != 0 } }
  return fresh
}

private func option(_ descriptor: Int32, _ level: Int32, _ name: Int32) -> Int32? {
  var (value, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
  return getsockopt(descriptor, level, name, &value, &length) == 0 ? value : nil
}
