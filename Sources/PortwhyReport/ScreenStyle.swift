internal import Explanation
internal import SocketModel

/// How the answer is put on a screen; everything it needs to know of the terminal and the user's wishes.
package struct ScreenStyle: Sendable, Hashable {
  /// Columns, held within 40...100.
  package let width: Int
  /// Colours are used, SGR of ECMA-48.
  package var color: Bool
  /// The deciding rules, every flag's source, and no shortened lists.
  package var verbose: Bool
  /// No user names, even where `users` has them.
  package var numeric: Bool
  /// The names of uids.
  package var users: [UInt32: String]
  /// How long gathering the answer took, in microseconds; shown where `verbose`.
  package var elapsedMicroseconds: UInt64?

  /// A terminal of 80 columns without colour where nothing is said.
  package init(
    width: Int = 80, color: Bool = false, verbose: Bool = false, numeric: Bool = false,
    users: [UInt32: String] = [:], elapsedMicroseconds: UInt64? = nil
  ) {
    self.width = min(max(width, 40), 100)
    self.color = color
    self.verbose = verbose
    self.numeric = numeric
    self.users = users
    self.elapsedMicroseconds = elapsedMicroseconds
  }

  /// `alice`, or `uid 1000` where there is no name.
  func user(_ uid: UInt32) -> String {
    name(uid) ?? "uid \(uid)"
  }

  /// `uid 33 (www-data)`, or `uid 33` where there is no name.
  func uidAndName(_ uid: UInt32) -> String {
    "uid \(uid)" + (name(uid).map { " (\($0))" } ?? "")
  }

  private func name(_ uid: UInt32) -> String? {
    numeric ? nil : users[uid].map(TerminalText.escaped)
  }

  /// Who stands behind each of these sockets, escaped.
  func owners(_ sockets: [SocketObservation]) -> Owners {
    Owners(words: OwnerWords(sockets, showsAll: verbose))
  }

  /// The words of owners, made harmless.
  struct Owners {
    fileprivate var words: OwnerWords

    func callAsFunction(_ socket: SocketObservation) -> String { TerminalText.escaped(words.text(socket)) }

    /// As `OwnerWords.foldingKey`.
    func foldingKey(_ socket: SocketObservation) -> String { words.foldingKey(socket) }
  }

  /// Colours repeat what the words say; SGR parameters of ECMA-48.
  enum Ink: String {
    case bold = "1"
    case dim = "2"
    case works = "1;32"
    case fails = "1;31"
    case undetermined = "1;33"
  }

  func paint(_ text: String, _ ink: Ink) -> String {
    color ? "\u{1b}[\(ink.rawValue)m\(text)\u{1b}[0m" : text
  }
}
