import Evidence
import BindRules
import Glibc
import KernelLab
import SocketModel
import Testing

/// A real TCP socket of the test's, closed with its owner.
final class RealSocket {
  let descriptor: Int32

  init(_ address: String, _ port: Port, options: [Int32] = [], v6only: Bool = false, uid: UInt32? = nil) throws {
    let isIPv6 = IPAddress(address)?.family == .ipv6
    descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(1 /* SOCK_STREAM */), 0)
    if let uid { #expect(fchown(descriptor, uid, gid_t.max) == 0) }
    var on: Int32 = 1
    for option in options { setsockopt(descriptor, SOL_SOCKET, option, &on, 4) }
    if v6only { setsockopt(descriptor, 41, IPV6_V6ONLY, &on, 4) }
    let result: Int32
    if isIPv6 {
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.rawValue.bigEndian
      inet_pton(AF_INET6, address, &name.sin6_addr)
      result = withUnsafeBytes(of: &name) {
        bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, 28)
      }
    } else {
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.rawValue.bigEndian
      inet_pton(AF_INET, address, &name.sin_addr)
      result = withUnsafeBytes(of: &name) {
        bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, 16)
      }
    }
    if result != 0 { throw SystemError(rawValue: errno) }
  }

  func startListening() throws { if listen(descriptor, 1) != 0 { throw SystemError(rawValue: errno) } }

  deinit { close(descriptor) }
}

private func attempt(_ address: String, _ port: Port, v6only: Bool = false, uid: UInt32 = 0) -> BindAttempt {
  BindAttempt(
    transport: .tcp, address: IPAddress(address) ?? .v4(.any), port: port, v6only: v6only, uid: uid,
    mayBindPrivileged: uid == 0)
}

private func host(uid: UInt32 = 0, mayBindPrivileged: Bool? = true) -> HostFacts {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid)
  host.unprivilegedPortStart = 1024
  host.readerMayBindPrivileged = mayBindPrivileged
  return host
}

private let taken = ProbeAnswer.answered(.fails(.addressInUse))
private let free = ProbeAnswer.answered(.ok)

@Suite("A probe", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct BindProbeTests {
  @Test("answers what a bind of the same kind answers: options, user, address, v6only")
  func realSockets() throws {
    let answers: [String: ProbeAnswer] = try NetworkNamespace.run { namespace in
      var answers: [String: ProbeAnswer] = [:]
      let port = try namespace.freshPort()
      let shared = try RealSocket("127.0.0.1", port, options: [SO_REUSEPORT], uid: 1000)
      try shared.startListening()
      answers["none"] = probe(attempt("127.0.0.1", port), [], on: host())
      answers["other user"] = probe(attempt("127.0.0.1", port), .reuseport, on: host())
      answers["same user"] = probe(attempt("127.0.0.1", port, uid: 1000), .reuseport, on: host())
      answers["other address"] = probe(attempt("127.0.0.2", port), [], on: host())
      answers["v6only"] = probe(attempt("::", port, v6only: true), [], on: host())
      answers["dual stack"] = probe(attempt("::", port), [], on: host())
      answers["not local"] = probe(attempt("192.0.2.77", port), [], on: host())
      answers["IPv6 loopback"] = probe(attempt("::1", port), [], on: host())
      let bound = try namespace.freshPort()
      let idle = try RealSocket("0.0.0.0", bound, options: [SO_REUSEADDR])
      answers["bound, none"] = probe(attempt("0.0.0.0", bound), [], on: host())
      answers["bound, SO_REUSEADDR"] = probe(attempt("0.0.0.0", bound), .reuseaddr, on: host())
      withExtendedLifetime((shared, idle)) {}
      return answers
    }
    #expect(
      answers == [
        "none": taken, "other user": taken, "same user": free, "other address": free, "v6only": free,
        "dual stack": taken, "not local": .answered(.fails(.addressNotAvailable)), "IPv6 loopback": free,
        "bound, none": taken, "bound, SO_REUSEADDR": free,
      ])
  }

  @Test("says ENODEV for a zone that no interface has")
  func zone() throws {
    let answer: ProbeAnswer = try NetworkNamespace.run { namespace in
      var planned = attempt("fe80::77", try namespace.freshPort())
      planned.missingZone = "nosuch0"
      return probe(planned, [], on: host())
    }
    #expect(answer == .answered(.fails(.noDevice)))
  }

  @Test("binds to the planned device, and says ENODEV for one that is not there")
  func device() throws {
    let answers: [ProbeAnswer] = try NetworkNamespace.run { namespace in
      let port = try namespace.freshPort()
      func answer(_ name: String) -> ProbeAnswer {
        var planned = attempt("0.0.0.0", port)
        planned.device = .interface(namespace.interfaces[.dev0] ?? InterfaceIndex(rawValue: 1), name: name)
        return probe(planned, [], on: host())
      }
      var onLoopback = attempt("0.0.0.0", port)
      onLoopback.device = .missing(name: "aname16byteslong")
      let holder = try RealSocket("0.0.0.0", port)
      var name = Array("dev1".utf8)
      let isBound = setsockopt(holder.descriptor, SOL_SOCKET, SO_BINDTODEVICE, &name, 4) == 0
      let answers = [
        isBound ? answer("dev0") : taken, answer("dev1"), answer("nodev"), probe(onLoopback, [], on: host()),
      ]
      withExtendedLifetime(holder) {}
      return answers
    }
    #expect(answers == [free, taken, .answered(.fails(.noDevice)), .answered(.fails(.noDevice))])
  }

  @Test("leaves nothing behind: the port is free again at once, and it never listens")
  func nothingLeft() throws {
    let trace: [Bool] = try NetworkNamespace.run { namespace in
      let port = try namespace.freshPort()
      var trace: [Bool] = []
      for _ in 0..<50 { trace.append(probe(attempt("127.0.0.1", port), [], on: host()) == free) }
      trace.append((try? RealSocket("127.0.0.1", port)) != nil)
      return trace
    }
    #expect(trace.allSatisfy { $0 })
  }

  @Test("refuses what it cannot make alike, and says why")
  func refusals() throws {
    func reason(_ answer: ProbeAnswer) -> String { if case .refused(let reason) = answer { reason } else { "none" } }
    let reasons: [String] = try NetworkNamespace.run { namespace in
      let port = try namespace.freshPort()
      var udp = attempt("127.0.0.1", port)
      udp.transport = .udp
      var reasons = [probe(udp, [], on: host())]
      reasons.append(probe(attempt("127.0.0.1", Port(80), uid: 1000), [], on: host()))
      // The thread ends with the namespace.
      try becomeNobody()
      reasons.append(probe(attempt("127.0.0.1", port, uid: 0), [], on: host(uid: 65534)))
      reasons.append(probe(attempt("127.0.0.1", Port(80)), [], on: host(uid: 65534, mayBindPrivileged: false)))
      return reasons.map(reason)
    }
    #expect(reasons[0].contains("UDP is never probed"))
    #expect(reasons[1].contains("uid 1000 may not"))
    #expect(reasons[2].contains("uid 0") && reasons[2].contains("EPERM"))
    #expect(reasons[3].contains("you may not"))
  }
}
