import BindRules
import Evidence
import Linux
import Netlink
import SocketModel

// BPF iterators cost more than the rest of an answer on an idle host, so they are asked only where they decide
// something, and only after the dump: it is the dump that gives the sockets the cookies they are matched by.

/// What attempts on one port come to, with the snapshot they were judged in.
struct Judgement {
  let attempts: [BindAttempt]
  let snapshot: Snapshot
  /// Of each attempt, in their order: the four outcomes of `outcomes(of:in:)`.
  var outcomes: [[BindOutcome]]

  init(of attempts: [BindAttempt], in snapshot: Snapshot) {
    self.attempts = attempts
    self.snapshot = snapshot
    outcomes = attempts.map { BindRules.outcomes(of: $0, in: snapshot) }
  }

  /// Whether the answer to the planned combination is known for each attempt.
  func isSettled(_ planned: ReuseOptions) -> Bool {
    outcomes.allSatisfy { $0.allSatisfy { $0.options != planned || $0.verdict != .undetermined } }
  }
}

/// How much of an answer has to be settled.
enum EvidenceScope {
  /// The planned options.
  case planned
  /// All four combinations.
  case everything

  /// Whether one of these outcomes depends on a fact that an iterator may tell.
  func wantsKernelEvidence(_ outcomes: [BindOutcome], planned: ReuseOptions) -> Bool {
    outcomes.contains { outcome in
      (self == .everything || outcome.options == planned) && outcome.maySettle
    }
  }
}

extension BindOutcome {
  private static let tellable: Set<MissingFact.Kind> = [
    .reuseaddr, .reuseport, .v6only, .bindOrder, .layer3Domain, .kernelVersion,
  ]

  /// Whether an iterator may tell a fact that is missing.
  var maySettle: Bool { missing.contains { Self.tellable.contains($0.kind) } }
}

extension Question {
  /// How much of the answer is settled by BPF iterators; nil for not asking them. What they can settle is not probed.
  var evidenceScope: EvidenceScope? { usesBPF ? (isVerdictOnly && !probes ? .planned : .everything) : nil }
}

enum KernelEvidence {
  // Each is told who reads files for this look.

  /// `gather`, or what a test puts in its place.
  typealias Source = (
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, _ dump: [SocketObservation], _ host: HostFacts,
    _ use: inout BPFUse, _ silent: inout SilentSource?, _ files: ProcessFiles
  ) -> EvidenceMerge?

  /// `holders`, or what a test puts in its place.
  typealias HolderSource = (
    _ ports: ClosedRange<UInt16>, _ inodes: Set<UInt64>, _ use: inout BPFUse?, _ files: ProcessFiles
  ) -> FoundHolders?

  /// Descriptors of TCP and UDP sockets, and the bind buckets that some of the sockets have, by inode.
  struct FoundHolders {
    var descriptors: [DescriptorHolder]
    var buckets: [UInt64: BindBucket]
  }

  /// `boundSockets`, or what a test puts in its place.
  typealias BoundSource = (
    _ ports: ClosedRange<UInt16>, _ host: HostFacts, _ use: inout BPFUse?, _ files: ProcessFiles
  ) -> [SocketObservation]?

  /// `bucket`, or what a test puts in its place.
  typealias BucketSource = (
    _ pid: Int32, _ inode: UInt64, _ port: Port, _ use: inout BPFUse, _ files: ProcessFiles
  ) -> BindBucket?

  /// The bind bucket of a TCP socket that this process holds, in the network namespace of this thread; nil where it cannot
  /// be had, on kernels before 6.1 too.
  static func bucket(
    _ pid: Int32, _ inode: UInt64, _ port: Port, _ use: inout BPFUse, _ files: ProcessFiles
  ) -> BindBucket? {
    guard BPFEvidence.obstacle(files) == nil else { return nil }
    let started = Clock.microseconds
    defer { use.microseconds &+= Clock.microseconds &- started }
    do throws(BPFError) {
      let found = try BPFEvidence.ofThisKernel().socketHolders(
        ports: port.rawValue...port.rawValue, inodes: [inode], of: pid)
      use.iterators.append("task_file")
      return found.lazy.compactMap(\.socket.bucket).first { $0.port == port }
    } catch {
      return nil
    }
  }

