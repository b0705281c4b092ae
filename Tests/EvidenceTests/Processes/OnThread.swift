import CProcessTestSupport
import Glibc
import Testing

/// Runs `body` on a thread of its own, so that it may give up its uid, its descriptors or a system call.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
  let box = Box<Result>(body)
  var thread = pthread_t()
  let error = pthread_create(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<Runnable>.fromOpaque(argument).takeUnretainedValue().run() }
      return nil
    }, Unmanaged<Runnable>.passUnretained(box).toOpaque())
  try #require(error == 0)
  pthread_join(thread, nil)
  return try #require(box.result).get()
}

private class Runnable {
  func run() {}
}

private final class Box<Result>: Runnable {
  let body: () throws -> Result
  var result: Swift.Result<Result, any Error>?

  init(_ body: @escaping () throws -> Result) { self.body = body }

  override func run() { result = Swift.Result(catching: body) }
}

struct MissingPrivilege: Error, CustomStringConvertible {
  var description: String
}

let nobody: UInt32 = 65534

/// Runs `body` on a thread that is the user nobody and has no capability.
func asUserNobody<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
  try onThread {
    try privileged("change the uid", test_become_user(nobody, nobody))
    return try body()
  }
}

func privileged(_ what: String, _ result: Int32) throws {
  guard result == 0 else {
    throw MissingPrivilege(description: "may not \(what): \(String(cString: strerror(errno)))")
  }
}

/// Lets a test that needs root pass without it, loudly; in CI it fails.
func needingRoot(_ test: String = #function, _ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as MissingPrivilege where getenv("CI") == nil {
    print("NOT TESTED: \(test): \(error)")
  }
}
