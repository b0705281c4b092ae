import Linux
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
  var fresh = FreshSocket(transport, family)
  do throws(SystemError) {
    let socket = try Descriptor(newSocketOf: family, transport)
    fresh.device = (try? socket.option(.boundInterface)).flatMap { InterfaceIndex(kernel: UInt32(bitPattern: $0)) }
    if family == .ipv6 { fresh.v6only = (try? socket.option(.v6only)).map { $0 != 0 } }
    return fresh
  } catch {
    // By the protocol family, a seccomp filter, a control group program or a security module.
    let answers: [SystemError] = [.addressFamilyNotSupported, .notPermitted, .accessDenied, .noSystemCall]
    guard answers.contains(error) else { return nil }
    fresh.refusal = error
    return fresh
  }
}
