// Loads that trap outside of the bytes: their callers check first. Inlined into their callers' modules: the kernel's types
// take a million of them.
extension RawSpan {
  @inlinable @inline(__always)
  package func byte(at offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
  @inlinable @inline(__always)
  package func halfword(at offset: Int) -> UInt16 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self) }
  @inlinable @inline(__always)
  package func word(at offset: Int) -> UInt32 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self) }
  /// A word of which the caller has checked that it lies inside: for the one loop that reads every type of the kernel.
  @inlinable @inline(__always)
  package func uncheckedWord(at offset: Int) -> UInt32 {
    unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
  }
  @inlinable @inline(__always)
  package func doubleword(at offset: Int) -> UInt64 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }
}
