import CLinux
package import Evidence
import Glibc
package import Linux
package import SocketModel

/// A system call of the filter, taken apart.
struct SeenCall: Sendable {
  var thread: Int32
  var function: SocketCall
  var descriptor: Int32
  /// Where the address of bind(2) lies and how long it is said to be.
  var pointer: UInt64 = 0
  var length: Int = 0
  /// What the registers will say when the call has been made.
  var instruction: UInt64

  /// nil for what the filter should not have let through to here. Throws ETIMEDOUT where its memory keeps who looks waiting.
  init?(_ notification: portwhy_notification, _ files: ProcessFiles) throws(SystemError) {
    thread = notification.thread
    instruction = notification.instruction
    var arguments = [notification.arguments.0, notification.arguments.1, notification.arguments.2]
    switch portwhy_call_of(notification.architecture, notification.number) {
    case PORTWHY_BIND: function = .bind
    case PORTWHY_LISTEN: function = .listen
    case PORTWHY_SOCKETCALL:
      // Its arguments lie in memory, four bytes each (net/compat.c).
      function = arguments[0] == 2 ? .bind : .listen
      let isOthers = ThreadFiles(thread, descriptor: nil, files).isOthers
      let bytes = try memory(
        of: thread, at: arguments[1], count: function == .bind ? 12 : 8, isOthers: isOthers)
      guard bytes.count >= 8 else { return nil }
      arguments = stride(from: 0, to: bytes.count, by: 4).map { start in
        (start..<start + 4).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) }
      }
    default: return nil
    }
    descriptor = Int32(truncatingIfNeeded: arguments[0])
    guard function == .bind else { return }
    guard arguments.count > 2 else { return nil }
    pointer = arguments[1]
    length = Int(Int32(truncatingIfNeeded: arguments[2]))
  }

  /// The address of bind(2) as it stands in the program's memory now.
  func addressBytes(isOthers: Bool) throws(SystemError) -> [UInt8] {
    // struct sockaddr_storage; a longer one is EINVAL to the kernel.
    guard length > 0 && length <= 128 else { return [] }
    return try memory(of: thread, at: pointer, count: length, isOthers: isOthers)
  }
}

/// A call that waits for its answer, looked at.
struct WaitingCall: Sendable {
  var call: SeenCall
  /// Of bind(2).
  var address: [UInt8]
  /// The inode of the socket.
  var inode: UInt64

  enum Look: Sendable {
    case call(WaitingCall)
    /// No TCP or UDP socket, or nobody waits any more.
    case nothing
    case notPermitted
    /// Who looks is kept waiting.
    case noAnswer
  }

  /// Looks at what is to be bound. May block for ever: see `LookingThread`.
  static func look(_ notification: Notification, listener: Int32, _ files: ProcessFiles) -> Look {
    let call: SeenCall
    do throws(SystemError) {
      guard let seen = try SeenCall(notification.value, files) else { return .nothing }
      call = seen
    } catch {
      return .noAnswer
    }
    let inode: UInt64?
    let told = ThreadFiles(call.thread, descriptor: call.descriptor, files)
    do throws(SystemError) {
      if told.isOthers {
        inode = try ForeignSocket(told).portedInode
      } else {
        let socket = try duplicateDescriptor(told)
        inode = portedSocket(socket)
        // A duplicate that outlives the program's own descriptor would keep the port: it is not kept over the call.
        close(socket)
      }
    } catch {
      return told.areSilent ? .noAnswer : error == .notPermitted ? .notPermitted : .nothing
    }
    guard let inode else { return .nothing }
    guard let address = try? call.addressBytes(isOthers: told.isOthers) else { return .noAnswer }
    // What was read by the thread's number was another's if the call is not waited for any more.
    guard portwhy_still_waits(listener, notification.value.id) != 0 else { return .nothing }
    return .call(WaitingCall(call: call, address: address, inode: inode))
  }
}

/// Plain numbers, which the importer does not mark as such.
struct Notification: @unchecked Sendable {
  let value: portwhy_notification
}

