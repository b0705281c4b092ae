import Glibc
import Linux
import SocketModel
import Testing

@Suite("Capabilities")
struct CapabilityTests {
  @Test("of this thread are those that /proc shows (CapEff)")
  func ofThisThread() throws {
    guard case .text(let status) = readText("/proc/thread-self/status") else { throw SystemError.noEntry }
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("CapEff:") })
    let shown = try #require(UInt64(line.dropFirst("CapEff:\t".count), radix: 16))
    #expect(Capabilities.ofThisThread?.rawValue == shown)
  }

  @Test("have the bits of linux/capability.h")
  func bits() {
    let numbers: [(Capabilities, Int)] = [
      (.netBindService, 10), (.sysPtrace, 19), (.sysAdmin, 21), (.perfmon, 38), (.bpf, 39),
    ]
    for (capability, number) in numbers { #expect(capability.rawValue == 1 << number) }
  }
}

@Suite("A clock")
struct ClockTests {
  @Test("goes forward, in microseconds")
  func forward() {
    let start = Clock.microseconds
    usleep(20_000)
    let passed = Clock.microseconds - start
    #expect(passed >= 20_000 && Clock.milliseconds >= start / 1000)
  }
}

@Suite("An error number")
struct ErrorTests {
  @Test("that means that something has gone is told from one that something was never there")
  func meaning() {
    for number in [ENOENT, ESRCH, EBADF] { #expect(SystemError(rawValue: number).meansGone) }
    for number in [EPERM, EACCES, ENOTDIR, EMFILE] { #expect(!SystemError(rawValue: number).meansGone) }
    #expect(SystemError(rawValue: ENOTDIR).meansAbsent && !SystemError(rawValue: ESRCH).meansAbsent)
  }
}
