import BindRules
import CProcessTestSupport
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// An attempt that fails or works before any other socket is looked at.
private struct Precondition: Sendable, CustomTestStringConvertible {
  var sentence: String
  var arguments: [String]
  /// TARGET, with PORT for the port.
  var target: String
  var attempt: Attempt
  var port = PortKind.ordinary
  var start = Start()
  var sysctls: [String: String] = [:]
  var errno: String?
  var note: String?
  var testDescription: String { sentence }
}

private let any = ip("0.0.0.0")

@Suite("Capabilities", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct CapabilityTests {
  @Test("of the reader count as far as what he starts next gets them: ambient ones do, portwhy's own do not")
  func inherited() throws {
    let endings = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      try inDirectory { directory in
        let program = directory + "/portwhy"
        _ = try run(["/usr/bin/cp", portwhyBinary, program], Start())
        _ = try run(["/usr/bin/chmod", "755", directory], Start())
        let hasCapability = test_give_bind_capability(program) == 0
        var ambient = Start.asNobody
        ambient.through += ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
        let port = try "\(namespace.freshPort(.privileged))"
        return try (
          ambient: portwhy(["-q", "127.0.0.1:\(port)"], ambient),
          own: hasCapability
            ? run(Start.asNobody.through + [program, "--probe", "127.0.0.1:\(port)"], Start()) : nil
        )
      }
    }
    // A kernel that lists no bound sockets lets nobody without privilege know that a port is free: it may be 2 there.
    #expect(endings.ambient.status == 0 || !kernelListsBoundSockets && endings.ambient.status == 2)
    if let own = endings.own {
      #expect(own.status == 1 && own.headline.contains("EACCES"), "\(own)")
    } else {
      say("NOT RUN: this file system keeps no capabilities\n")
    }
  }
}

private let preconditions = [
  Precondition(
    sentence: "a privileged port as root", arguments: [], target: "0.0.0.0:PORT", attempt: Attempt(.tcp, any),
    port: .privileged),
  Precondition(
    sentence: "a privileged port asked for by nobody is judged as nobody", arguments: [],
    target: "0.0.0.0:PORT", attempt: Attempt(.tcp, any, uid: 65534, mayBindPrivileged: false), port: .privileged,
    start: .asNobody, errno: "EACCES"),
  Precondition(
    sentence: "a privileged port of a program that has the capability", arguments: ["--cap-net-bind"],
    target: "0.0.0.0:PORT", attempt: Attempt(.tcp, any, uid: 65534), port: .privileged, start: .asNobody),
  Precondition(
    sentence: "a privileged port as nobody", arguments: ["--uid", "nobody"], target: "0.0.0.0:PORT",
    attempt: Attempt(.tcp, any, uid: 65534, mayBindPrivileged: false), port: .privileged, start: .asNobody,
    errno: "EACCES"),
  Precondition(
    sentence: "the same asked for by root", arguments: ["--uid", "65534"], target: "0.0.0.0:PORT",
    attempt: Attempt(.tcp, any, uid: 65534, mayBindPrivileged: false), port: .privileged, errno: "EACCES"),
  Precondition(
    sentence: "an address that is not local", arguments: [], target: "10.99.0.1:PORT",
    attempt: Attempt(.tcp, ip("10.99.0.1")), errno: "EADDRNOTAVAIL"),
  Precondition(
    sentence: "the same with ip_nonlocal_bind", arguments: [], target: "10.99.0.1:PORT",
    attempt: Attempt(.tcp, ip("10.99.0.1")), sysctls: ["ipv4/ip_nonlocal_bind": "1"]),
  Precondition(
    sentence: "an IPv6 address that is not local", arguments: [], target: "[fd99::1]:PORT",
    attempt: Attempt(.tcp, ip("fd99::1")), errno: "EADDRNOTAVAIL"),
  Precondition(
    sentence: "[::1] where IPv6 is switched off", arguments: [], target: "[::1]:PORT",
    attempt: Attempt(.tcp, ip("::1")), sysctls: ["ipv6/conf/all/disable_ipv6": "1"], errno: "EADDRNOTAVAIL"),
  Precondition(
    sentence: "a device", arguments: ["--device", "dev0"], target: "0.0.0.0:PORT",
    attempt: Attempt(.tcp, any, device: .dev0)),
  Precondition(
    sentence: "a missing device", arguments: ["--device", "nodev0"], target: "0.0.0.0:PORT",
    attempt: Attempt(.tcp, any, device: .missing), errno: "ENODEV"),
  Precondition(
    sentence: "a link-local address with its zone", arguments: [], target: "[fe80::77%dev0]:PORT",
    attempt: Attempt(.tcp, ip("fe80::77"), scope: .dev0)),
  Precondition(
    sentence: "a link-local address without a zone", arguments: [], target: "[fe80::77]:PORT",
    attempt: Attempt(.tcp, ip("fe80::77")), errno: "EINVAL"),
  Precondition(
    sentence: "an IPv6 multicast address for TCP", arguments: [], target: "[ff02::1%dev0]:PORT",
    attempt: Attempt(.tcp, ip("ff02::1"), scope: .dev0), errno: "EINVAL"),
  Precondition(
    sentence: "UDP on a multicast address", arguments: ["-u"], target: "239.1.2.3:PORT",
    attempt: Attempt(.udp, ip("239.1.2.3"))),
  Precondition(
    sentence: "UDP on the subnet's broadcast address", arguments: ["-u"], target: "10.77.0.255:PORT",
    attempt: Attempt(.udp, ip("10.77.0.255"))),
]

