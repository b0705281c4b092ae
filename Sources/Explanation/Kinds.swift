// The words by which the report calls its notes, its suggestions and their conditions: a kind that a report has is never
// renamed.

extension Note {
  /// What a note is about.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    // About the sockets in the way.
    case hiddenOwner = "hidden-owner"
    case hiddenGuess = "hidden-guess"
    case socketActivation = "socket-activation"
    case publishedPort = "published-port"
    case inheritedDescriptor = "inherited-descriptor"
    case loginForwarding = "login-forwarding"
    case supervised
    case stopped
    case olderCopy = "older-copy"
    case optionSetLate = "option-set-late"
    case listenRace = "listen-race"
    case unrelatedSharing = "unrelated-sharing"
    case holderRemark = "holder-remark"
    case vanished
    case noAnswer = "no-answer"
    case notOurs = "not-ours"
    // About the port and the plan.
    case privilegedPort = "privileged-port"
    case ephemeralPort = "ephemeral-port"
    case familySkipped = "family-skipped"
    case placeDevice = "place-device"
    case runtimeDefault = "runtime-default"
    case otherProtocol = "other-protocol"
    // What else has a say.
    case securityModule = "security-module"
    case controlGroupProgram = "control-group-program"
    case redirected
    case otherNamespace = "other-namespace"
    case containerEngine = "container-engine"
    // Of a real bind.
    case probed
    case probeMemory = "probe-memory"
    case probeRefused = "probe-refused"
    case probeChanged = "probe-changed"
    case probeOutside = "probe-outside"
    case probeContradiction = "probe-contradiction"
    // Of a bind that failed in this very program, or in a command.
    case goneMeanwhile = "gone-meanwhile"
    case ownProgram = "own-program"
    case ownTree = "own-tree"
    case addressChanged = "address-changed"
    case unexplained
  }
}

extension Suggestion {
  /// What is to be done.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    // Options.
    case setOption = "set-option"
    case setOptionThere = "set-option-there"
    /// The same in the words of the other server's runtime.
    case otherSide = "other-side"
    // The holder.
    case stopHolder = "stop-holder"
    case findHolder = "find-holder"
    case closeOwn = "close-own"
    case closeConnection = "close-connection"
    case changeSetting = "change-setting"
    case changeSocketUnit = "change-socket-unit"
    case changeInterface = "change-interface"
    case wait
    // Elsewhere.
    case otherAddress = "other-address"
    case otherAddressThere = "other-address-there"
    case localAddress = "local-address"
    case addScope = "add-scope"
    case otherPort = "other-port"
    case otherUser = "other-user"
    case otherProtocol = "other-protocol"
    case reservePort = "reserve-port"
    // Rights.
    case raisePrivilege = "raise-privilege"
    case unprivilegedPortStart = "unprivileged-port-start"
    case nonlocalBind = "nonlocal-bind"
    case enableFamily = "enable-family"
    // A closer look.
    case lookAsRoot = "look-as-root"
    case lookAtInterfaces = "look-at-interfaces"
    case lookAtPolicy = "look-at-policy"
    case probe
    // The program.
    case tryAgain = "try-again"
    case newSocket = "new-socket"
  }

  /// The socket options that suggestions are about, as the man pages spell them.
  package enum Option: String, Sendable, Hashable, CaseIterable {
    case reuseaddr = "SO_REUSEADDR"
    case reuseport = "SO_REUSEPORT"
    case v6only = "IPV6_V6ONLY"
    case freebind = "IP_FREEBIND"

    /// SO_REUSEADDR and SO_REUSEPORT, which are two ways to one end.
    var isAboutReuse: Bool { self == .reuseaddr || self == .reuseport }
  }

  /// What must hold for a suggestion to help; stands after "if".
  package enum Condition: String, Sendable, Hashable, CaseIterable {
    // Sharing.
    case otherNeverListens = "the other socket never listens, as only one of the two may"
    case unicastToLast = "you mean to share (unicast then goes to the last bound socket alone)"
    case sharingIsMeant = "the two are meant to share the traffic of the port"
    // The other side.
    case leftWithReuseaddr = "whoever left the socket there had set SO_REUSEADDR too"
    case serverIsYours = "the server that left them is yours"
    case mayRestartServer = "you may restart the server that has the port"
    case needNotServeAll = "it need not serve every address"
    case peerStaysOpen = "the peer does not close meanwhile, as TIME_WAIT would follow"
    // The holder.
    case mayStop = "you may stop it"
    case mayLookOutside = "you get there"
    case noHiddenHolder = "no other process has it too"
    case notNeeded = "it is not needed"
    case portWasChosen = "the kernel chose the port for it (as for most clients)"
    case startsAtBoot = "it happens at boot"
    case loginIsDead = "it belongs to a client that is gone"
    case wantsToMove = "you want to move it"
    case peersChange = "its peers change too"
    case peersChangeEndpoint = "its peers change their endpoint"
    case noTakeover = "this host need not take over connections"
    case exportsUnneeded = "nobody needs the exports"
    // The address, the port and the interface.
    case needNotBeThisAddress = "the server need not have exactly this address"
    case addressBelongsHere = "this host should have the address"
    case interfaceMattersMore = "the interface matters more"
    case noDuplicate = "no duplicate is found"
    case interfaceHasAddress = "the interface has the address"
    case nameIsWrong = "the name is wrong"
    case multicastIsMeant = "multicast is meant"
    case ipv4IsEnough = "IPv4 is enough"
    case happensAgain = "it happens again"
    case isFree = "it is free"
    case nobodyBoundUnseen = "nobody has it bound without listening, which you cannot see"
    case nothingElse = "nothing else is in the way"
    // The look.
    case maySudo = "you may use sudo"
    case mayReadIt = "you may read it"
    case mayHoldPort = "a socket may hold the port for a moment"
    // Elsewhere, once more.
    case anyPortWillDo = "any free port will do"
    case addressComesLater = "the address comes to this host later"
    case othersKeepTheirs = "you mean to share (each keeps what comes for an address of its own)"
    case ipv6IsMeant = "IPv6 is wanted"
  }
}
