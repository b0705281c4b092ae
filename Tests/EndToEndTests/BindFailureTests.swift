import BindRules
import Glibc
import KernelLab
import Explanation
import Answers
import PortwhyReport
import SocketModel
import Testing

/// A server as a program has it: a socket whose bind or listen fails, before it is closed.
private struct FailingServer: ~Copyable {
  let descriptor: Int32

  init(_ family: Int32 = AF_INET, type: __socket_type = SOCK_STREAM, options: [Int32] = []) {
    descriptor = socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    for option in options { set(SOL_SOCKET, option) }
  }

  deinit { close(descriptor) }

  func set(_ level: Int32, _ option: Int32) {
    var one: Int32 = 1
    setsockopt(descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// 0, or errno.
  func bind(_ address: UInt32 = 0, port: UInt16) -> Int32 {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = address.bigEndian
    return withUnsafeBytes(of: &name) { bytes in
      Glibc.bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    } == 0 ? 0 : errno
  }

  func bindToIPv6Wildcard(port: UInt16) -> Int32 {
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    name.sin6_port = port.bigEndian
    return withUnsafeBytes(of: &name) { bytes in
      Glibc.bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    } == 0 ? 0 : errno
  }

  /// 0, or errno.
  func listen() -> Int32 { Glibc.listen(descriptor, 1) == 0 ? 0 : errno }

  func explain(_ address: String) throws -> BindFailure {
    try Portwhy.explainBindFailure(descriptor: descriptor, address: address)
  }
}

/// What `Suggestion.Kind.closeOwn` says: the end of the first socket.
private func closeOwn(_ server: consuming FailingServer) {}

/// In a fresh namespace, on a thread of its own.
private func inNamespace<Result>(_ body: () throws -> Result) throws -> Result {
  try NetworkNamespace.run { (_: inout NetworkNamespace) in try body() }
}

@Suite("A bind that failed", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct BindFailureTests {
  @Test("another program in the way is named, with what helps")
  func otherProgram() throws {
    let (errno, failure, pid) = try inNamespace {
      try withServer("$0 = 'shop'; our $s = listener(8080);", port: 8080) { other in
        let server = FailingServer(options: [SO_REUSEADDR])
        return (server.bind(port: 8080), try server.explain("0.0.0.0:8080"), other.pid)
      }
    }
    #expect(errno == EADDRINUSE)
    #expect(failure.outcome.bind == .fails(.addressInUse))
    #expect(failure.cause == .listener)
    #expect(failure.report.targets.first?.plan.options == .reuseaddr)
    #expect(failure.isOwnProgram == false)
    #expect(failure.blockers.flatMap(\.processes).map(\.pid) == [pid])
    #expect(failure.text.contains("shop (pid \(pid), "), "\(failure.text)")
    #expect(failure.text.contains("kill \(pid)"))
  }

  @Test("a program in its own way is told so, and not told to kill itself")
  func ownProgram() throws {
    let (errno, failure, first, after) = try inNamespace {
      let first = FailingServer()
      _ = (first.bind(port: 8080), first.listen())
      let second = FailingServer()
      let (errno, failure) = (second.bind(0x7f00_0001, port: 8080), try second.explain("127.0.0.1:8080"))
      let number = first.descriptor
      closeOwn(first)
      var after = second.bind(0x7f00_0001, port: 8080)
      // A program that another test is just starting holds a copy of every descriptor until its exec.
      for _ in 0..<3000 where after == EADDRINUSE {
        usleep(10_000)
        after = second.bind(0x7f00_0001, port: 8080)
      }
      return (errno, failure, number, after)
    }
    #expect(errno == EADDRINUSE && after == 0)
    #expect(failure.attempt.explanation.suggestions.first?.kind == .closeOwn)
    #expect(failure.isOwnProgram)
    #expect(failure.attempt.explanation.notes.contains { $0.kind == .ownProgram })
    #expect(failure.attempt.explanation.suggestions.allSatisfy { $0.command?.argv?.contains("kill") != true })
    #expect(failure.text.contains("with descriptor \(first)"), "\(failure.text)")
  }

  @Test(
    "a socket that may be bound to an address the host does not have is judged as that",
    arguments: [Int32(15), 19])  // IP_FREEBIND, IP_TRANSPARENT
  func foreignAddress(_ option: Int32) throws {
    let (errno, failure) = try inNamespace {
      let first = FailingServer()
      let second = FailingServer()
      first.set(Int32(IPPROTO_IP), option)
      second.set(Int32(IPPROTO_IP), option)
      _ = (first.bind(0xc000_0209, port: 8080), first.listen())
      let errno = second.bind(0xc000_0209, port: 8080)
      let failure = try Portwhy.explainBindFailure(
        descriptor: second.descriptor, address: "192.0.2.9:8080", call: .bind, errno: errno)
      return (errno, failure)
    }
    #expect(errno == EADDRINUSE && failure.outcome.bind == .fails(.addressInUse))
    #expect(failure.cause == .listener, "\(failure.text)")
  }

  @Test("SO_REUSEPORT that the kernel passes over, as a program was attached before bind(), is not said to be gone")
  func attachedProgram() throws {
    let (errno, failure) = try inNamespace {
      let first = FailingServer(options: [SO_REUSEPORT])
      let second = FailingServer(options: [SO_REUSEPORT])
      // BPF_RET 0; struct sock_fprog.
      var instruction: UInt64 = 0x06
      let isAttached = withUnsafePointer(to: &instruction) { code in
        var program = (UInt64(1), UInt64(UInt(bitPattern: code)))
        return setsockopt(second.descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, 16) == 0
      }
      #expect(isAttached)
      _ = (first.bind(0x7f00_0001, port: 8080), first.listen())
      let errno = second.bind(0x7f00_0001, port: 8080)
      let failure = try Portwhy.explainBindFailure(
        descriptor: second.descriptor, address: "127.0.0.1:8080", call: .bind, errno: errno)
      return (errno, failure)
    }
    #expect(errno == EADDRINUSE && failure.outcome.bind == .fails(.addressInUse) && failure.cause == nil)
    #expect(failure.text.contains("SO_ATTACH_REUSEPORT_CBPF"), "\(failure.text)")
    #expect(!failure.attempt.explanation.suggestions.contains { $0.kind == .tryAgain })
  }

  @Test("a socket that is bound and may not listen does not stand in its own way")
  func listenFails() throws {
    let (steps, own) = try inNamespace {
      let first = FailingServer(options: [SO_REUSEADDR])
      let second = FailingServer(options: [SO_REUSEADDR])
      let steps = [first.bind(port: 8080), second.bind(port: 8080), first.listen(), second.listen()]
      return (steps, try second.explain("*:8080"))
    }
    #expect(steps == [0, 0, 0, EADDRINUSE])
    #expect(own.isOwnProgram)
    #expect(own.blockers.count == 1)
    #expect(own.report.targets.first?.sockets.count == 1)
  }

  @Test("IPV6_V6ONLY, SO_BINDTODEVICE and the owner are those of the socket itself")
  func readsTheSocket() throws {
    let (calls, dual, only, device, user) = try inNamespace {
      try withServer("our @s = (listener(8080), listener(8081, AF_INET, [SO_REUSEPORT]));", port: 8080) { _ in
        let server = FailingServer(AF_INET6)
        let first = server.bindToIPv6Wildcard(port: 8080)
        let dual = try server.explain("[::]:8080")
        server.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY)
        let only = try server.explain("*:8080")

        let bound = FailingServer()
        setsockopt(bound.descriptor, SOL_SOCKET, SO_BINDTODEVICE, "dev0", 5)
        let device = try bound.explain("0.0.0.0:9000")

        let foreign = FailingServer(options: [SO_REUSEPORT])
        fchown(foreign.descriptor, 65534, 65534)
        let second = foreign.bind(port: 8081)
        return ([first, second], dual, only, device, try foreign.explain("0.0.0.0:8081"))
      }
    }
    #expect(calls == [EADDRINUSE, EADDRINUSE])
    #expect(dual.outcome.bind == .fails(.addressInUse))
    #expect(only.outcome.verdict == .ok && only.attempt.explanation.notes.contains { $0.kind == .goneMeanwhile })
    #expect(only.attempt.attempt.address == .v6(.any) && only.attempt.attempt.v6only)
    #expect(device.report.targets.first?.plan.device == "dev0")
    #expect(user.report.targets.first?.plan.uid == 65534 && user.report.targets.first?.plan.options == .reuseport)
    #expect(user.cause == .reuseportOtherUser)
  }

  @Test("UDP, an address that is not here, and a closed socket described by hand")
  func others() throws {
    let (calls, udp, away, byHand) = try inNamespace {
      try withServer("our $s = bound(5353, AF_INET, [], SOCK_DGRAM);", port: 5353) { _ in
        let datagrams = FailingServer(type: SOCK_DGRAM)
        let first = datagrams.bind(port: 5353)
        let away = FailingServer()
        let second = away.bind(0x0a63_6363, port: 8080)
        let endpoint = Endpoint(address: ip("10.99.99.99"), port: Port(8080))
        return (
          [first, second], try datagrams.explain("*:5353"),
          try Portwhy.explainBindFailure(descriptor: away.descriptor, address: endpoint),
          try Portwhy.explainBindFailure(of: Plan(options: .reuseaddr), .udp, address: "127.0.0.1:5353")
        )
      }
    }
    #expect(calls == [EADDRINUSE, EADDRNOTAVAIL])
    #expect(udp.outcome.bind == .fails(.addressInUse) && udp.report.targets.first?.transport == .udp)
    #expect(away.outcome.bind == .fails(.addressNotAvailable) && away.cause == .addressNotLocal)
    #expect(byHand.outcome.bind == .fails(.addressInUse))
  }

  @Test("the errno that came decides: an answer is never that it works beside one that says otherwise")
  func errnoThatCame() throws {
    let (gone, policy, cgroup, bound, odd, privileged, retries) = try inNamespace {
      let server = FailingServer()
      let explain = { (address: String, errno: Int32) in
        try Portwhy.explainBindFailure(descriptor: server.descriptor, address: address, call: .bind, errno: errno)
      }
      let first = try (
        explain("0.0.0.0:8080", EADDRINUSE), explain("0.0.0.0:8080", EACCES), explain("0.0.0.0:8080", EPERM),
        explain("0.0.0.0:8080", ENOBUFS)
      )
      let other = FailingServer()
      _ = other.bind(port: 8081)
      let second = other.bind(0x7f00_0001, port: 8082)
      let bound = try Portwhy.explainBindFailure(
        descriptor: other.descriptor, address: "127.0.0.1:8082", call: .bind, errno: second)
      let foreign = FailingServer()
      fchown(foreign.descriptor, 65534, 65534)
      let privileged = try Portwhy.explainBindFailure(
        descriptor: foreign.descriptor, address: "0.0.0.0:80", call: .bind, errno: EACCES)
      // What is advised: the same once more; the second address with a socket of its own.
      let retries = [server.bind(port: 8080), FailingServer().bind(0x7f00_0001, port: 8082)]
      return (first.0, first.1, first.2, bound, first.3, privileged, retries)
    }
    #expect(retries == [0, 0])
    #expect(gone.attempt.explanation.suggestions.map(\.kind) == [.tryAgain])
    #expect(bound.attempt.explanation.suggestions.map(\.kind) == [.newSocket])
    let expected: [(BindFailure, Int32, String?)] = [
      (gone, EADDRINUSE, "gone-meanwhile"), (policy, EACCES, "refused-by-policy"),
      (cgroup, EPERM, "refused-by-policy"), (bound, EINVAL, "already-bound"), (odd, ENOBUFS, nil),
      (privileged, EACCES, "privileged-port"),
    ]
    for (failure, errno, cause) in expected {
      #expect(failure.cause?.rawValue == cause)
      #expect(failure.outcome.verdict == .fails(SystemError(rawValue: errno)))
      #expect(failure.report.targets.first?.verdict == .fails(SystemError(rawValue: errno)))
      #expect(!failure.text.contains("free, bind") && !failure.text.contains("listen work"), "\(failure.text)")
    }
    #expect(cgroup.text.contains("SocketBindDeny") && policy.text.contains("Landlock"))
  }

  @Test("a failed listen() is judged as one: bind worked, whatever another bind would meet now")
  func listenJudged() throws {
    let (errno, failure) = try inNamespace {
      let first = FailingServer(options: [SO_REUSEADDR])
      let second = FailingServer(options: [SO_REUSEADDR])
      _ = (first.bind(port: 8080), second.bind(port: 8080), first.listen())
      let errno = second.listen()
      return (
        errno,
        try Portwhy.explainBindFailure(
          descriptor: second.descriptor, address: "*:8080", call: .listen, errno: errno)
      )
    }
    #expect(errno == EADDRINUSE)
    #expect(failure.outcome.bind == .ok && failure.outcome.listen == .fails(.addressInUse))
    #expect(failure.cause?.rawValue == "listen-only" && failure.isOwnProgram)
  }

  @Test("what is no socket, no address and no port is refused with a sentence")
  func refusals() throws {
    #expect(throws: PortwhyError.self) { try Portwhy.explainBindFailure(descriptor: -1, address: "0.0.0.0:80") }
    let unix = FailingServer(AF_UNIX)
    #expect(throws: PortwhyError.self) { try unix.explain("0.0.0.0:80") }
    let server = FailingServer()
    for text in ["", "8080", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:65536", "0.0.0.0:+80", "localhost:80", "[::1:80"] {
      #expect(throws: PortwhyError.self, "\(text)") { try server.explain(text) }
    }
  }
}
