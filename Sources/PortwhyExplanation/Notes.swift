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
    // Landlock's rules are about TCP ports (`hook_socket_bind`); the BPF module says nothing by being there.
    let isTCP = `case`.attempt.transport == .tcp
    let named = modules.filter {
      ["selinux", "apparmor", "tomoyo", "smack"].contains($0) || ($0 == "landlock" && isTCP)
    }
    if !named.isEmpty {
      let say = named.count == 1 ? "it says" : "they say"
      notes.append(
        Note(
          kind: "security-module",
          text: "\(named.listed(atMost: 4)) can still refuse the bind with EACCES: what \(say) to the planned"
            + " program is not looked at"))
    }
  }
  if `case`.snapshot.host.controlGroupBindPrograms == true, outcome.verdict == .ok {
    notes.append(
      Note(
        kind: "control-group-program",
        text:
          "a control group program is asked at every bind() here (systemd: SocketBindDeny=): it can refuse it with"
          + " EPERM, and is not looked at"))
  }
  return notes
}
