import BSDModel

// The words of the tables (BSDNotation.swift), read for the second statement of the rules: nothing of BindRules is asked.

extension ModelProgram {
  /// What the words plan.
  init(words text: String) {
    let words = ModelWords(text)
    self.init()
    udp = words.has("udp")
    address = words.address
    scope = words.number("scope") ?? 0
    v6only = words.has("v6only") ? true : words.has("dual") ? false : nil
    port = words.number("port") ?? 8080
    options = words.letters
    uid = words.number("uid") ?? 1001
  }
}

extension ModelSocket {
  /// All that a socket of these words may be, with the unknown ones of its facts filled in each way.
  ///
  /// - Parameters:
  ///   - uid: Of the planned bind: an unknown user is this one or another.
  ///   - only6: IPV6_V6ONLY where the words leave it to the system.
  /// - Returns: Empty for a socket that the kernel has put away.
  static func fillings(_ text: String, uid: Int, _ kernel: ModelKernel, only6: Bool = true) -> [ModelSocket] {
    let words = ModelWords(text)
    if words.has("disconnected") && kernel.losesDisconnected { return [] }
    var first = ModelSocket()
    first.udp = words.has("udp")
    first.made6 = words.address.contains(":")
    first.connected = words.has("connected") || words.has("time-wait")
    first.options = words.letters
    first.uid = words.number("uid") ?? 1001
    var all = [first]
    for (word, letter) in [("A?", "A"), ("P?", "P")] as [(String, Character)] where words.has(word) {
      all = all.flatMap { socket in
        var (with, without) = (socket, socket)
        with.options.insert(letter)
        without.options.remove(letter)
        return [with, without]
      }
    }
    if words.has("uid?") {
      all = all.flatMap { socket in
        [uid, uid + 7].map { user in
          var socket = socket
          socket.uid = user
          return socket
        }
      }
    }
    let isOnly6 = words.has("v6only?") ? [true, false] : [words.has("v6only") || (only6 && !words.has("dual"))]
    return all.flatMap { socket in
      isOnly6.map { isOnly6 in
        var socket = socket
        (socket.four, socket.six) = words.places(isOnly6)
        return socket
      }
    }
  }
}

private struct ModelWords {
  var words: [String]

  init(_ text: String) { words = text.split(separator: " ").map(String.init) }

  var address: String { words[1] }
  var letters: Set<Character> {
    Set(words.dropFirst(2).first { $0.allSatisfy { "APL".contains($0) } } ?? "")
  }
  func has(_ word: String) -> Bool { words.contains(word) }
  func number(_ name: String) -> Int? {
    words.first { $0.hasPrefix(name + "=") }.flatMap { Int($0.dropFirst(name.count + 1)) }
  }

  /// The addresses that a socket of these words takes traffic at.
  func places(_ isOnly6: Bool) -> (four: String?, six: String?) {
    if has("disconnected") { return has("peer4") ? ("0.0.0.0", nil) : (nil, "::") }
    if !address.contains(":") { return (address, nil) }
    if address.hasPrefix("::ffff:") { return (String(address.dropFirst(7)), nil) }
    if address == "::" { return (isOnly6 ? nil : "0.0.0.0", "::") }
    return (nil, address + (number("scope").map { "%\($0)" } ?? ""))
  }
}

/// The host of the tables (`bsdHost`).
let modelHost: ModelHost = {
  var host = ModelHost()
  host.four = ["127.0.0.1", "192.0.2.10", "192.0.2.255"]
  host.six = ["::1", "2001:db8::10", "fe80::1%1"]
  host.interfaces = [1, 2, 3]
  return host
}()
