import BindRules
import SocketModel
import Testing

@testable import Explanation

@Suite("A word of the report")
struct KindTests {
  @Test("that another version added is kept, and is none that this one knows")
  func open() {
    let cause = OpenWord<Cause>(rawValue: "solar-flare")
    #expect(cause == .other("solar-flare") && cause.rawValue == "solar-flare" && cause.known == nil)
    #expect(OpenWord<Cause>(rawValue: "time-wait") == .known(.timeWait))
    #expect(Note(word: OpenWord(rawValue: "new"), text: "").kind == nil)
  }

  @Test("never changes: those of version 0.1 are all there")
  func stable() {
    #expect(
      Set(Note.Kind.allCases.map(\.rawValue)).isSuperset(of: [
        "hidden-owner", "hidden-guess", "socket-activation", "published-port", "inherited-descriptor",
        "option-set-late", "listen-race", "unrelated-sharing", "vanished", "privileged-port", "ephemeral-port",
        "family-skipped", "runtime-default", "other-protocol", "security-module", "control-group-program",
        "not-ours", "redirected", "other-namespace", "holder-remark", "probed", "probe-refused", "probe-changed",
        "probe-outside",
        "probe-contradiction", "gone-meanwhile", "own-program",
        "own-tree", "address-changed", "unexplained",
      ]))
    #expect(
      Set(Suggestion.Kind.allCases.map(\.rawValue)).isSuperset(of: [
        "set-option", "set-option-there", "other-side", "stop-holder", "find-holder", "close-own",
        "change-socket-unit", "change-interface", "wait", "other-address", "other-address-there", "local-address",
        "add-scope", "other-port", "other-user", "other-protocol", "reserve-port", "raise-privilege",
        "unprivileged-port-start", "look-as-root", "look-at-interfaces", "probe",
        "nonlocal-bind", "enable-family",
        "look-at-policy", "try-again", "new-socket",
      ]))
    #expect(
      Set(Cause.allCases.map(\.rawValue)).isSuperset(of: [
        "listener", "bound-not-listening", "udp-socket", "wildcard-overlap", "dual-stack-overlap",
        "inherited-descriptor", "time-wait", "leftover-connection", "leftover-dual-stack-connection",
        "outgoing-connection", "self-connection", "listen-only", "reuseport-missing", "reuseport-other-user",
        "udp-mixed-options", "depends-on-order", "hidden", "shared-port", "privileged-port", "address-not-local",
        "address-on-other-device", "address-tentative", "device-missing", "family-missing", "ipv6-disabled",
        "multicast-tcp", "scope-missing", "mapped-on-v6only",
        "refused-by-policy", "gone-meanwhile", "already-bound",
      ]))
    #expect(
      VisibilityReason.allCases.map(\.rawValue) == [
        "not-root", "no-proc", "hidepid", "yama", "old-kernel", "no-holder", "pid-namespace", "no-answer",
      ])
    #expect(
      KernelOwner.Kind.allCases.map(\.rawValue) == [
        "vxlan", "geneve", "bareudp", "wireguard", "ipvs", "nfsd", "lockd",
      ])
  }

  @Test("is one sentence part where it is a condition", arguments: Suggestion.Condition.allCases)
  func condition(_ condition: Suggestion.Condition) {
    let text = condition.rawValue
    #expect(!text.hasSuffix(".") && !text.hasPrefix("if ") && text.contains(" "))
  }

  @Test("of a cause has one entry of its own", arguments: Cause.allCases)
  func entry(_ cause: Cause) {
    #expect(cause.topic.slug == cause.rawValue && cause.topic.isCause)
    #expect(Cause.allCases.filter { $0.entry.text.title == cause.entry.text.title } == [cause])
    #expect(Cause.allCases.filter { $0.entry.text.summary == cause.entry.text.summary } == [cause])
  }

  @Test(
    "is a cause that says why and what to do where the port is not even looked at",
    arguments: [
      Cause.privilegedPort, .addressNotLocal, .addressOnOtherDevice, .addressTentative, .deviceMissing,
      .familyMissing, .familyDisabled,
      .multicastTCP, .scopeMissing, .mappedOnV6only,
    ])
  func beforeThePort(_ cause: Cause) {
    let attempt = BindAttempt(transport: .tcp, address: .v6(.loopback), port: Port(80), uid: 1000)
    let snapshot = Snapshot(host: HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0), sockets: [])
    let situation = Situation(attempt: attempt, outcomes: [], planned: [], snapshot: snapshot)
    #expect(cause.entry.reason(situation).count == 1)
    #expect(!cause.entry.remedies(situation).isEmpty)
  }
}