  /// All TCP sockets of these ports in the network namespace of this thread that are bound and neither listen nor are
  /// connected, found through everybody's descriptors; nil where some may be missing.
  ///
  /// Whether such a socket holds its port after an earlier life, its bucket tells; getsockopt(2) does not.
  static func boundSockets(
    _ ports: ClosedRange<UInt16>, _ host: HostFacts, _ use: inout BPFUse?, _ files: ProcessFiles
  ) -> [SocketObservation]? {
    guard ProcessReader().seesAllProcesses(files), BPFEvidence.obstacle(files) == nil else { return nil }
    let started = Clock.microseconds
    var noted = use ?? BPFUse()
    defer {
      noted.microseconds &+= Clock.microseconds &- started
      use = noted
    }
    do throws(BPFError) {
      let found = try BPFEvidence.ofThisKernel().socketHolders(ports: ports)
      noted.iterators.append("task_file")
      return boundOnly(found, networkNamespace: host.networkNamespace)
    } catch {
      noted.problem = error.description
      return nil
    }
  }

  /// Every descriptor of the sockets with these ports and inodes; nil, without a word in `use`, where the reader may not
  /// ask, and with the reason where it failed.
  static func holders(
    _ ports: ClosedRange<UInt16>, _ inodes: Set<UInt64>, _ use: inout BPFUse?, _ files: ProcessFiles
  ) -> FoundHolders? {
    guard BPFEvidence.obstacle(files) == nil else { return nil }
    let started = Clock.microseconds
    var noted = use ?? BPFUse()
    defer {
      noted.microseconds &+= Clock.microseconds &- started
      use = noted
    }
    do throws(BPFError) {
      let found = try BPFEvidence.ofThisKernel().socketHolders(ports: ports, inodes: inodes)
      noted.iterators.append("task_file")
      return FoundHolders(
        descriptors: found.map { DescriptorHolder(pid: $0.pid, descriptor: $0.descriptor, inode: $0.inode) },
        buckets: Dictionary(
          found.compactMap { holder in holder.socket.bucket.map { (holder.inode, $0) } },
          uniquingKeysWith: { first, _ in first }))
    } catch {
      noted.problem = error.description
      return nil
    }
  }

  /// Asks the iterators of one transport; nil where nothing can be had, with the reason in `use`.
  static func gather(
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, _ dump: [SocketObservation], _ host: HostFacts,
    _ use: inout BPFUse, _ silent: inout SilentSource?, _ files: ProcessFiles
  ) -> EvidenceMerge? {
    let started = Clock.microseconds
    defer { use.microseconds &+= Clock.microseconds &- started }
    if let obstacle = BPFEvidence.obstacle(files) {
      use.problem = obstacle.description
      return nil
    }
    do throws(BPFError) {
      let kernel = try BPFEvidence.ofThisKernel()
      switch transport {
      case .udp:
        let sockets = try kernel.udpSockets(ports: ports)
        use.iterators.append("udp")
        return merge(dump, with: IteratorEvidence(udp: sockets), networkNamespace: host.networkNamespace)
      case .tcp:
        let sockets = try kernel.tcpSockets(ports: ports)
        use.iterators.append("tcp")
        var evidence = IteratorEvidence(tcp: sockets)
        // Sockets that are only bound are in no table: their bucket is reached through their descriptors. Where there
        // are VRFs it may be another than that of the port's other sockets, and on old kernels there is a second one.
        let told = Set(sockets.filter { $0.bucket != nil }.map(\.local.port))
        let isOld = host.kernel < KernelVersion(major: 6, minor: 8)
        let bound = dump.filter {
          $0.state == .close && (host.mayHaveVRFs == true || isOld || !told.contains($0.local.port))
        }
        let inodes = Set(bound.compactMap(\.inode))
        if !inodes.isEmpty {
          evidence.holders = try kernel.socketHolders(ports: ports, inodes: inodes)
          use.iterators.append("task_file")
        }
        return merge(dump, with: evidence, networkNamespace: host.networkNamespace)
      }
    } catch {
      use.problem = error.description
      if case .noAnswer(let iterator) = error { silent = .iterator(iterator) }
      return nil
    }
  }
}

extension SocketObservation {
  /// What only an iterator that did not answer could have told is not known for that reason.
  mutating func noteSilence() {
    reuseaddr = reuseaddr.noAnswer
    reuseport = reuseport.noAnswer
    v6only = v6only?.noAnswer
  }
}

extension Knowledge {
  fileprivate var noAnswer: Self {
    if case .unknown = self { .unknown(.noAnswer) } else { self }
  }
}

/// Names the part of the kernel behind sockets that have an inode and no holder that can be seen.
///
/// Only what the kernel itself says counts: a tunnel that is up, a port of its NFS server. Such sockets are bound by
/// uid 0, where their kind binds them, and not connected; what fits nothing stays hidden.
/// - Returns: what of it did not answer in time.
func findKernelOwners(_ sockets: inout [SocketObservation], _ files: ProcessFiles) -> SilentSource? {
  let candidates = sockets.indices.filter { sockets[$0].mayBeKernels }
  guard !candidates.isEmpty else { return nil }
  var ports: [KernelPort] = []
  var silent: SilentSource?
  if candidates.contains(where: { sockets[$0].transport == .udp }) {
    do throws(NetlinkError) {
      ports += try KernelPortDump().tunnelPorts()
    } catch .noAnswer {
      silent = .routes
    } catch {}
    do throws(NetlinkError) { ports += try KernelPortDump().synchronisationPorts() } catch { silent = .routes }
  }
  ports += HostReader().kernelServicePorts(files)
  nameKernelOwners(&sockets, ports)
  return silent
}

