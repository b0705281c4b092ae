import BindRules
import SocketModel

extension Situation {
  /// The `net.ipv6.conf` entry whose `disable_ipv6` keeps the planned address away; nil where none is known to.
  var disabledIPv6: String? {
    guard case .v6(let address) = attempt.address, address.mapped == nil else { return nil }
    let disabled = snapshot.host.ipv6Disabled ?? []
    if address == .loopback, disabled.contains("lo") { return "lo" }
    return disabled.contains("all") ? "all" : nil
  }
}

// Causes of errors that come before the kernel looks whether the port is in use.

extension CauseEntry {
  static let privilegedPort = CauseEntry(
    "the port needs a privilege",
    summary: "Ports below net.ipv4.ip_unprivileged_port_start (1024) need CAP_NET_BIND_SERVICE; bind() says EACCES.",
    what: [.shown("privileged.eacces", "A bind below the limit without CAP_NET_BIND_SERVICE fails with EACCES.")],
    signs: ["The error is EACCES (permission denied), not EADDRINUSE."],
    helps: [
      "Give the capability to the server: systemd's AmbientCapabilities=, or setcap on its file.",
      .shown(
        "privileged.sysctl", "Or lower net.ipv4.ip_unprivileged_port_start, one number for each network namespace."),
      "Or use a port above the limit.",
    ], references: ["capabilities(7)", "ip(7)"],
    reason: { situation in
      let start = situation.snapshot.host.unprivilegedPortStart ?? 1024
      return ["ports below \(start) need CAP_NET_BIND_SERVICE, which uid \(situation.attempt.uid) does not have"]
    },
    remedies: privilege)

  static let addressNotLocal = CauseEntry(
    "the host does not have the address",
    summary: "No interface has the address: bind() says EADDRNOTAVAIL; at boot the address may come later.",
    what: [.shown("address.not-local", "A bind to an address that no interface has fails with EADDRNOTAVAIL.")],
    signs: ["The error is EADDRNOTAVAIL; ip address does not show the address in this network namespace."],
    helps: [
      "Bind the wildcard, or wait for the address (systemd: After=network-online.target).",
      .shown("address.freebind", "IP_FREEBIND on the socket, or net.ipv4.ip_nonlocal_bind, lets the bind pass."),
      "Servers have words of their own for it: transparent (HAProxy), FreeBind= (systemd), ip-freebind (unbound).",
    ],
    ineffective: [
      .shown("address.no-reuse", "SO_REUSEADDR: it is about ports in use."),
      .shown("address.loopback-net", "An alias for 127.0.0.2: all of 127.0.0.0/8 can be bound as it is."),
    ], references: ["ip(7)", "ip-address(8)"],
    reason: { ["no interface of this host has the address \($0.attempt.address)"] },
    remedies: { localAddress($0) + addressesNow + freebind($0) })

  static let addressOnOtherDevice = CauseEntry(
    "the host has the address on another interface",
    summary: "The socket is bound to one interface (SO_BINDTODEVICE), the IPv6 address belongs to another.",
    what: [.shown("address.other-device", "[::1] on a socket that is bound to another interface: EADDRNOTAVAIL.")],
    signs: ["EADDRNOTAVAIL with --device, and without it the bind works."],
    helps: ["Bind the wildcard on that interface, or an address that it has."],
    references: ["socket(7)", "ipv6(7)"],
    reason: {
      ["this host has the address \($0.attempt.address), but not on the interface the socket is bound to"]
    },
    remedies: { _ in
      [
        Suggestion(
          kind: .localAddress, certainty: .when(.interfaceMattersMore),
          text: "bind the wildcard, or an address that `ip address` shows for that interface")
      ]
    })

  static let addressTentative = CauseEntry(
    "the IPv6 address is still being checked",
    summary: "Duplicate address detection has not finished: bind() says EADDRNOTAVAIL for a second or two.",
    what: [
      .shown("address.tentative", "A new IPv6 address is tentative at first, and cannot be bound until it is not.")
    ],
    signs: ["ip -6 address shows the address with the word tentative. It comes at boot, or when a link goes up."],
    helps: [
      "Try again after two seconds.",
      .shown("address.tentative-freebind", "IP_FREEBIND on the socket lets the bind pass."),
    ], references: ["ip-address(8)", "ipv6(7)"],
    reason: {
      [
        "the address \($0.attempt.address) is still being checked for duplicates (tentative), which takes a second or two"
      ]
    },
    remedies: { situation in
      [Suggestion(kind: .wait, certainty: .when(.noDuplicate), text: "try again in 2 seconds")]
        + freebind(situation)
    })

  static let deviceMissing = CauseEntry(
    "the interface does not exist",
    summary: "SO_BINDTODEVICE or the zone of the address names an interface that is not there: ENODEV.",
    what: [.shown("device.missing", "SO_BINDTODEVICE with a name that no interface has fails with ENODEV.")],
    signs: ["The error is ENODEV, before bind() is even called."],
    helps: ["Look at ip link, in the same network namespace as the server."],
    references: ["socket(7)", "ip-link(8)"],
    reason: { situation in
      if let name = situation.attempt.missingZone { return ["this host has no interface \(name)"] }
      if case .missing(let name) = situation.attempt.device { return ["this host has no interface \(name)"] }
      return ["the interface of the address's scope does not exist"]
    },
    remedies: { _ in
      [
        Suggestion(
          kind: .lookAtInterfaces, certainty: .when(.nameIsWrong), text: "see which interfaces there are",
          command: Command(["ip", "link"]))
      ]
    })

