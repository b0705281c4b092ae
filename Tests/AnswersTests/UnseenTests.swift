import BindRules
import Explanation
import SocketModel
import Testing

@Suite("What portwhy cannot see")
struct UnseenTests {
  private func notes(_ transport: TransportProtocol = .tcp, _ edit: (inout HostFacts) -> Void) -> [Note] {
    var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
    host.unprivilegedPortStart = 1024
    edit(&host)
    let attempt = BindAttempt(transport: transport, address: .v4(.any), port: Port(8080), uid: 0)
    let snapshot = Snapshot(host: host, sockets: [])
    let judged = outcomes(of: attempt, in: snapshot)
    return explain(Situation(attempt: attempt, outcomes: judged, planned: [], snapshot: snapshot)).notes
  }

  @Test("is said where the host has it, and only there")
  func modules() {
    let named = notes { $0.enforcingModules = ["selinux"] }
    #expect(named.map(\.kind) == [.securityModule])
    #expect(named.first?.text.contains("semanage port -l") == true, "where to look")
    #expect(notes { $0.securityModules = ["landlock", "selinux"] }.isEmpty, "there, and not known to enforce")
    #expect(notes { $0.enforcingModules = [] }.isEmpty && notes { $0.enforcingModules = nil }.isEmpty)
    let file = "/etc/apparmor.d/usr.sbin.nginx"
    for (isEnforced, says) in [(true, "AppArmor enforces the profile nginx,"), (false, "AppArmor has a profile for")]
    {
      let profile = AppArmorProfile(name: "nginx", file: file, isEnforced: isEnforced)
      let told = notes { $0.appArmorProfiles = [profile] }
      #expect(told.map(\.kind) == [.securityModule])
      #expect(told.first?.text.hasPrefix(says) == true && told.first?.text.contains(file) == true)
    }
    #expect(notes { $0.appArmorProfiles = [] }.isEmpty)
    #expect(notes { $0.controlGroupBindPrograms = true }.map(\.kind) == [.controlGroupProgram])
    #expect(notes { $0.controlGroupBindPrograms = false }.isEmpty)
  }
}