/// A call that the kernel makes while its thread is seized.
struct RunningCall: Sendable {
  var call: SeenCall
  var address: [UInt8]
  /// The inode of the socket.
  var inode: UInt64
  var startedAt: UInt64
  /// Set while the thread stands still for the explanation: when it is let go at the latest.
  var heldUntil: UInt64?
  /// The number of the failure it is held for.
  var number: UInt64 = 0
  /// The signal that stopped the thread and that it has to get; 0 for none.
  var signal: Int32 = 0
}

/// Why a call could not be looked at.
package enum UnseenReason: String, Sendable, Hashable {
  /// A debugger has the thread, or it may not be looked at (ptrace(2)).
  case notPermitted = "not-permitted"
  /// Another call than the one that was waited for.
  case lostTrack = "lost-track"
  /// The look did not end in time.
  case tooSlow = "too-slow"
}

/// What /proc says of a thread that makes a call, read by a child: any user can hold the lock of its directory, and then no
/// signal would end this process.
struct ThreadFiles {
  let thread: Int32
  let descriptor: Int32
  private let told: ToldProcess?
  /// Nobody answered in time.
  let areSilent: Bool
  private let descriptorFile: String

  /// `descriptor`: nil for none of them.
  init(_ thread: Int32, descriptor: Int32?, _ files: ProcessFiles) {
    self.thread = thread
    self.descriptor = descriptor ?? -1
    let link = "fd/\(self.descriptor)"
    descriptorFile = link
    let questions: [FileQuestion] = [.status("."), .contents("status")] + (descriptor == nil ? [] : [.link(link)])
    let reply = files.ask(ProcessQuestion(.named([thread]), questions))
    told = reply.processes.first
    areSilent = reply.end == .noAnswer || reply.isSilent
  }

  /// Whether the thread runs as another user than this process, who could keep for good what looks at his descriptors: by
  /// FUSE_FLUSH in close(2), or by the lock of a socket. No signal ends these waits, and this process would not end. Of
  /// one's own user nobody has to be afraid: he can stop this process in any case.
  var isOthers: Bool {
    // The directory of a process belongs to its effective uid even where its files are root's (`task_dump_owner`).
    told?.status(".")?.uid != effectiveUser()
  }

  /// The target of the descriptor; nil where it may not be read.
  var target: String? { told?.link(descriptorFile) }

  /// Why `target` is nil.
  var refusal: SystemError {
    areSilent ? .timedOut : told?.error(descriptorFile) ?? .noSuchProcess
  }

  /// The number of its process; nil where that is not told.
  var process: Int32? {
    StatusFile(told?.contents("status") ?? []).number("Tgid:").map { Int32(truncatingIfNeeded: $0) }
  }
}

/// A socket of another user's process, asked by a child that may be left behind (`Errand`).
struct ForeignSocket {
  let answer: SocketAnswer
  let inode: UInt64

  init(_ files: ThreadFiles) throws(SystemError) {
    guard let target = files.target else { throw files.refusal }
    guard target.hasPrefix("socket:["), let inode = UInt64(target.dropFirst(8).dropLast()) else {
      throw SystemError(rawValue: ENOTSOCK)
    }
    // Before Linux 6.9 only the process can be asked, not a thread.
    let questions = [files.thread, files.process ?? files.thread].map {
      SocketQuestion(pid: $0, descriptor: files.descriptor, inode: inode, slot: 0)
    }
    switch Errand.ask(questions, slots: 1, .place).answers[0] {
    case .told(let answer): self.answer = answer
    case .refused(let error, _): throw error
    case .notAsked: throw SystemError(rawValue: ETIMEDOUT)
    }
    self.inode = inode
  }

  /// The inode of a TCP or UDP socket; nil for any other.
  var portedInode: UInt64? { answer.family != nil && hasPorts(answer.protocolNumber) ? inode : nil }

  /// getsockname(2).
  var address: CallAddress? { answer.local.map { CallAddress(endpoint: $0.endpoint) } }

  /// nil where it is in another network namespace and bound to a device, whose name is not known there.
  func asOwn(namespace: UInt64) -> OwnSocket? {
    var name: String?
    if let device = answer.device {
      guard answer.namespaceCookie == nil || answer.namespaceCookie == namespace else { return nil }
      name = interfaceName(device)
    }
    return OwnSocket(answer, inode: inode, device: name)
  }
}

