import BindRules
import Explanation
import SocketModel

// What comes before the port, what is not known, and what is remarked beside.

let madeUpBeforeThePort: [MadeUp] = [
  MadeUp("a user and a privileged port") {
    asAlice(&$0)
    ($0.port, $0.addresses) = (85, dual)
  },
  MadeUp("nobody and a privileged port, asked by root") { ($0.port, $0.uid) = (85, 65534) },
  MadeUp("a user and port 80, asked with sudo") {
    $0.host = madeUpHost(uid: 0, sudoUID: 1000)
    ($0.port, $0.uid) = (80, 1000)
  },
  MadeUp("a user and port 443 where ports from 500 up are free to all") {
    asAlice(&$0)
    ($0.port, $0.host.unprivilegedPortStart) = (443, 500)
  },
  MadeUp("a user and port 25, which is fixed") {
    asAlice(&$0)
    $0.port = 25
  },
  MadeUp("a user and port 80 of UDP") {
    asAlice(&$0)
    ($0.port, $0.transport) = (80, .udp)
  },
  MadeUp("a user and a privileged port where it is not known which are") {
    asAlice(&$0)
    ($0.port, $0.host.unprivilegedPortStart) = (80, nil)
  },
  MadeUp("a user and a privileged port that is taken", [made(.listen, nginx, uid: 33)]) {
    asAlice(&$0)
    $0.port = 80
  },
  MadeUp(
    "a user and a privileged port with remains",
    [
      made(.timeWait, "192.0.2.10", to: ("198.51.100.7", 40_000), left: 41_000)
    ]
  ) {
    asAlice(&$0)
    ($0.port, $0.questionOptions) = (80, ["--uid", "1000"])
  },
  MadeUp(
    "a user and a privileged port whose socket has options that are not known",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: nil, reuseport: nil, owner: .hidden)
    ]
  ) {
    asAlice(&$0)
    ($0.port, $0.options) = (80, .reuseaddr)
  },
  MadeUp("a user and a privileged port that another address has", [made(.listen, "127.0.0.2", nginx)]) {
    asAlice(&$0)
    ($0.port, $0.addresses) = (80, ["127.0.0.1"])
  },
  MadeUp("an address that the host has not") { $0.addresses = ["203.0.113.1"] },
  MadeUp("an IPv6 address that the host has not, asked by a user") {
    asAlice(&$0)
    $0.addresses = ["2001:db8::99"]
  },
  MadeUp("an address that the host has not, planned by HAProxy") {
    ($0.addresses, $0.runtime) = (["203.0.113.1"], "haproxy")
  },
  MadeUp("an address that the host has not, planned by node") {
    ($0.addresses, $0.runtime) = (["203.0.113.1"], "node")
  },
  MadeUp("an address that the host has not, whose port is taken", [made(.listen, server)]) {
    $0.addresses = ["203.0.113.1"]
  },
  MadeUp("an address on a host that has none") {
    ($0.addresses, $0.host.ipv4LocalRoutes) = (["203.0.113.1"], [])
  },
  MadeUp("an IPv4-mapped address that the host has not") { $0.addresses = ["::ffff:203.0.113.1"] },
  MadeUp("an address on another interface") {
    ($0.addresses, $0.device) = (["::1"], .interface(InterfaceIndex(rawValue: 2), name: "eth0"))
  },
  MadeUp("a tentative address") {
    $0.addresses = ["2001:db8::77"]
    $0.host.ipv6Addresses?.append(
      InterfaceAddress(address: ip("2001:db8::77"), interface: InterfaceIndex(rawValue: 2), flags: 0xc0))
  },
  MadeUp("an interface that is not there") { $0.device = .missing(name: "eth7") },
  MadeUp("a zone that is not there") { ($0.addresses, $0.missingZone) = (["fe80::5"], "eth7") },
  MadeUp("an interface that is not there, with a number") { ($0.addresses, $0.scope) = (["fe80::5"], 9) },
  MadeUp("a host without IPv6") { ($0.addresses, $0.host.ipv6Available) = (["::"], false) },
  MadeUp("IPv6 switched off, the loopback address") {
    ($0.addresses, $0.host.ipv6Disabled, $0.host.ipv6Addresses) = (["::1"], ["all", "lo"], [])
  },
  MadeUp("IPv6 switched off on all interfaces, asked by a user") {
    asAlice(&$0)
    ($0.addresses, $0.host.ipv6Disabled, $0.host.ipv6Addresses) = (["2001:db8::10"], ["all"], [])
  },
  MadeUp("IPv6 switched off on the loopback interface alone, another address") {
    ($0.addresses, $0.host.ipv6Disabled) = (["2001:db8::99"], ["lo"])
  },
  MadeUp("TCP on a multicast address") { ($0.addresses, $0.scope) = (["ff02::1"], 2) },
  MadeUp("a link-local address without its interface") { $0.addresses = ["fe80::5"] },
  MadeUp("a link-local address that no interface has, without an interface") { $0.addresses = ["fe80::99"] },
  MadeUp("a link-local address on two interfaces, without an interface") {
    $0.addresses = ["fe80::5"]
    $0.host.ipv6Addresses?.append(
      InterfaceAddress(address: ip("fe80::5"), interface: InterfaceIndex(rawValue: 1), flags: 0x80))
  },
  MadeUp("a mapped address with IPV6_V6ONLY") { ($0.addresses, $0.v6only) = (["::ffff:127.0.0.1"], true) },
  MadeUp("a mapped address with IPV6_V6ONLY, taken", [made(.listen, server)]) {
    ($0.addresses, $0.v6only) = (["::ffff:127.0.0.1"], true)
  },
  MadeUp("a family that a filter refuses") {
    $0.addresses = ["::"]
    $0.host.freshSockets = [FreshSocket(.tcp, .ipv6, refusal: .notPermitted)]
  },
  MadeUp("IPv4 that a filter refuses with EACCES, asked by a user") {
    asAlice(&$0)
    $0.host.freshSockets = [FreshSocket(.tcp, .ipv4, refusal: .accessDenied)]
  },
]

