import Glibc

/// The clocks of clock_gettime(2) that are read here; 0 from one that cannot be read.
package enum Clock {
  /// CLOCK_MONOTONIC, which only goes forward: what is measured with.
  package static var microseconds: UInt64 { microseconds(CLOCK_MONOTONIC) ?? 0 }

  /// The same in milliseconds.
  package static var milliseconds: UInt64 { microseconds / 1000 }

  /// CLOCK_THREAD_CPUTIME_ID: the processor time of this thread; the end of time where it cannot be read.
  package static var processorMicroseconds: UInt64 { microseconds(CLOCK_THREAD_CPUTIME_ID) ?? .max }

  /// CLOCK_REALTIME: seconds since the epoch.
  package static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// When the host was booted, in seconds since the epoch by today's clock: what the start times of proc_pid_stat(5) count
  /// from (CLOCK_BOOTTIME). Nil where that clock cannot be read.
  package static var boot: Double? { microseconds(CLOCK_BOOTTIME).map { now - Double($0) / 1e6 } }

  /// The unit of these times, sysconf(3): `_SC_CLK_TCK`.
  package static var ticksPerSecond: Double { Double(max(1, sysconf(Int32(_SC_CLK_TCK)))) }

  private static func microseconds(_ clock: clockid_t) -> UInt64? {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return nil }
    return UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_nsec / 1000)
  }
}
