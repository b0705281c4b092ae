/// The generator SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed on every machine.
package struct SplitMix64: RandomNumberGenerator, Sendable, Hashable {
  private var state: UInt64

  /// A sequence that the seed alone decides.
  package init(seed: UInt64) { state = seed }

  /// The next number.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

/// Things with the weight each is drawn with.
struct Weighted<Value: Sendable>: Sendable {
  var entries: [(weight: Int, value: Value)]

  init(_ entries: [(Int, Value)]) { self.entries = entries.map { (weight: $0.0, value: $0.1) } }

  /// Nil only where there is no entry.
  func draw(_ random: inout SplitMix64) -> Value? {
    let total = entries.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return nil }
    var rest = Int(random.next() % UInt64(total))
    for entry in entries {
      rest -= entry.weight
      if rest < 0 { return entry.value }
    }
    return nil
  }
}
