internal import PortwhyKit
internal import SocketModel

/// What the words before the one to complete have said already.
struct EarlierWords: Hashable {
  /// TCP where neither `-t` nor `-u` is there, as everywhere; and then the other as well, which has to be named.
  var transports: Set<TransportProtocol> = []
  var namespace: NamespaceReference?

  init(_ words: some Sequence<String>) {
    var expectsNamespace = false
    for word in words {
      if expectsNamespace {
        namespace = NamespaceReference(word)
        expectsNamespace = false
      } else if word == "--netns" {
        expectsNamespace = true
      } else if word.hasPrefix("--netns=") {
        namespace = NamespaceReference(String(word.dropFirst("--netns=".count)))
      } else if word == "--tcp" || Self.isCluster(word, with: "t") {
        transports.insert(.tcp)
        if Self.isCluster(word, with: "u") { transports.insert(.udp) }
      } else if word == "--udp" || Self.isCluster(word, with: "u") {
        transports.insert(.udp)
      }
    }
  }

  /// `-tu4` and the like.
  private static func isCluster(_ word: String, with letter: Character) -> Bool {
    word.hasPrefix("-") && !word.hasPrefix("--") && word.contains(letter)
  }
}
