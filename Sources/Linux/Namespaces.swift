import CLinux
import Glibc
package import SocketModel

/// Why a network namespace cannot be looked at.
package enum NamespaceEntryError: Error, Sendable, Hashable {
  /// There is no such file.
  case absent
  /// The file is there and is something else.
  case noNetworkNamespace
  /// The file may not be opened: another user's process, or a directory that may not be searched.
  case mayNotOpen(SystemError)
  /// setns(2) wants CAP_SYS_ADMIN in the user namespace that owns it and in one's own.
  case mayNotEnter
  /// Somebody keeps who looks into the directory of the process waiting.
  case noAnswer
  /// A system call failed for a reason of its own.
  case failed(String, SystemError)

  fileprivate init(opening error: SystemError) {
    switch error.rawValue {
    case ENOENT, ENOTDIR, ESRCH: self = .absent
    case EACCES, EPERM: self = .mayNotOpen(error)
    case ENXIO, ELOOP, ENAMETOOLONG: self = .noNetworkNamespace
    default: self = .failed("open", error)
    }
  }
}

/// By what a network namespace is entered.
package enum NamespaceEntrance: Sendable {
  /// The first of these files that exists.
  case files([String])
  /// That of a process or thread, by its number.
  case process(Int32)
  /// A file of nsfs that is open.
  case opened(OpenFile)
}