let madeUpUnsettled: [MadeUp] = [
  MadeUp(
    "a hidden connection",
    [
      made(
        .established, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: nil, reuseport: nil, uid: 33,
        owner: .hidden)
    ]
  ) {
    asAlice(&$0)
    ($0.options, $0.questionOptions) = (.reuseaddr, ["--uid", "1000", "--reuseaddr"])
  },
  MadeUp(
    "two hidden connections, one of which has a flag that is known",
    [
      made(
        .established, "192.0.2.10", to: ("198.51.100.7", 40_000), reuseaddr: nil, reuseport: nil, uid: 33,
        owner: .hidden),
      made(.established, "192.0.2.10", to: ("198.51.100.7", 40_001), reuseaddr: nil, uid: 33, owner: .hidden),
    ]
  ) {
    asAlice(&$0)
    $0.options = .reuseaddr
  },
  MadeUp(
    "a hidden UDP socket",
    [
      made(.close, reuseaddr: nil, reuseport: nil, uid: 33, owner: .hidden)
    ]
  ) {
    asAlice(&$0)
    ($0.options, $0.transport) = (.reuseaddr, .udp)
  },
  MadeUp("the order of earlier binds, TCP", [made(.close, "127.0.0.1", server)]) {
    ($0.options, $0.addresses) = (.reuseport, ["127.0.0.1"])
  },
  MadeUp("the order of earlier binds beside a listener without SO_REUSEPORT", [made(.listen, server)]) {
    ($0.options, $0.addresses) = ([.reuseaddr, .reuseport], ["127.0.0.1"])
  },
  MadeUp(
    "the order of earlier binds beside a listener of another user",
    [
      made(.listen, server, reuseport: true, uid: 33)
    ]
  ) { $0.options = [.reuseaddr, .reuseport] },
  MadeUp(
    "the order of earlier binds, UDP",
    [
      made(.close, server, reuseport: true),
      made(.close, "127.0.0.1", node, reuseaddr: false, reuseport: true, uid: 33),
    ]
  ) { ($0.options, $0.transport) = ([.reuseaddr, .reuseport], .udp) },
  MadeUp("a user that is not visible", [made(.listen, server, reuseport: true, uid: nil)]) {
    $0.options = .reuseport
  },
  MadeUp("a UDP socket of a user that is not visible", [made(.close, server, reuseport: true, uid: nil)]) {
    ($0.options, $0.transport) = (.reuseport, .udp)
  },
  MadeUp("bound sockets that are not listed") {
    asAlice(&$0)
    ($0.host.kernel, $0.addresses) = (KernelVersion(major: 5, minor: 10), dual)
    $0.visibility = Visibility(unreadableProcesses: 3, boundSocketsComplete: false, reasons: [.notRoot, .oldKernel])
  },
  MadeUp("bound sockets that are not listed, beside a listener elsewhere", [made(.listen, "127.0.0.2", server)]) {
    asAlice(&$0)
    ($0.host.kernel, $0.addresses) = (KernelVersion(major: 5, minor: 10), ["127.0.0.1"])
    $0.visibility = Visibility(unreadableProcesses: 3, boundSocketsComplete: false, reasons: [.notRoot, .oldKernel])
  },
  MadeUp(
    "a listener on [::] of which it is not known whether it takes IPv4",
    [
      made(.listen, "::", server, v6only: nil)
    ]),
  MadeUp("a socket bound in a VRF of its time", [made(.listen, server, device: 2)]) {
    $0.host.mayHaveVRFs = true
    $0.host.interfaces?.append(
      NetworkInterface(index: InterfaceIndex(rawValue: 5), name: "blue", isUp: true, vrfTable: 10))
  },
  MadeUp("a full group", [made(.listen, server, reuseport: true)]) {
    $0.options = .reuseport
    $0.judged = { outcome in
      (outcome.listen, outcome.missing) = (.undetermined, [MissingFact(.reuseportGroup)])
      outcome.likely = LikelyOutcome(bind: .ok, listen: .fails(.addressInUse), assuming: [])
    }
  },
  MadeUp("sockets that move") {
    $0.judged = { ($0.bind, $0.listen, $0.missing) = (.undetermined, nil, [MissingFact(.movingSockets)]) }
  },
  MadeUp(
    "many facts that are not known",
    [
      made(.close, server, reuseaddr: nil, reuseport: nil), made(.close, "::", node, reuseaddr: nil, v6only: nil),
    ]
  ) {
    $0.judged = { outcome in
      outcome.bind = .undetermined
      outcome.listen = nil
      outcome.blockers = [Blocker(socket: 0, rule: .tcpReuseaddr), Blocker(socket: 1, rule: .tcpReuseaddr)]
      outcome.missing =
        MissingFact.Kind.allCases.map { MissingFact($0) }
        + [
          MissingFact(.reuseaddr, socket: 0), MissingFact(.reuseport, socket: 0), MissingFact(.reuseaddr, socket: 1),
        ]
    }
  },
  MadeUp("a capability that is not known") {
    ($0.port, $0.uid, $0.host.unprivilegedPortStart) = (80, 0, 1024)
    $0.judged = { ($0.bind, $0.listen, $0.missing) = (.undetermined, nil, [MissingFact(.capability)]) }
  },
]

