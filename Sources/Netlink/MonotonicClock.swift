import Glibc

/// A clock that only goes forward (CLOCK_MONOTONIC, clock_gettime(2)).
package enum MonotonicClock {
  package static var microseconds: UInt64 {
    var time = timespec()
    guard clock_gettime(CLOCK_MONOTONIC, &time) == 0 else { return 0 }
    return UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_nsec / 1000)
  }

  package static var milliseconds: UInt64 { microseconds / 1000 }
}
