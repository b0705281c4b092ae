/// The systemd socket unit that a port belongs to (systemd.socket(5)).
public struct SocketActivation: Sendable, Hashable {
  /// The unit, such as `ssh.socket`.
  public var unit: String
  /// What it starts, such as `ssh.service`; an instance of a template is written `NAME@.service`.
  public var activates: String
  /// The uid of the user manager that holds it; nil for the system manager, process 1.
  public var userManager: UInt32?

  /// One with these parts, each as its property says.
  public init(unit: String, activates: String, userManager: UInt32? = nil) {
    self.unit = unit
    self.activates = activates
    self.userManager = userManager
  }
}
