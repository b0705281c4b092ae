/// What is wrong with what was typed: one line, lower case, the bad part in double quotes.
struct UsageError: Error, Hashable {
  var message: String

  init(_ message: String) { self.message = message }
}
