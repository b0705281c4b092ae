import BindRules
import Explanation
import SocketModel
import Testing

@testable import Answers

private func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(.any) }

private func process(
  _ pid: Int32, unit: String? = nil, container: String? = nil, executable: String? = nil, parent: Int32? = nil,
  cwd: String? = nil
) -> ProcessRecord {
  var record = ProcessRecord(
    pid: pid, command: "server", executable: executable, descriptors: [3], unit: unit, container: container)
  record.parent = parent
  record.workingDirectory = cwd
  record.hasHostPaths = true
  return record
}

private func socket(
  _ processes: [ProcessRecord] = [], _ state: SocketState = .listen, _ address: String = "0.0.0.0",
  owner: SocketOwner = .process, uid: UInt32? = 33, cookie: UInt64 = 1
) -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: ip(address).family, local: Endpoint(address: ip(address), port: Port(8080)),
    remote: state == .listen ? nil : Endpoint(address: ip("10.0.0.9"), port: Port(40000)), state: state,
    reuseaddr: .known(false, .getsockopt), reuseport: .known(false, .getsockopt), uid: uid,
    inode: owner == .none ? nil : 1, cookie: cookie, owner: owner, processes: processes)
}

private let mine = process(
  812, unit: "portal.service", container: "0123456789ab", executable: "/usr/bin/portal", parent: 800, cwd: "/srv")
private let foreign = process(77, unit: "ssh.service")

private func judged(_ sockets: [SocketObservation], _ predicates: [OursPredicate], uid: UInt32 = 0) -> TargetReport {
  let host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
  let attempt = BindAttempt(
    transport: .tcp, address: ip("0.0.0.0"), port: Port(8080), uid: uid, mayBindPrivileged: true)
  let snapshot = Snapshot(host: host, visibility: Visibility(), sockets: sockets)
  let outcomes = BindRules.outcomes(of: attempt, in: snapshot)
  var target = TargetReport(
    transport: .tcp, port: Port(8080), plan: Plan(uid: uid), verdict: outcomes[0].verdict, sockets: sockets,
    attempts: [AttemptReport(attempt: attempt, outcomes: outcomes)])
  if !predicates.isEmpty { target.decideOurs(predicates, host, Visibility()) }
  return target
}

@Suite("What is one's own")
struct OursTests {
  @Test(
    "is told by the facts of the holder",
    arguments: [
      (OursPredicate.unit("portal.service"), true), (.unit("portal"), false), (.user("www-data", uid: 33), true),
      (.user("root", uid: 0), false), (.user("www-data", uid: nil), false), (.container("0123456"), true),
      (.container("123"), false), (.executable("/usr/bin/portal"), true), (.executable("/usr/bin/port"), false),
      (.workingDirectory("/srv"), true), (.workingDirectory("/"), false), (.process(812), true),
      (.process(800), true),
      (.process(1), false), (.processFile("/run/a", pid: 812), true), (.processFile("/run/a", pid: nil), false),
    ])
  func predicates(_ predicate: OursPredicate, _ isOurs: Bool) {
    let target = judged([socket([mine])], [predicate])
    #expect(target.isOurs == isOurs)
    #expect(target.verdict == .fails(.addressInUse))
    #expect(target.ours?.matched == (isOurs ? [predicate.description] : []))
    #expect(target.notes.contains { $0.kind == .notOurs } == !isOurs)
  }

  @Test("is no socket of another user's that a program of the user holds, but one that root made for it")
  func maker() {
    for (maker, isOurs) in [(UInt32(33), true), (0, true), (4242, false)] {
      var mine = mine
      mine.uid = 33
      var held = socket([mine])
      held.uid = maker
      #expect(judged([held], [.user("www-data", uid: 33)]).isOurs == isOurs, "\(maker)")
    }
  }

  @Test("is no process of which only the number is known, but by that number")
  func unread() {
    var held = socket([ProcessRecord(pid: 812, command: "", descriptors: [3])])
    held.uid = 33
    #expect(!judged([held], [.user("www-data", uid: 33)]).isOurs)
    #expect(judged([held], [.process(812)]).isOurs)
  }

  @Test("is a program whose file was replaced, too")
  func deleted() {
    let old = process(9, executable: "/usr/bin/portal (deleted)")
    #expect(judged([socket([old])], [.executable("/usr/bin/portal")]).isOurs)
  }

  @Test("is no program or directory whose path a user may have mounted himself, and the note says so")
  func mounted() {
    for isHosts in [false, nil] {
      var mounted = mine
      mounted.hasHostPaths = isHosts
      for predicate in [OursPredicate.executable("/usr/bin/portal"), .workingDirectory("/srv")] {
        let target = judged([socket([mounted])], [predicate])
        #expect(!target.isOurs && target.ours?.matched == [])
        #expect(target.notes.contains { $0.kind == .notOurs && $0.text.contains("not known to be this host's") })
      }
      #expect(judged([socket([mounted])], [.process(812)]).isOurs)
    }
  }

