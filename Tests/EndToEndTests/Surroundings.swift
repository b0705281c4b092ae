import CProcessTestSupport
import Glibc
import KernelLab
import SocketModel
import Testing

/// Whether the program under test is one of `make sanitize`: a sanitizer makes system calls of its own, so that promises
/// about these cannot be held against it.
let isSanitized = sanitizer != nil

/// Which one: `address` or `thread`.
let sanitizer = getenv("PORTWHY_SANITIZED").map { String(cString: $0) }

/// For hosts without /proc, which the address sanitizer does not survive: it takes its options from /proc/self/environ,
/// so its search for leaks cannot be turned off, looks at /proc/PID/task, and ends with 1 when it is not there.
let addressSanitizerNeedsProc = ConditionTrait.disabled(
  if: sanitizer == "address", "without /proc/self/task the leak sanitizer ends the program with 1, whatever it did")

/// Debian's kernel 5.10 has none.
let kernelHasMPTCP: Bool = {
  let isThere = access("/proc/sys/net/mptcp", F_OK) == 0
  if !isThere { say("NOT RUN: what is tested of MPTCP: this kernel has none\n") }
  return isThere
}()

private let kernel: KernelVersion? = {
  var name = utsname()
  guard uname(&name) == 0 else { return nil }
  return KernelVersion(
    release: withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
}()

private func kernelIs(_ major: Int, _ minor: Int) -> Bool {
  kernel.map { $0 >= KernelVersion(major: major, minor: minor) } ?? false
}

/// Since 6.8 (`BOUND_INACTIVE` of sock_diag); before, without privilege, no port is known to be free.
let kernelListsBoundSockets = kernelIs(6, 8)

/// proc_pid_wchan(5): x86 kernels with the ORC unwinder say 0 of every process before 5.16 (`get_wchan`).
let kernelTellsWhatSleeps = kernelIs(5, 16)

/// For tests that promise what only such a kernel lets one know.
let needsBoundSockets = ConditionTrait.enabled(
  if: kernelListsBoundSockets, "NOT RUN: this kernel lists no bound sockets (before 6.8)")

/// A sanitizer's usual exit status is that of a bind that fails.
let sanitizerOptions = isSanitized ? ["ASAN_OPTIONS=exitcode=99", "TSAN_OPTIONS=exitcode=99"] : []

/// Runs `body` in a fresh network namespace and a mount namespace of its own, where mounts change nothing outside.
func inPrivateMounts<Result>(_ body: (inout NetworkNamespace) throws -> Result) throws -> Result {
  try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
    guard test_unshare_mounts() == 0 else { throw StartError(what: "unshare") }
    return try body(&namespace)
  }
}

func mount(_ type: String, on target: String, flags: UInt = 0, options: String? = nil) throws {
  guard test_mount(type, target, type, flags, options) == 0 else {
    throw StartError(what: "mount \(target): \(String(cString: strerror(errno)))")
  }
}

/// A whole file as text.
func contents(of path: String) throws -> String {
  guard let file = fopen(path, "re") else { throw StartError(what: path) }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { return String(decoding: bytes, as: UTF8.self) }
    bytes += chunk.prefix(count)
  }
}