let madeUpNotes: [MadeUp] = [
  MadeUp("a free port that clients get") { $0.port = 40_000 },
  MadeUp("the first port that clients get") { $0.port = 32_768 },
  MadeUp("the last port that clients get, beside reserved ones") {
    ($0.port, $0.host.localReservedPorts) = (60_999, [32_768...60_998])
  },
  MadeUp("a free port that clients would get, reserved") {
    ($0.port, $0.host.localReservedPorts) = (40_000, [40_000...40_000])
  },
  MadeUp("a free port under SELinux") {
    ($0.host.enforcingModules, $0.host.securityModules) = (["selinux"], ["selinux"])
  },
  MadeUp("a taken port under SELinux", [made(.listen, server)]) { $0.host.enforcingModules = ["selinux"] },
  MadeUp("a free port under another module") { $0.host.enforcingModules = ["tomoyo"] },
  MadeUp("a program with an AppArmor profile that is enforced") {
    $0.runtime = "nginx"
    $0.host.appArmorProfiles = [
      AppArmorProfile(name: "/usr/sbin/nginx", file: "/etc/apparmor.d/usr.sbin.nginx", isEnforced: true)
    ]
  },
  MadeUp("a program with an AppArmor profile of which only the file is there, and SELinux") {
    $0.runtime = "nginx"
    $0.host.enforcingModules = ["selinux"]
    $0.host.appArmorProfiles = [AppArmorProfile(name: "usr.sbin.nginx", file: nil, isEnforced: false)]
  },
  MadeUp("a program without a name with an AppArmor profile") {
    $0.host.appArmorProfiles = [AppArmorProfile(name: "x", file: "/etc/apparmor.d/x", isEnforced: false)]
  },
  MadeUp("a taken port under an AppArmor profile", [made(.listen, server)]) {
    $0.host.appArmorProfiles = [AppArmorProfile(name: "x", file: "/etc/apparmor.d/x", isEnforced: true)]
  },
  MadeUp("a free port beside a control group program") { $0.host.controlGroupBindPrograms = true },
  MadeUp("a taken port beside a control group program", [made(.listen, server)]) {
    $0.host.controlGroupBindPrograms = true
  },
  MadeUp("a free port beside Docker") { $0.host.dockerRuns = true },
  MadeUp("a free UDP port beside Docker") { ($0.host.dockerRuns, $0.transport) = (true, .udp) },
  MadeUp("a port in use elsewhere beside Docker", [made(.listen, "127.0.0.2", server)]) {
    ($0.host.dockerRuns, $0.addresses) = (true, ["127.0.0.1"])
  },
  MadeUp("a taken port beside Docker", [made(.listen, server)]) { $0.host.dockerRuns = true },
  MadeUp("a bind that works and a listen that may not, beside all that can refuse a bind") {
    ($0.port, $0.options, $0.host.dockerRuns, $0.host.controlGroupBindPrograms) = (40_000, .reuseaddr, true, true)
    $0.host.enforcingModules = ["selinux"]
    $0.judged = { ($0.listen, $0.missing) = (.undetermined, [MissingFact(.bindOrder)]) }
  },
  MadeUp("a bind that works and a listen that may not, under an AppArmor profile", [made(.close, server)]) {
    $0.options = .reuseaddr
    $0.host.appArmorProfiles = [AppArmorProfile(name: "x", file: "/etc/apparmor.d/x", isEnforced: true)]
    $0.judged = { ($0.listen, $0.missing) = (.undetermined, [MissingFact(.bindOrder)]) }
  },
  MadeUp(
    "two programs share by SO_REUSEPORT",
    [
      made(.listen, nginx, reuseport: true), made(.listen, node, reuseport: true),
    ]),
  MadeUp(
    "four programs share by SO_REUSEPORT",
    [
      made(.listen, nginx, reuseport: true), made(.listen, node, reuseport: true),
      made(.listen, server, reuseport: true), made(.listen, program(10, "caddy"), reuseport: true),
    ]),
  MadeUp(
    "one program shares with itself by SO_REUSEPORT",
    [
      made(.listen, nginx, reuseport: true), made(.listen, program(17, "nginx"), reuseport: true),
    ]),
  MadeUp(
    "two programs on two addresses share nothing",
    [
      made(.listen, "127.0.0.1", nginx, reuseport: true), made(.listen, "127.0.0.2", node, reuseport: true),
    ]),
  MadeUp(
    "two programs of two users share nothing",
    [
      made(.listen, nginx, reuseport: true), made(.listen, node, reuseport: true, uid: 33),
    ]),
  MadeUp(
    "two programs on two devices share nothing",
    [
      made(.listen, nginx, reuseport: true, device: 1), made(.listen, node, reuseport: true, device: 2),
    ]),
  MadeUp(
    "two programs share a UDP port, a third is connected",
    [
      made(.close, nginx, reuseport: true), made(.close, node, reuseport: true),
      made(.established, "0.0.0.0", to: ("198.51.100.7", 5004), server, reuseport: true),
    ]
  ) { $0.transport = .udp },
  MadeUp(
    "one of two programs does not share",
    [
      made(.listen, "127.0.0.1", nginx, reuseport: true), made(.listen, "127.0.0.1", node),
    ]),
  MadeUp("node beside a socket of UDP", [made(.close, server)]) { ($0.transport, $0.runtime) = (.udp, "node") },
  MadeUp("unbound beside a socket of UDP", [made(.close, server)]) { ($0.transport, $0.runtime) = (.udp, "unbound") },
  MadeUp(
    "holders of which something is worth knowing",
    [
      made(.listen, "127.0.0.1", program(11, "epmd")), made(.listen, "127.0.0.2", program(12, "epmd")),
    ]
  ) { $0.port = 4369 },
]
