import Glibc
import KernelLab
import SocketModel

/// As whom portwhy looks.
enum Reader: String, Sendable, CaseIterable {
  case root
  /// root, without BPF iterators.
  case rootWithoutBPF = "root-no-bpf"
  /// uid and gid 65534 without groups and capabilities.
  case nobody
  /// A user who owns some of the sockets, but none of their processes.
  case user
  /// root without CAP_SYS_PTRACE, as in many containers.
  case rootWithoutTrace = "root-no-ptrace"
  /// root without CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN, in a container's way.
  case rootWithoutAdmin = "root-no-admin"
  /// root in another network namespace, asking with `--netns`.
  case outside
  /// Whoever reads a report that root wrote at that moment (`--from`).
  case saved

  /// Those of the long runs; the others look at the same facts in other ways.
  static let usual: [Reader] = [.root, .rootWithoutBPF, .nobody]

  /// Asks as a user does, not with an attempt of which everything is said.
  var asks: Bool { self == .outside || self == .saved }
}

/// What the command line asks for.
struct Settings: Sendable {
  enum Mode: Sendable {
    case run
    /// Print the mix and end.
    case mix
    /// Be the process that looks: requests come on standard input (see `AttemptLine`).
    case answer(Reader)
    /// Be a socket that moves between the kernel's tables until standard input ends.
    case move(MovingSocket, Port)
    /// Ask about ports whose sockets move.
    case moving
  }

  var mode = Mode.run
  var scenarios: UInt64 = 20_000
  var seed = UInt64.random(in: 0...UInt64(UInt32.max))
  var first: UInt64 = 0
  var readers = Reader.usual
  /// Sockets as servers and clients make them, in the place of the random mix.
  var ordinary = false
  /// Where the process that looks is.
  var place = Place.open
  /// In namespaces with a VRF.
  var vrf = false
  /// Print each scenario with what was seen, said and tried.
  var isVerbose = false

  /// Ends the program with status 64 for words it does not know.
  init(_ arguments: ArraySlice<String>) {
    var rest = arguments
    func refuse(_ word: String) -> Never {
      say("conformance: cannot use \"\(word)\"")
      exit(64)
    }
    while let option = rest.popFirst() {
      switch option {
      case "--mix":
        mode = .mix
        continue
      case "--vrf":
        vrf = true
        continue
      case "--ordinary":
        ordinary = true
        continue
      case "--moving":
        mode = .moving
        continue
      case "-v":
        isVerbose = true
        continue
      default: break
      }
      guard let value = rest.popFirst() else { refuse(option) }
      switch (option, UInt64(value), Reader(rawValue: value)) {
      case ("--scenarios", let number?, _): scenarios = number
      case ("--seed", let number?, _): seed = number
      case ("--from", let number?, _): first = number
      case ("--as", _, let reader?): readers = [reader]
      case ("--as", _, _) where value == "both": readers = Reader.usual
      case ("--as", _, _) where value == "all": readers = Reader.allCases
      case ("--place", _, _):
        guard let named = Place(value) else { refuse("\(option) \(value)") }
        place = named
      case ("--move", let port?, _):
        guard case .move(let way, _) = mode, let port = UInt16(exactly: port) else { refuse("\(option) \(value)") }
        mode = .move(way, Port(port))
      case ("--way", _, _):
        guard let way = MovingSocket(rawValue: value) else { refuse("\(option) \(value)") }
        mode = .move(way, Port(1))
      case ("--answer", _, let reader?): mode = .answer(reader)
      default: refuse("\(option) \(value)")
      }
    }
  }
}

/// One line on standard error.
func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}
