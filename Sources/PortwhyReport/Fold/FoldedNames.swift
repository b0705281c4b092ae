internal import SocketModel

/// The names of hosts as operators write many of them: `web[001-480]`, `db[1-3,7].example.org`.
enum FoldedNames {
  /// One entry for each group of names that differ in one number; groups with most hosts are not put first, names are in
  /// the order of their text and numbers.
  static func entries(_ names: some Sequence<String>) -> [String] {
    var groups: [Key: [UInt64]] = [:]
    let parts = Set(names).sorted().map { (name: $0, part: Part($0)) }
    // web10 belongs to web09, which is padded to two digits.
    let padded = Set(parts.compactMap { $0.part?.isPadded == true ? $0.part?.padded : nil })
    var entries: [(key: Key, text: String)] = []
    for (name, part) in parts {
      guard let part else {
        entries.append((Key(prefix: name, suffix: "", width: 0), name))
        continue
      }
      groups[padded.contains(part.padded) ? part.padded : part.plain, default: []].append(part.number)
    }
    for (key, numbers) in groups { entries.append((key, text(key, numbers.sorted()))) }
    return entries.sorted {
      ($0.key.prefix, $0.key.suffix, $0.key.width) < ($1.key.prefix, $1.key.suffix, $1.key.width)
    }
    .map(\.text)
  }

  private static func text(_ key: Key, _ numbers: [UInt64]) -> String {
    var ranges: [ClosedRange<UInt64>] = []
    for number in numbers {
      if let last = ranges.last, last.upperBound + 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    let words = ranges.map { range in
      let (first, last) = (digits(range.lowerBound, key.width), digits(range.upperBound, key.width))
      return range.count == 1 ? first : "\(first)-\(last)"
    }
    let all = words.joined(separator: ",")
    return key.prefix + (numbers.count == 1 ? all : "[\(all)]") + key.suffix
  }

  private static func digits(_ number: UInt64, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }

  /// What names of one group have in common; a width of 0 is that of numbers without leading zeros.
  private struct Key: Hashable {
    var prefix: String
    var suffix: String
    var width: Int
  }

  /// A name taken apart at the number that counts: the last one of its first label, of an IPv4 address the last one.
  private struct Part {
    var prefix: String
    var digits: String
    var number: UInt64
    var suffix: String

    init?(_ name: String) {
      let bytes = Array(name.utf8)
      func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
      let dot = bytes.firstIndex(of: UInt8(ascii: "."))
      let isAddress = bytes.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
      let label = isAddress ? bytes[...] : bytes[..<(dot ?? bytes.endIndex)]
      guard let last = label.lastIndex(where: isDigit) else { return nil }
      let first = label[...last].lastIndex { !isDigit($0) }.map { $0 + 1 } ?? 0
      digits = String(decoding: bytes[first...last], as: UTF8.self)
      // More digits than any count of hosts has are an id.
      guard digits.utf8.count <= 18, let number = UInt64(digits) else { return nil }
      self.number = number
      prefix = String(decoding: bytes[..<first], as: UTF8.self)
      suffix = String(decoding: bytes[(last + 1)...], as: UTF8.self)
    }

    var isPadded: Bool { digits.utf8.count > 1 && digits.hasPrefix("0") }
    var padded: Key { Key(prefix: prefix, suffix: suffix, width: digits.utf8.count) }
    var plain: Key { Key(prefix: prefix, suffix: suffix, width: 0) }
  }
}
