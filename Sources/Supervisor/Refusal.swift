import CLinux
import Glibc
import Linux
import SocketModel

/// Why a command cannot be watched here, found before it runs.
package enum Refusal {
  /// One line that says what to do; nil where nothing speaks against it.
  ///
  /// - Parameters:
  ///   - command: the word that execvp(3) looks up.
  ///   - path: PATH.
  package static func reason(command: String, path: String?) -> String? {
    ofThisHost ?? ofCommand(command, path: path)
  }

  private static var ofThisHost: String? {
    let yama = "sys/kernel/yama/ptrace_scope"
    let told = ProcessFiles.asked(ProcessQuestion(.named([]), [], rootFiles: [.contents(yama)])).root
    if let scope = told.contents(yama).flatMap({ decimal($0) }) {
      if scope >= 3 { return "Yama forbids looking at any process (kernel.yama.ptrace_scope is \(scope))" }
      if scope == 2, !hasCapability(.sysPtrace) {
        return "Yama lets only root look at processes (kernel.yama.ptrace_scope is 2): sudo portwhy -- …"
      }
    }
    let handle = portwhy_pidfd_open(getpid())
    guard handle >= 0 else {
      return errno == ENOSYS ? tooOld : "pidfd_open(2) is forbidden here (\(SystemError(rawValue: errno)))"
    }
    defer { close(handle) }
    let duplicate = portwhy_pidfd_getfd(handle, handle)
    guard duplicate >= 0 else {
      return "pidfd_getfd(2) is forbidden here (\(SystemError(rawValue: errno))), as in a container whose seccomp"
        + " profile does: docker run --cap-add SYS_PTRACE"
    }
    close(duplicate)
    return nil
  }

  private static var tooOld: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "watching a command needs Linux 5.19" }
    let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return "watching a command needs Linux 5.19, and this is \(release)"
  }

  /// What a step of the start that failed means.
  static func text(_ step: portwhy_step, _ error: SystemError) -> String {
    guard step == PORTWHY_NO_FILTER else { return "the command cannot be started: \(error)" }
    switch error.rawValue {
    case EBUSY:
      return "another program already listens to the system calls of this process tree (portwhy itself, a container"
        + " manager or WSL's mirrored networking), and the kernel allows one"
    case EINVAL: return tooOld
    case ENOSYS: return "this kernel has no seccomp filters, or the architecture is neither x86-64 nor aarch64"
    default: return "the seccomp filter cannot be installed: \(error)"
    }
  }

  // MARK: COMMAND

  /// A filter without privilege takes from execve(2) the power to give any (`no_new_privs`).
  private static func ofCommand(_ command: String, path: String?) -> String? {
    guard !hasCapability(.sysAdmin), portwhy_has_no_new_privileges() == 0, let file = found(command, path: path),
      gainsPrivileges(file)
    else { return nil }
    return "\(command) cannot gain its privileges under portwhy as a user: sudo portwhy -- …"
  }

  /// The file that execvp(3) would run.
  private static func found(_ command: String, path: String?) -> String? {
    if command.utf8.contains(UInt8(ascii: "/")) { return command }
    let directories = (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false)
    return directories.lazy.map { ($0.isEmpty ? "." : $0) + "/" + command }.first { access($0, X_OK) == 0 }
  }

  /// Set-user-ID or set-group-ID to somebody else, or file capabilities (capabilities(7)).
  private static func gainsPrivileges(_ file: String) -> Bool {
    var status = stat()
    guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    var mount = statvfs()
    if statvfs(file, &mount) == 0, mount.f_flag & UInt(ST_NOSUID) != 0 { return false }
    if status.st_mode & S_ISUID != 0, status.st_uid != geteuid() { return true }
    if status.st_mode & S_ISGID != 0, status.st_mode & S_IXGRP != 0, status.st_gid != getegid() { return true }
    return portwhy_has_file_capabilities(file) != 0
  }

  private static func hasCapability(_ capability: Capabilities) -> Bool {
    Capabilities.ofThisThread?.contains(capability) ?? (geteuid() == 0)
  }

  private static func decimal(_ bytes: [UInt8]) -> Int? {
    Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }
}