  @Test("is a socket that systemd holds for the service")
  func activation() {
    var held = socket([process(1, unit: "init.scope")])
    held.activation = SocketActivation(unit: "portal.socket", activates: "portal.service")
    #expect(judged([held], [.unit("portal.service")]).isOurs)
    #expect(judged([held], [.unit("portal.socket")]).isOurs)
    #expect(!judged([held], [.unit("other.service")]).isOurs)
  }

  @Test("is not what a second holder has as well, and the note says which")
  func mixed() {
    let shared = judged([socket([mine, foreign])], [.unit("portal.service")])
    #expect(!shared.isOurs && shared.ours?.matched == ["unit=portal.service"])
    #expect(
      shared.notes.map(\.text) == ["server (pid 77, ssh.service) is not ours: does not match unit=portal.service"])
    let two = judged(
      [socket([mine], .listen, "127.0.0.1"), socket([foreign], .listen, "127.0.0.2", cookie: 2)],
      [.unit("portal.service")])
    #expect(!two.isOurs)
    #expect(judged([socket([mine, foreign])], [.unit("portal.service"), .process(77)]).isOurs)
  }

  @Test("is a unit or a container below a user's manager for whom that user is named alone")
  func users() {
    var theirs = mine
    theirs.userManager = 1000
    for (word, isOurs) in [("", false), ("@1000", true), ("@1001", false), ("@0", false), ("@x", false)] {
      for predicate in [OursPredicate.unit("portal.service" + word), .container("0123456" + word)] {
        #expect(judged([socket([theirs])], [predicate]).isOurs == isOurs, "\(predicate)")
        #expect(judged([socket([mine])], [predicate]).isOurs == word.isEmpty, "\(predicate)")
      }
    }
    var manager = process(1)
    manager.isServiceManager = true
    var activated = socket([manager])
    activated.activation = SocketActivation(unit: "portal.socket", activates: "portal.service", userManager: 1000)
    #expect(!judged([activated], [.unit("portal.socket")]).isOurs)
    #expect(judged([activated], [.unit("portal.socket@1000")]).isOurs)
  }

  @Test("is never a holder that cannot be seen, nor the kernel")
  func hidden() {
    for owner in [SocketOwner.hidden, .kernel] {
      let target = judged([socket(owner: owner)], [.user("www-data", uid: 33), .unit("portal.service")])
      #expect(!target.isOurs && target.notes.map(\.kind) == [.notOurs])
    }
  }

  @Test("are connections without a process where the listener is, or the unit they were made in")
  func remains() {
    let rest = socket([], .timeWait, "10.0.0.5", owner: .none, uid: nil, cookie: 2)
    #expect(judged([rest, socket([mine])], [.unit("portal.service")]).isOurs)
    #expect(!judged([rest], [.unit("portal.service")]).isOurs)
    #expect(!judged([rest, socket([foreign])], [.unit("portal.service")]).isOurs)
    var orphan = rest
    orphan.state = .finWait1
    orphan.cgroup = "/system.slice/portal.service"
    #expect(judged([orphan], [.unit("portal.service")]).isOurs)
    orphan.cgroup = "/system.slice/portal.service.d"
    #expect(!judged([orphan], [.unit("portal.service")]).isOurs)
    let user = "/user.slice/user-1000.slice/user@1000.service"
    for group in [
      "\(user)/app.slice/portal.service", "/system.slice/ci.service/portal.service", "\(user)/x/portal.service",
    ] {
      orphan.cgroup = group
      #expect(!judged([orphan], [.unit("portal.service")]).isOurs, "\(group)")
      #expect(judged([orphan], [.unit("portal.service@1000")]).isOurs == group.hasPrefix("\(user)/app.slice/"))
    }
  }

  @Test("has the port, which is not taken, and nothing is to be done about it")
  func words() throws {
    let host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
    var target = judged([socket([mine])], [])
    target.attempts[0].explanation = Diagnosis(
      headline: "8080/tcp is taken: who", suggestions: [Suggestion(kind: .otherPort, certainty: .checked, text: "x")])
    let before = target
    target.decideOurs([.unit("other.service")], host, Visibility())
    #expect(target.attempts == before.attempts)
    target.decideOurs([.unit("portal.service")], host, Visibility())
    let said = target.attempts[0].explanation
    #expect(said.headline.hasPrefix("8080/tcp is ours (unit=portal.service): server (pid 812"))
    #expect(said.suggestions.isEmpty)
    var later = before
    later.keepOurs(from: target, host, Visibility())
    #expect(later.isOurs && later.attempts[0].explanation == said, "a saved report that is read again")
  }

  @Test("excuses nothing that no socket is in the way of")
  func otherReasons() {
    let host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
    var low = judged([socket([mine])], [.unit("portal.service")])
    low.attempts[0].attempt.port = Port(80)
    low.attempts[0].outcomes = low.attempts[0].outcomes.map {
      BindOutcome(options: $0.options, bind: .fails(.accessDenied), listen: nil)
    }
    low.decideOurs([.unit("portal.service")], host, Visibility())
    #expect(!low.isOurs)
    #expect(!judged([], [.unit("portal.service")]).isOurs)
  }
}
