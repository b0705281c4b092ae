import Glibc

/// As whom portwhy looks.
enum Reader: String, Sendable, CaseIterable {
  case root
  /// root, without BPF iterators.
  case rootWithoutBPF = "root-no-bpf"
  /// uid and gid 65534 without groups and capabilities.
  case nobody
}

/// What the command line asks for.
struct Settings: Sendable {
  enum Mode: Sendable {
    case run
    /// Print the mix and end.
    case mix
    /// Be the process that looks: requests come on standard input (see `AttemptLine`).
    case answer(Reader)
  }

  var mode = Mode.run
  var scenarios: UInt64 = 20_000
  var seed = UInt64.random(in: 0...UInt64(UInt32.max))
  var first: UInt64 = 0
  var readers = Reader.allCases
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
      case ("--as", _, _) where value == "both": readers = Reader.allCases
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