/// Runs `body` inside the network namespace behind a file of nsfs such as `/proc/PID/ns/net` (namespaces(7)).
///
/// On a thread of its own, which ends with it: the caller's thread keeps its namespace whatever happens, so a
/// library may do this, and nothing has to be undone. The body must be synchronous.
/// - Parameter files: who reads /proc; a child of its own where nobody does and a process is named.
package func inNetworkNamespace<Value>(
  at entrance: NamespaceEntrance, _ files: ProcessFiles? = nil, _ body: () -> Value
) throws(NamespaceEntryError) -> Value {
  let namespace = try NamespaceFile(entrance, files)
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

/// An open file of nsfs that is a network namespace.
private struct NamespaceFile {
  private let file: OpenFile

  init(_ entrance: NamespaceEntrance, _ files: ProcessFiles?) throws(NamespaceEntryError) {
    switch entrance {
    case .files(let paths): file = try Self.open(paths, files)
    case .process(let pid): file = try Self.open(of: pid, files)
    case .opened(let opened): file = opened
    }
    guard portwhy_is_network_namespace(file.descriptor) != 0 else { throw .noNetworkNamespace }
  }

  /// Opens the first of the paths that exists. Without O_NONBLOCK a FIFO would wait for a writer.
  private static func open(_ paths: [String], _ files: ProcessFiles?) throws(NamespaceEntryError) -> OpenFile {
    var error = SystemError.noEntry
    for path in paths {
      // Any path may lead below /proc/self or the working directory, which are others for a child.
      guard path.hasPrefix("/run/netns/") || path.hasPrefix("/var/run/netns/") else {
        let opened = portwhy_open_read(AT_FDCWD, path, O_NONBLOCK)
        if opened >= 0 { return OpenFile(owning: opened) }
        throw NamespaceEntryError(opening: .last)
      }
      let question = ProcessQuestion(.named([]), [], rootFiles: [.opened(path)])
      let reply = files?.ask(question) ?? ProcessFiles.asked(question)
      if let opened = reply.root.file(path) { return opened }
      guard let refusal = reply.root.error(path) else { throw Self.unanswered(reply) }
      error = refusal
      if !error.meansAbsent, error != .noSuchProcess { break }
    }
    throw NamespaceEntryError(opening: error)
  }

  /// By a child: anybody may keep who looks into the directory of a process waiting.
  private static func open(of pid: Int32, _ files: ProcessFiles?) throws(NamespaceEntryError) -> OpenFile {
    let question = ProcessQuestion(.named([pid]), [.opened("ns/net")])
    let reply = files?.ask(question) ?? ProcessFiles.asked(question)
    let told = reply.processes.first
    if let opened = told?.file("ns/net") { return opened }
    guard let refusal = told?.error("ns/net") else { throw Self.unanswered(reply) }
    throw NamespaceEntryError(opening: refusal)
  }

  private static func unanswered(_ reply: ProcessReply) -> NamespaceEntryError {
    if case .failed(let error) = reply.end { return NamespaceEntryError(opening: error) }
    // Nobody was kept waiting where nobody could be sent.
    return reply.isSilent ? .noAnswer : .failed("clone", .tryAgain)
  }

  /// setns(2) of the calling thread.
  func enter() throws(NamespaceEntryError) {
    guard portwhy_setns_network(file.descriptor) != 0 else { return }
    let error = SystemError.last
    throw error == .notPermitted ? .mayNotEnter : .failed("setns", error)
  }
}

// MARK: - Whose a socket is

/// The network namespace of this thread, to tell its sockets from those of other namespaces.
package struct OwnNamespace: Sendable, Hashable {
  /// SO_NETNS_COOKIE, Linux 5.14.
  package var cookie: UInt64?
  /// The file of the namespace on nsfs (namespaces(7)).
  package var file: FileStatus?

  package init(cookie: UInt64?, file: FileStatus?) {
    self.cookie = cookie
    self.file = file
  }

  /// - Parameter file: `thread-self/ns/net` below /proc.
  package init(file: FileStatus?) {
    // A socket that is never bound or connected, only asked what it belongs to.
    if let socket = try? Descriptor(newSocketOf: AF_UNIX, SOCK_DGRAM) {
      cookie = try? socket.option(.namespaceCookie)
    }
    self.file = file
  }

  /// Whether the socket is of this namespace; nil where that cannot be told.
  ///
  /// Before Linux 5.14 the namespace's file is asked for (SIOCGSKNS), which needs CAP_NET_ADMIN; without it the
  /// namespace of the holder stands for that of the socket, which is right unless the holder changed its own.
  /// - Parameter holders: the file of the holder's namespace.
  package func contains(_ socket: SocketAnswer, holders: FileStatus?) -> Bool? {
    if let cookie, let other = socket.namespaceCookie { return cookie == other }
    guard let file else { return nil }
    if let other = socket.namespaceFile { return other.device == file.device && other.inode == file.inode }
    return holders.map { $0.isSameFile(as: file) }
  }
}

/// Runs `body` on a thread of its own and waits for its end (pthread_create(3), pthread_join(3)): whatever it does to its
/// namespaces ends with it.
package func onOwnThread(_ body: () -> Void) throws(SystemError) {
  var failure: Int32 = 0
  withoutActuallyEscaping(body) { body in
    var work = body
    withUnsafeMutablePointer(to: &work) { pointer in
      var thread = pthread_t()
      failure = pthread_create(
        &thread, nil,
        { raw in
          raw?.assumingMemoryBound(to: (() -> Void).self).pointee()
          return nil
        }, pointer)
      if failure == 0 { pthread_join(thread, nil) }
    }
  }
  if failure != 0 { throw SystemError(rawValue: failure) }
}

/// Runs `body` on a thread of its own that nobody waits for (pthread_create(3), pthread_detach(3)); false where there is none
/// to start.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  let work = Unmanaged.passRetained(Work(body)).toOpaque()
  var thread = pthread_t()
  let failure = pthread_create(
    &thread, nil,
    { raw in
      if let raw { Unmanaged<Work>.fromOpaque(raw).takeRetainedValue().body() }
      return nil
    }, work)
  guard failure == 0 else {
    Unmanaged<Work>.fromOpaque(work).release()
    return false
  }
  pthread_detach(thread)
  return true
}

/// A class, because pthread_create(3) takes one pointer.
private final class Work: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Ends a wait of another thread (eventfd(2)). An object, because both threads hold it and the last closes it.
package final class StopSwitch: Sendable {
  /// Readable once it is turned.
  package let descriptor: Int32

  package init() throws(SystemError) {
    descriptor = portwhy_event_descriptor()
    if descriptor < 0 { throw .last }
  }

  deinit { close(descriptor) }

  /// For good.
  package func turn() { portwhy_turn_event(descriptor) }

  package var isTurned: Bool { portwhy_event_is_turned(descriptor) }
}
