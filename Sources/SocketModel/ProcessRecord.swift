/// A process that holds a socket, as /proc shows it (proc(5)).
///
/// Every text here was chosen by somebody else: escape it before it is shown.
public struct ProcessRecord: Sendable, Hashable {
  public var pid: Int32
  /// The short command name (`/proc/PID/comm`), never the arguments: they hold secrets.
  public var command: String
  /// The target of `/proc/PID/exe`; nil where it may not be read or there is none.
  public var executable: String?
  /// The descriptors that refer to the socket, ascending.
  public var descriptors: [Int32]
  /// The systemd unit, from `/proc/PID/cgroup`.
  public var unit: String?
  /// The container id, from `/proc/PID/cgroup`.
  public var container: String?

  public init(
    pid: Int32, command: String, executable: String? = nil, descriptors: [Int32], unit: String? = nil,
    container: String? = nil
  ) {
    self.pid = pid
    self.command = command
    self.executable = executable
    self.descriptors = descriptors
    self.unit = unit
    self.container = container
  }
}
