/// The systemd socket unit that a port belongs to (systemd.socket(5)).
package struct SocketActivation: Sendable, Hashable {
  /// The unit, such as `ssh.socket`.
  package var unit: String
  /// What it starts, such as `ssh.service`; an instance of a template is written `NAME@.service`.
  package var activates: String
  /// The uid of the user manager that holds it; nil for the system manager, process 1.
  package var userManager: UInt32?

  package init(unit: String, activates: String, userManager: UInt32? = nil) {
    self.unit = unit
    self.activates = activates
    self.userManager = userManager
  }
}
