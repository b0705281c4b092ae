import CProcessTestSupport
import Glibc
import KernelLab

/// Whether the program under test is one of `make sanitize`: a sanitizer reads /proc and makes system calls of its
/// own, so that promises about these cannot be held against it.
let isSanitized = getenv("PORTWHY_SANITIZED") != nil

/// Debian's kernel 5.10 has none.
let kernelHasMPTCP: Bool = {
  let isThere = access("/proc/sys/net/mptcp", F_OK) == 0
  if !isThere { say("NOT RUN: what is tested of MPTCP: this kernel has none\n") }
  return isThere
}()

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