  static let familyMissing = CauseEntry(
    "the host has no IPv6",
    summary: "IPv6 is switched off at boot (ipv6.disable=1): socket() fails.",
    what: ["The kernel was started without IPv6, so that there are no IPv6 sockets at all."],
    signs: ["socket() fails with EAFNOSUPPORT."],
    helps: ["Bind 0.0.0.0, or boot with IPv6."], references: ["ipv6(7)"],
    reason: { _ in ["this host has no IPv6: socket() fails"] },
    remedies: { _ in
      [Suggestion(kind: .otherAddress, certainty: .when(.ipv4IsEnough), text: "bind 0.0.0.0 instead")]
    })

  static let familyDisabled = CauseEntry(
    "IPv6 is switched off",
    summary: "A sysctl (disable_ipv6) has taken every IPv6 address from the interface: bind() says EADDRNOTAVAIL.",
    what: [
      .shown("ipv6.disabled", "net.ipv6.conf.all.disable_ipv6=1 takes the IPv6 addresses away, ::1 included."),
      .shown("ipv6.disabled-wildcard", "IPv6 sockets are still there, and :: can still be bound."),
    ],
    signs: ["EADDRNOTAVAIL for an IPv6 address, and ip -6 address shows none. Containers often start this way."],
    helps: [
      "Bind the IPv4 address, 127.0.0.1 instead of ::1; localhost may stand for both.",
      "Or switch IPv6 on for the interface: sysctl net.ipv6.conf.lo.disable_ipv6=0.",
    ],
    references: ["ipv6(7)", "sysctl(8)"],
    reason: { situation in
      let name = situation.disabledIPv6.map { "net.ipv6.conf.\($0).disable_ipv6" } ?? "disable_ipv6"
      return ["IPv6 is switched off here (\(name) is 1), so that no interface has [\(situation.attempt.address)]"]
    },
    remedies: { situation in
      let isLoopback = situation.attempt.address == .v6(.loopback)
      return [
        Suggestion(
          kind: .otherAddress, certainty: .when(.ipv4IsEnough),
          text: isLoopback ? "bind 127.0.0.1 instead" : "bind an IPv4 address of this host instead")
      ]
        + (situation.disabledIPv6.map { interface in
          [
            Suggestion(
              kind: .enableFamily, certainty: .when(.ipv6IsMeant), text: "switch IPv6 on",
              command: situation.snapshot.host.asRoot(["sysctl", "net.ipv6.conf.\(interface).disable_ipv6=0"]))
          ]
        } ?? [])
    })

  static let multicastTCP = CauseEntry(
    "TCP and an IPv6 multicast address",
    summary: "A TCP socket cannot be bound to an IPv6 multicast address: EINVAL.",
    what: [.shown("multicast.tcp", "bind() of a TCP socket to an address in ff00::/8 fails with EINVAL.")],
    signs: ["The address starts with ff."], helps: ["Multicast is for UDP."], references: ["ipv6(7)"],
    reason: { _ in ["a TCP socket cannot be bound to an IPv6 multicast address"] },
    remedies: { _ in
      [Suggestion(kind: .otherProtocol, certainty: .when(.multicastIsMeant), text: "use UDP: TCP has no multicast")]
    })

  static let scopeMissing = CauseEntry(
    "a link-local address needs an interface",
    summary: "fe80:: addresses exist on every link: without an interface (a zone) bind() says EINVAL.",
    what: [.shown("scope.missing", "bind() to an address in fe80::/10 without an interface fails with EINVAL.")],
    signs: ["The address starts with fe80."],
    helps: [
      .shown("scope.given", "Name the interface: [fe80::1%eth0], sin6_scope_id in the code.")
    ], references: ["ipv6(7)"],
    reason: { ["the link-local address \($0.attempt.address) means nothing without an interface"] },
    remedies: nameInterface)

  /// The interface that has the address, where it is known; every one of them has such addresses.
  private static let nameInterface: Remedies = { situation in
    let (attempt, host) = (situation.attempt, situation.snapshot.host)
    let addresses = host.ipv6Addresses?.filter { $0.address == attempt.address && !$0.isTentative } ?? []
    let names = Set(addresses.compactMap { host.interface($0.interface)?.name }).sorted()
    let written = names.map { "[\(attempt.address)%\($0)]:\(attempt.port)" }
    guard written.isEmpty else {
      return [
        Suggestion(
          kind: .addScope, certainty: .checked, text: "name the interface: \(written.listed(atMost: 4, "or"))")
      ]
    }
    return [
      Suggestion(
        kind: .addScope, certainty: .when(.interfaceHasAddress),
        text: "name the interface, as in [\(attempt.address)%INTERFACE]:\(attempt.port)"),
      Suggestion(
        kind: .lookAtInterfaces, certainty: .checked, text: "see which interface has which address",
        command: Command(["ip", "-6", "address"])),
    ]
  }

  static let mappedOnV6only = CauseEntry(
    "an IPv4-mapped address on an IPv6-only socket",
    summary: "::ffff:a.b.c.d means IPv4, and the socket has IPV6_V6ONLY: EINVAL.",
    what: [.shown("mapped.v6only", "bind() to ::ffff:127.0.0.1 with IPV6_V6ONLY fails with EINVAL.")],
    signs: ["The address starts with ::ffff:."],
    helps: ["Switch IPV6_V6ONLY off, or use an IPv4 socket."], references: ["ipv6(7)"],
    reason: { _ in ["an IPv4-mapped address contradicts IPV6_V6ONLY"] },
    remedies: { situation in
      var changed = situation.attempt
      changed.v6only = false
      return [
        Suggestion(
          kind: .setOption, option: .v6only, certainty: situation.certainty(situation.verdict(nil, changed)),
          text: "switch IPV6_V6ONLY off, or bind the IPv4 address with an IPv4 socket")
      ]
    })
}
