/// What is wanted of `portwhy -- COMMAND`: the words before `--`.
struct CommandSettings: Hashable {
  var json = false
  var verbose = false
  var numeric = false
  var bpf = true
  var color = Invocation.Color.auto
  /// `-o`: where explanations go instead of standard error.
  var output: String?

  init() {}

  /// Reads the words before `--`; everything that plans or asks something else is refused.
  init(reading words: [String]) throws(UsageError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--json": json = true
      case "--verbose": verbose = true
      case "--numeric": numeric = true
      case "--no-bpf": bpf = false
      case "--color":
        guard let value = rest.popFirst() else { throw UsageError("--color needs a value") }
        try setColor(value)
      case _ where word.hasPrefix("--color="): try setColor(String(word.dropFirst(8)))
      case _ where word.hasPrefix("-") && !word.hasPrefix("--") && word.utf8.count > 1:
        try readLetters(word.dropFirst(), &rest)
      default: throw UsageError("\"\(word)\" says nothing beside -- COMMAND")
      }
    }
  }

  private mutating func readLetters(_ letters: Substring, _ rest: inout ArraySlice<String>) throws(UsageError) {
    var letters = letters
    while let letter = letters.popFirst() {
      switch letter {
      case "v": verbose = true
      case "n": numeric = true
      case "o":
        guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
          throw UsageError("-o needs a value")
        }
        output = value
        return
      default: throw UsageError("\"-\(letter)\" says nothing beside -- COMMAND")
      }
    }
  }

  private mutating func setColor(_ word: String) throws(UsageError) {
    guard let color = Invocation.Color(rawValue: word) else {
      throw UsageError("--color \"\(word)\" is none of auto, always, never")
    }
    self.color = color
  }
}
