import Glibc
import Testing

@testable import Evidence

/// Everything that needs the kernel and root; one test after the other, so that descriptors can be counted.
///
/// Where the privilege lacks the tests fail in CI, and say elsewhere that they did not run.
@Suite(.serialized, .enabled(if: kernelTestsCanRun(), "needs root and BPF iterators: NOT RUN"))
enum KernelSuite {}

private func kernelTestsCanRun() -> Bool {
  if getenv("CI") != nil { return true }
  let obstacle = geteuid() == 0 ? BPFEvidence.obstacle().map { "\($0)" } : "not root"
  guard let obstacle else { return true }
  print("NOT RUN, the tests of BPFEvidence on this kernel: \(obstacle)")
  return false
}
