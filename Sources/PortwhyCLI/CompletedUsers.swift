extension CompletionSource {
  /// passwd(5), and no other source of users, which may be on the network.
  static func users(_ text: String) -> [Candidate] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 3, !fields[0].isEmpty, UInt32(fields[2]) != nil else { return nil }
      return Candidate(String(fields[0]), "uid \(fields[2])")
    }
  }
}
