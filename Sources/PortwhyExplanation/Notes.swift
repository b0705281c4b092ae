import BindRules
import SocketModel

/// Remarks that do not decide, but that a reader of the verdict should know.
func notes(_ case: Case, outcome: BindOutcome) -> [Note] {
  var notes: [Note] = []
  let flagUnknown = `case`.blockingSockets.contains { $0.owner == .hidden }
  if flagUnknown {
    notes.append(Note(kind: "hidden-owner", text: "the process behind a socket in the way is not visible to you"))
  }
  if let modules = `case`.snapshot.host.securityModules, outcome.verdict == .ok {
    let named = modules.filter { ["selinux", "apparmor", "tomoyo", "smack"].contains($0) }
    if !named.isEmpty {
      notes.append(
        Note(
          kind: "security-module",
          text: "\(named.listed()) can still refuse the bind with EACCES; its policy is not looked at"))
    }
  }
  return notes
}
