import Glibc

/// What is fuzzed, each with a corpus of its own in `Corpus/`.
enum FuzzTarget: String, CaseIterable {
  /// Whole answers of the kernel, with senders and interruptions.
  case netlink
  /// One message of an answer, and its attributes.
  case attributes
  /// The kernel's types, and the records of the BPF iterators.
  case btf
  /// The files of a process, and the links of its descriptors.
  case process
  /// Control groups, mounts, what systemd's socket units say, and the files in which engines name containers.
  case cgroup
  /// sysctls and other small files about the host, and what firewall tools print.
  case host
  /// services(5), hosts(5) and passwd(5).
  case names
  /// TARGET, and addresses.
  case target
  /// What the options of a command line mean together.
  case options
  /// The words of a command line.
  case words
  /// A saved report: read, judged again, shown and written.
  case report
  /// Many reports, as they come from many hosts, folded into one answer.
  case stream

  /// The one that main.swift was given.
  static let chosen = getenv("PORTWHY_FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) }

  func run(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    switch self {
    case .netlink: fuzzNetlink(&input)
    case .attributes: fuzzAttributes(&input)
    case .btf: fuzzTypes(&input)
    case .process: fuzzProcess(&input)
    case .cgroup: fuzzControlGroups(&input)
    case .host: fuzzHost(&input)
    case .names: fuzzNames(&input)
    case .target: fuzzTarget(&input)
    case .options: fuzzOptions(&input)
    case .words: fuzzWords(&input)
    case .report: fuzzReport(&input)
    case .stream: fuzzStream(&input)
    }
  }
}
