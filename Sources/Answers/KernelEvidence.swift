import Evidence
import BindRules
import Linux
import SocketModel

// BPF iterators cost more than the rest of an answer on an idle host, so they are asked only where they decide
// something, and only after the dump: it is the dump that gives the sockets the cookies they are matched by.

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
  private static let tellable: Set<MissingFact.Kind> = [.reuseaddr, .reuseport, .v6only, .bindOrder, .layer3Domain]

  /// Whether an iterator may tell a fact that is missing.
  var maySettle: Bool { missing.contains { Self.tellable.contains($0.kind) } }
}

extension Question {
  /// How much of the answer is settled by BPF iterators; nil for not asking them. What they can settle is not probed.
  var evidenceScope: EvidenceScope? { usesBPF ? (isVerdictOnly && !probes ? .planned : .everything) : nil }
}

enum KernelEvidence {
  /// `gather`, or what a test puts in its place.
  typealias Source = (
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, _ dump: [SocketObservation], _ host: HostFacts,
    _ use: inout BPFUse, _ silent: inout SilentSource?
  ) -> EvidenceMerge?

  /// `holders`, or what a test puts in its place.
  typealias HolderSource = (
    _ ports: ClosedRange<UInt16>, _ inodes: Set<UInt64>, _ use: inout BPFUse?
  ) -> [DescriptorHolder]?

  /// `bucket`, or what a test puts in its place.
  typealias BucketSource = (
    _ pid: Int32, _ inode: UInt64, _ port: Port, _ use: inout BPFUse
  ) -> BindBucket?

  /// The bind bucket of a TCP socket that this process holds, in the network namespace of this thread; nil where it cannot
  /// be had, on kernels before 6.1 too.
  static func bucket(_ pid: Int32, _ inode: UInt64, _ port: Port, _ use: inout BPFUse) -> BindBucket? {
    guard BPFEvidence.obstacle() == nil else { return nil }
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

  /// Every descriptor of the sockets with these ports and inodes; nil, without a word in `use`, where the reader may not
  /// ask, and with the reason where it failed.
  static func holders(
    _ ports: ClosedRange<UInt16>, _ inodes: Set<UInt64>, _ use: inout BPFUse?
  ) -> [DescriptorHolder]? {
    guard BPFEvidence.obstacle() == nil else { return nil }
    let started = Clock.microseconds
    var noted = use ?? BPFUse()
    defer {
      noted.microseconds &+= Clock.microseconds &- started
      use = noted
    }
    do throws(BPFError) {
      let found = try BPFEvidence.ofThisKernel().socketHolders(ports: ports, inodes: inodes)
      noted.iterators.append("task_file")
      return found.map { DescriptorHolder(pid: $0.pid, descriptor: $0.descriptor, inode: $0.inode) }
    } catch {
      noted.problem = error.description
      return nil
    }
  }

  /// Asks the iterators of one transport; nil where nothing can be had, with the reason in `use`.
  static func gather(
    _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, _ dump: [SocketObservation], _ host: HostFacts,
    _ use: inout BPFUse, _ silent: inout SilentSource?
  ) -> EvidenceMerge? {
    let started = Clock.microseconds
    defer { use.microseconds &+= Clock.microseconds &- started }
    if let obstacle = BPFEvidence.obstacle() {
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
        // are VRFs it may be another than that of the port's other sockets.
        let told = Set(sockets.filter { $0.bucket != nil }.map(\.local.port))
        let bound = dump.filter {
          $0.state == .close && (host.mayHaveVRFs == true || !told.contains($0.local.port))
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