/// Makes socket(family, _, protocol) fail in everything the calling thread does and starts from now on.
private func refuse(_ family: Int32, _ number: Int32, _ error: Int32) throws {
  guard test_refuse_socket(family, number, error) == 0 else { throw StartError(what: "seccomp: \(errno)") }
}

@Suite("Before the port", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct PreconditionTests {
  @Test(
    "errno and status are those of the real calls",
    // Without a list of bound sockets nobody but root knows that a port is free.
    arguments: preconditions.filter { kernelListsBoundSockets || $0.start.through.isEmpty || $0.errno != nil })
  private func beforeThePort(_ row: Precondition) throws {
    let scenario = Scenario([], row.attempt, port: row.port)
    let (answer, screen, trials) = try NetworkNamespace.run(NamespaceConfiguration(sysctls: row.sysctls)) {
      (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(scenario)
      let target = row.target.split(separator: "PORT", omittingEmptySubsequences: false)
        .joined(separator: "\(copy.port)")
      return (
        try Answer(row.arguments + [target], row.start), try portwhy(row.arguments + [target], row.start),
        ReuseOptions.combinations.map { copy.tryBind($0) }
      )
    }
    #expect(answer.disagreements(with: [trials]) == [])
    #expect(answer.violations() == [])
    #expect(answer.target["errno"]?.text == row.errno)
    #expect(answer.ending.status == (row.errno == nil ? 0 : 1) && screen.status == answer.ending.status)
    #expect(row.errno.map { screen.headline.contains("(\($0))") } ?? true, "\(screen.headline)")
    if let note = row.note { #expect(answer.notes.contains(note)) }
  }

  @Test("a zone that no interface has is the address's, not the device of the planned socket")
  func missingZone() throws {
    let (answer, screen) = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      let target = ["--device", "dev0", "[fe80::1%nosuch]:8080"]
      return (try Answer(target), try portwhy(target))
    }
    #expect(
      screen.headline.hasPrefix("8080/tcp cannot be bound: this host has no interface nosuch"), "\(screen.headline)")
    #expect(screen.headline.contains("a bind to [fe80::1%nosuch] as "), "\(screen.headline)")
    #expect(screen.headline.contains("(ENODEV)") && screen.output.contains("no interface nosuch"))
    let attempt = try #require(answer.attempts.first)
    #expect(attempt["scope"]?.text == "nosuch" && attempt["device"]?.text == "dev0")
    #expect(attempt["scope_index"] == .null && answer.violations() == [])
  }

  @Test("an interface's alternative name is a name: for --device and in a zone, as for the real calls")
  func alternativeName() throws {
    let renamed = #"/usr/bin/env ip link property add dev dev0 altname other0 && exec "$0" "$@""#
    let (byDevice, byZone, trials) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario([], Attempt(.tcp, ip("fe80::77"), scope: .dev0)))
      let first = Start(through: ["/bin/sh", "-c", renamed])
      return (
        try Answer(["--device", "other0", "0.0.0.0:\(copy.port)"], first),
        try Answer(["[fe80::77%other0]:\(copy.port)"]), ReuseOptions.combinations.map { copy.tryBind($0) }
      )
    }
    #expect(byDevice.target["verdict"]?.text == "ok" && byDevice.ending.status == 0)
    #expect(byZone.disagreements(with: [trials]) == [] && byZone.ending.status == 0)
  }

  @Test(
    "a route that bind(2) does not find makes no address local",
    arguments: [
      // The table `main` ends the search, a packet's goes on.
      "ip route add throw 10.8.1.1/32 && ip route add local 10.8.1.1/32 dev lo table default",
      // All next hops are dead: one interface is down, the other has no carrier for that.
      """
      ip route add broadcast 10.8.1.1 table local scope link nexthop dev dev0 nexthop dev dev1 &&
      echo 1 >/proc/sys/net/ipv4/conf/dev0/ignore_routes_with_linkdown && ip rule add from 192.0.2.1 lookup 77 &&
      ip link set dev1 down
      """,
    ])
  func deadRoutes(_ change: String) throws {
    let (answer, trials) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario([], Attempt(.tcp, ip("10.8.1.1"))))
      let changed = Start(through: [
        "/bin/sh", "-c", "PATH=/usr/sbin:/sbin:/usr/bin:/bin; " + change + #" && exec "$0" "$@""#,
      ])
      return (try Answer(["10.8.1.1:\(copy.port)"], changed), ReuseOptions.combinations.map { copy.tryBind($0) })
    }
    #expect(trials.allSatisfy { $0.bind == .fails(.addressNotAvailable) })
    #expect(answer.disagreements(with: [trials]) == [] && answer.target["errno"]?.text == "EADDRNOTAVAIL")
  }

  @Test("a filter that refuses the family is no missing right, whatever errno it gives", arguments: [EACCES, EPERM])
  func familyRefusedByPolicy(_ error: Int32) throws {
    let (screen, answer) = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      try refuse(AF_INET6, 0, error)
      return (try portwhy(["[::1]:8080"]), try Answer(["[::1]:8080"]))
    }
    let name = SystemError(rawValue: error).description
    #expect(answer.target["errno"]?.text == name && screen.status == 1 && answer.ending.status == 1)
    #expect(screen.headline.contains("a policy refuses the bind, not the port"), "\(screen.headline)")
    #expect(screen.output.contains("socket() of IPv6 fails with \(name)"), "\(screen.output)")
    #expect(!screen.output.contains("CAP_NET_BIND_SERVICE"), "\(screen.output)")
    #expect(answer.violations() == [])
  }

  @Test("where the kernel has no IPv6, only 0.0.0.0 is judged, with a note; asked for, it is EAFNOSUPPORT")
  func noIPv6() throws {
    let (answer, asked, trials) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario([], Attempt(.tcp, ip("::"))))
      try refuse(AF_INET6, 0, EAFNOSUPPORT)
      return (
        try Answer(["\(copy.port)"]), try Answer(["-6", "\(copy.port)"]),
        ReuseOptions.combinations.map { copy.tryBind($0) }
      )
    }
    #expect(answer.attempts.map { $0["address"]?.text } == ["0.0.0.0"])
    #expect(answer.notes.contains("family-skipped") && answer.ending.status == 0)
    #expect(asked.disagreements(with: [trials]) == [])
    #expect(asked.target["errno"]?.text == "EAFNOSUPPORT" && asked.ending.status == 1)
  }

  @Test(
    "without sock_diag there is no answer: status 69, one line that says what to check",
    arguments: zip(
      [EPERM, EACCES, EPROTONOSUPPORT, ENOSYS, EAFNOSUPPORT],
      [["8080"], ["-u", "53"], [], ["--json", "80"], ["-q", "80"]]))
  func noSockDiag(_ error: Int32, _ arguments: [String]) throws {
    let ending = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (_: inout NetworkNamespace) in
      try refuse(AF_NETLINK, 4, error)
      return try portwhy(arguments)
    }
    #expect(ending.status == 69)
    #expect(ending.output == "")
    #expect(ending.errors.hasPrefix("portwhy: ") && ending.errors.filter { $0 == "\n" }.count == 1)
    for word in ["sock_diag", "seccomp", "CONFIG_INET_DIAG"] { #expect(ending.errors.contains(word)) }
  }

  @Test("without rtnetlink the answer stands or says what is missing, and never traps")
  func noRouteNetlink() throws {
    let endings = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (_: inout NetworkNamespace) in
      try refuse(AF_NETLINK, 0, EPERM)
      return try [["8080"], ["127.0.0.1:8080"], ["--device", "lo", "8080"]].map { try portwhy($0) }
    }
    // All three work here: what is not known may leave it open, and must not turn it round.
    for ending in endings {
      #expect([0, 2, 69].contains(ending.status), "\(ending)")
      #expect(ending.status != 69 || ending.errors.contains("rtnetlink"))
    }
    #expect(endings[2].status != 0, "whether there is a device lo cannot be known")
  }
}
