public import SocketModel

/// Why a network namespace cannot be looked at.
public enum NamespaceEntryError: Error, Sendable, Hashable {
  /// There is no such file.
  case absent
  /// The file is there and is something else.
  case noNetworkNamespace
  /// The file may not be opened: another user's process, or a directory that may not be searched.
  case mayNotOpen(SystemError)
  /// setns(2) wants CAP_SYS_ADMIN in the user namespace that owns it and in one's own.
  case mayNotEnter
  /// A system call failed for a reason of its own.
  case failed(String, SystemError)
}

/// Runs `body` inside the network namespace behind a file of nsfs such as `/proc/PID/ns/net` (namespaces(7)).
///
/// On a thread of its own, which ends with it: the caller's thread keeps its namespace whatever happens, so a
/// library may do this, and nothing has to be undone. The body must be synchronous.
/// - Parameter paths: the first that exists counts.
public func inNetworkNamespace<Value>(
  at paths: [String], _ body: () -> Value
) throws(NamespaceEntryError) -> Value {
  let namespace = try NamespaceFile(paths)
  var result: Result<Value, NamespaceEntryError> = .failure(.failed("pthread_create", .tryAgain))
  do throws(SystemError) {
    try onOwnThread {
      do throws(NamespaceEntryError) {
        try namespace.enter()
        result = .success(body())
      } catch {
        result = .failure(error)
      }
    }
  } catch {
    throw .failed("pthread_create", error)
  }
  return try result.get()
}
