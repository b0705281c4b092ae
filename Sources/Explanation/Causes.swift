extension Cause {
  // MARK: The port is in use

  /// A TCP socket in LISTEN on the very address.
  public static let listener = Cause(rawValue: "listener")
  /// A TCP socket on the very address that is bound and neither listens nor is connected.
  public static let boundNotListening = Cause(rawValue: "bound-not-listening")
  /// A UDP socket on the very address.
  public static let udpSocket = Cause(rawValue: "udp-socket")
  /// One of the two addresses is the wildcard of the family of the other.
  public static let wildcardOverlap = Cause(rawValue: "wildcard-overlap")
  /// An IPv6 wildcard without IPV6_V6ONLY and an IPv4 socket.
  public static let dualStackOverlap = Cause(rawValue: "dual-stack-overlap")
  /// A listening socket that different programs hold: a child got it from its parent.
  public static let inheritedDescriptor = Cause(rawValue: "inherited-descriptor")
  /// Sockets in TIME_WAIT.
  public static let timeWait = Cause(rawValue: "time-wait")
  /// A connection of a server, in any state but TIME_WAIT.
  public static let leftoverConnection = Cause(rawValue: "leftover-connection")
  /// A connection with an IPv6 address that a dual-stack listener accepted, and a bind to 0.0.0.0.
  public static let leftoverDualStackConnection = Cause(rawValue: "leftover-dual-stack-connection")
  /// A client that uses the port as its own end.
  public static let outgoingConnection = Cause(rawValue: "outgoing-connection")
  /// A client connected to itself.
  public static let selfConnection = Cause(rawValue: "self-connection")
  /// bind(2) works, listen(2) does not.
  public static let listenOnly = Cause(rawValue: "listen-only")
  /// The planned socket sets SO_REUSEPORT, the one in the way does not.
  public static let reuseportMissing = Cause(rawValue: "reuseport-missing")
  /// Both sides set SO_REUSEPORT, but belong to different users.
  public static let reuseportOtherUser = Cause(rawValue: "reuseport-other-user")
  /// UDP sockets of one port that share, but not by the same option.
  public static let udpMixedOptions = Cause(rawValue: "udp-mixed-options")
  /// What decides is the order of earlier binds.
  public static let dependsOnOrder = Cause(rawValue: "depends-on-order")
  /// What decides is not visible to the reader.
  public static let hidden = Cause(rawValue: "hidden")
  /// It works, beside sockets that get traffic of the same port.
  public static let sharedPort = Cause(rawValue: "shared-port")

  // MARK: The port is not looked at

  /// A port below `net.ipv4.ip_unprivileged_port_start` without CAP_NET_BIND_SERVICE.
  public static let privilegedPort = Cause(rawValue: "privileged-port")
  /// No interface of the host has the address.
  public static let addressNotLocal = Cause(rawValue: "address-not-local")
  /// The host has the address, but not on the interface of SO_BINDTODEVICE.
  public static let addressOnOtherDevice = Cause(rawValue: "address-on-other-device")
  /// Duplicate address detection for the IPv6 address has not finished (RFC 4862).
  public static let addressTentative = Cause(rawValue: "address-tentative")
  /// The interface of SO_BINDTODEVICE, or of the scope, does not exist.
  public static let deviceMissing = Cause(rawValue: "device-missing")
  /// The host has no IPv6.
  public static let familyMissing = Cause(rawValue: "family-missing")
  /// A TCP socket cannot be bound to an IPv6 multicast address.
  public static let multicastTCP = Cause(rawValue: "multicast-tcp")
  /// A link-local IPv6 address without an interface.
  public static let scopeMissing = Cause(rawValue: "scope-missing")
  /// An IPv4-mapped address on an IPV6_V6ONLY socket.
  public static let mappedOnV6only = Cause(rawValue: "mapped-on-v6only")

  // MARK: The call that was made, beside the port

  /// EACCES or EPERM of a call, from a security module, Landlock or a program of the control group.
  public static let refusedByPolicy = Cause(rawValue: "refused-by-policy")
  /// The call failed, and what was in its way is gone by now.
  public static let goneMeanwhile = Cause(rawValue: "gone-meanwhile")
  /// A second bind(2) of one socket.
  public static let alreadyBound = Cause(rawValue: "already-bound")

  /// Every cause there is.
  public static let all: [Cause] = [
    .listener, .boundNotListening, .udpSocket, .wildcardOverlap, .dualStackOverlap, .inheritedDescriptor, .timeWait,
    .leftoverConnection, .leftoverDualStackConnection, .outgoingConnection, .selfConnection, .listenOnly,
    .reuseportMissing, .reuseportOtherUser, .udpMixedOptions, .dependsOnOrder, .hidden, .sharedPort, .privilegedPort,
    .addressNotLocal, .addressOnOtherDevice, .addressTentative, .deviceMissing, .familyMissing, .multicastTCP,
    .scopeMissing, .mappedOnV6only, .refusedByPolicy, .goneMeanwhile, .alreadyBound,
  ]
}