/// Duplicates the descriptor of a thread, pidfd_getfd(2), where it is a socket; throws what the kernel said. For threads of
/// this process's own user (`ThreadFiles.isOthers`).
///
/// close(2) of a duplicate of any other file may wait for whoever serves it (FUSE_FLUSH): what the link in /proc calls no
/// socket is not duplicated.
func duplicateDescriptor(_ files: ThreadFiles) throws(SystemError) -> Int32 {
  if let target = files.target, !target.hasPrefix("socket:[") { throw SystemError(rawValue: ENOTSOCK) }
  // A thread may have descriptors of its own (CLONE_FILES); before Linux 6.9 only the process can be asked.
  var handle = portwhy_open_thread(files.thread)
  if handle < 0, errno == EINVAL {
    handle = portwhy_pidfd_open(files.thread)
    if handle < 0, let process = files.process { handle = portwhy_pidfd_open(process) }
  }
  guard handle >= 0 else { throw SystemError(rawValue: errno) }
  defer { close(handle) }
  let duplicate = portwhy_pidfd_getfd(handle, files.descriptor)
  guard duplicate >= 0 else { throw SystemError(rawValue: errno) }
  return duplicate
}

/// The inode of a TCP or UDP socket; nil for any other file and socket.
func portedSocket(_ descriptor: Int32) -> UInt64? {
  // The first question is one that no file system hears of.
  guard let domain = option(SOL_SOCKET, SO_DOMAIN, of: descriptor), domain == AF_INET || domain == AF_INET6,
    let inode = socketInode(descriptor), let protocolNumber = option(SOL_SOCKET, SO_PROTOCOL, of: descriptor)
  else { return nil }
  return hasPorts(protocolNumber) ? inode : nil
}

private func hasPorts(_ protocolNumber: Int32) -> Bool {
  let mptcp: Int32 = 262
  return [Int32(IPPROTO_TCP), Int32(IPPROTO_UDP), mptcp].contains(protocolNumber)
}

/// Who made a call, as /proc/TID tells while the thread stands still.
package struct Caller: Sendable, Hashable {
  /// The thread's number, in this process's pid namespace.
  package var thread: Int32
  /// The process's.
  package var process: Int32
  /// The name of the thread (`Name`), as a program may set it.
  package var command: String
  /// The target of /proc/PID/exe; nil where it may not be read.
  package var executable: String?
  /// The effective uid.
  package var uid: UInt32
  /// The effective capabilities (capabilities(7)), in the thread's own user namespace.
  package var capabilities: UInt64
  /// Whether that is this process's user namespace; nil where it cannot be told.
  package var isInOurUserNamespace: Bool?
  /// The security context (/proc/TID/attr/current) of SELinux, AppArmor or Smack; nil for none.
  package var securityLabel: String?

  /// CAP_NET_BIND_SERVICE is in the effective set.
  package var mayBindPrivileged: Bool { capabilities & 1 << 10 != 0 }
}

/// A bind(2) or listen(2) of a TCP or UDP socket that failed, with what was read while its thread stood still.
package struct FailedCall: Sendable {
  /// Counts the calls of a run.
  package var number: UInt64
  package var function: SocketCall
  /// What the kernel answered.
  package var errno: SystemError
  /// What bind(2) was given, or what the socket that may not listen is bound to; nil where it is not known.
  package var address: CallAddress?
  /// The address was another when the call had been made: a second thread writes to that memory.
  package var addressChanged: Bool
  package var caller: Caller
  /// The number of the descriptor in the program.
  package var descriptor: Int32
  /// The socket as it is after the call; nil where the descriptor means something else by now or may not be duplicated.
  package var socket: OwnSocket?
  /// Where the socket's network namespace can be entered, if it is not this process's.
  package var namespace: CallNamespace?
  /// CLOCK_MONOTONIC in microseconds.
  package var madeAt: UInt64
}

/// A call that worked.
package struct WorkedCall: Sendable, Hashable {
  package var function: SocketCall
  package var process: Int32
  package var command: String
  package var transport: TransportProtocol
  /// What the socket is bound to (getsockname(2)).
  package var address: CallAddress
  /// The socket's inode.
  package var inode: UInt64
}

/// A network namespace other than this process's, which stays reachable as long as this value exists.
package struct CallNamespace: Sendable {
  /// nil where it may not be opened.
  package var file: OpenFile?
}
