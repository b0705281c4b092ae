/// A process that holds a socket, as /proc shows it (proc(5)).
///
/// Every text here was chosen by somebody else: escape it before it is shown.
public struct ProcessRecord: Sendable, Hashable {
  /// The number of the process in the reader's pid namespace.
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
  /// The uid of the user manager whose unit it is (`user@UID.service`); nil for a unit of the system manager.
  package var userManager: UInt32?
  /// Who runs the container, as its control group tells: `docker`, `podman`, `kubernetes`, `nerdctl`, `lxc`;
  /// nil where it does not tell.
  package var containerEngine: String?
  /// For docker-proxy: the address and port inside the container that it forwards to. Of its arguments this alone
  /// is read.
  package var forwardsTo: Endpoint?
  /// The parent, 0 for none (`/proc/PID/stat`); nil where it was not read.
  package var parent: Int32?
  /// The leader of its process group that has gone while the session it belongs to has not: what a shell started
  /// under that number has ended, this process lives on. Nil where there is none or that cannot be told.
  package var goneLeader: Int32?

  package init(
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
