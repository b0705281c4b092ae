import CBPFTests
import Glibc
import SocketModel
import Testing

/// What a test does on a thread of its own.
private final class Work: @unchecked Sendable {
  let body: () throws -> Void
  var failure: (any Error)?

  init(_ body: @escaping () throws -> Void) { self.body = body }
}

/// Runs the body on a new thread, whose namespaces, capabilities and filters end with it.
func onOwnThread(_ body: @escaping () throws -> Void) throws {
  let work = Work(body)
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      let work = Unmanaged<Work>.fromOpaque(argument).takeUnretainedValue()
      do { try work.body() } catch { work.failure = error }
      return nil
    }, Unmanaged.passUnretained(work).toOpaque())
  try #require(result == 0, "pthread_create: \(result)")
  pthread_join(thread, nil)
  if let failure = work.failure { throw failure }
}

/// Runs the body on a thread with a network namespace of its own, loopback up. Needs CAP_SYS_ADMIN.
func inPrivateNetwork(_ body: @escaping () throws -> Void) throws {
  try onOwnThread {
    try call("unshare", bpftests_enter_private_network())
    try body()
  }
}

/// A failed system call of a test's own preparations.
struct FailedCall: Error, CustomStringConvertible {
  var name: String
  var error: SystemError

  var description: String { "\(name): \(error)" }
}

/// The result of a call, an error where it is negative.
@discardableResult
func call(_ name: String, _ result: Int32) throws -> Int32 {
  guard result >= 0 else { throw FailedCall(name: name, error: SystemError(rawValue: errno)) }
  return result
}

/// The inode of the calling thread's network namespace.
func ownNetworkNamespace() throws -> UInt64 {
  var status = stat()
  try call("stat", stat("/proc/thread-self/ns/net", &status))
  return UInt64(status.st_ino)
}

/// How many descriptors of this process belong to BPF.
func openBPFDescriptors() throws -> Int {
  guard let directory = opendir("/proc/self/fd") else { throw FailedCall(name: "opendir", error: .noEntry) }
  defer { closedir(directory) }
  var count = 0
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if linkText("/proc/self/fd/\(name)").contains("bpf") { count += 1 }
  }
  return count
}

/// readlink(2); empty where it fails.
func linkText(_ path: String) -> String {
  var buffer = [UInt8](repeating: 0, count: 256)
  let count = buffer.withUnsafeMutableBytes { bpftests_readlink(path, $0.baseAddress, UInt($0.count)) }
  return String(decoding: buffer.prefix(max(0, Int(count))), as: UTF8.self)
}