/// The same with what the kernel said.
func nameKernelOwners(_ sockets: inout [SocketObservation], _ ports: [KernelPort]) {
  for index in sockets.indices where sockets[index].mayBeKernels {
    let socket = sockets[index]
    let owners = Set(ports.filter { $0.mayBe(socket) }.map(\.owner))
    guard let owner = owners.first else { continue }
    sockets[index].owner = .kernel
    // Several tunnels of one kind share a socket.
    sockets[index].kernelOwner = owners.count == 1 ? owner : KernelOwner(word: owner.word)
    sockets[index].reuseaddr = socket.reuseaddr.becauseKernels
    sockets[index].reuseport = socket.reuseport.becauseKernels
    sockets[index].v6only = socket.v6only?.becauseKernels
  }
}

extension KernelPort {
  /// Whether the port, the family, the address and IPV6_V6ONLY of a socket are as the kernel makes them.
  fileprivate func mayBe(_ socket: SocketObservation) -> Bool {
    guard transport == socket.transport, port == socket.local.port, families.contains(socket.family) else {
      return false
    }
    switch owner.kind {
    // rpc.nfsd(8) can be told an address (`--host`), which the kernel's list of ports does not show.
    case .nfsd: return true
    // The group that the master sends to (`make_receive_sock`).
    case .ipvs: return socket.local.address.isMulticast
    // These make an IPv6 socket IPv6-only (`vxlan_create_sock`, `geneve_create_sock`, `wg_socket_init`).
    case .vxlan, .geneve, .wireguard:
      return socket.local.address.isUnspecified && socket.v6only?.sure != false
    case .bareudp, .lockd, nil: return socket.local.address.isUnspecified
    }
  }
}

extension SocketObservation {
  fileprivate var mayBeKernels: Bool {
    owner == .hidden && activation == nil && remote == nil && uid ?? 0 == 0 && (transport == .udp || state == .listen)
  }
}

extension Knowledge where Value == Bool {
  fileprivate var becauseKernels: Self {
    if case .unknown = self { .unknown(.kernel) } else { self }
  }
}

/// Fills in flags that could not be read with those of the listener a connection came from.
///
/// A child starts with its listener's options (`sk_clone_lock`), but either may have changed since, and the listener
/// may be a later one: so the guess is shown as `inferred` and no rule uses it.
func withInferredFlags(_ sockets: [SocketObservation]) -> [SocketObservation] {
  guard sockets.contains(where: \.mayInherit) else { return sockets }
  let listeners = Listeners(sockets)
  return sockets.map { socket in
    guard socket.mayInherit, let parent = listeners.first(of: socket) else { return socket }
    var guessed = socket
    guessed.reuseaddr = inferred(socket.reuseaddr, from: parent, sockets[parent].reuseaddr)
    guessed.reuseport = inferred(socket.reuseport, from: parent, sockets[parent].reuseport)
    if let own = socket.v6only {
      guessed.v6only = inferred(own, from: parent, sockets[parent].v6only ?? .known(false, .sockDiag))
    }
    return guessed
  }
}

extension SocketObservation {
  /// A connection of which a flag is not known.
  fileprivate var mayInherit: Bool {
    transport == .tcp && state != .listen && remote != nil
      && (reuseaddr.isUnknown || reuseport.isUnknown || v6only?.isUnknown == true)
  }
}

extension Knowledge {
  fileprivate var isUnknown: Bool { if case .unknown = self { true } else { false } }
}

private func inferred(_ own: Knowledge<Bool>, from parent: Int, _ listeners: Knowledge<Bool>) -> Knowledge<Bool> {
  guard case .unknown(let reason) = own, let value = listeners.sure else { return own }
  return .inferred(value, from: parent, because: reason)
}

/// The sockets without the uids that may stand for anybody.
///
/// The kernel shows a uid that is not mapped into the reader's user namespace as the overflow uid
/// (`from_kuid_munged`): two such sockets may belong to different users, and it may be a mapped user's own uid too.
func withoutUnmappedUsers(_ sockets: [SocketObservation], overflow: UInt32?) -> [SocketObservation] {
  guard let overflow else { return sockets }
  return sockets.map { socket in
    var socket = socket
    if socket.uid == overflow { socket.uid = nil }
    return socket
  }
}
