import FixtureTestSupport
import BindRules
import Explanation
import JSONTestSupport
import Answers
import SocketModel
import Testing

@testable import PortwhyReport

private func schema() throws -> JSONDocument {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let text = try #require(fileText("/" + root + "/schema/portwhy.report-1.schema.json"))
  return try JSONDocument(parsing: text)
}

private func json(_ report: Report) throws -> JSONDocument {
  try JSONDocument(parsing: JSONReport.render(report, users: users))
}

@Suite("The JSON report")
struct JSONReportTests {
  @Test("fits the schema", arguments: cases)
  func fitsSchema(_ example: Case) throws {
    #expect(SchemaValidator(schema: try schema()).violations(try json(example.report)) == [])
  }

  @Test(
    "is one line, and keeps its bytes",
    arguments: ["nginx-listener", "undetermined", "queued-child", "udp", "ownership"])
  func golden(_ name: String) throws {
    let example = try #require(cases.first { $0.name == name })
    let text = JSONReport.render(example.report, users: users)
    #expect(text.filter { $0 == "\n" }.count == 1 && text.hasSuffix("}\n"))
    GoldenFile.check(text, name + ".json")
  }

  @Test(
    "does not fit the schema when broken",
    arguments: [
      ("\"cookie\":\"000000000000002a\"", "\"cookie\":42"), ("\"uid\":33,", ""),
      ("\"verdict\":\"fails\"", "\"verdict\":\"bad\""),
      ("\"port\":8080", "\"port\":80800"), ("\"port\":8080", "\"port\":80.5"), ("\"port\":8080", "\"port\":null"),
      ("portwhy.report/1", "portwhy.report/2"), ("\"state\":\"LISTEN\"", "\"state\":\"listen\""),
      ("T12:00:00.000Z", "T12:00:00Z"), ("\"fds\":[6]", "\"fds\":[\"6\"]"),
      ("\"bind\":\"EADDRINUSE\"", "\"bind\":\"no\""),
      ("\"timer\":null", "\"timer\":{}"), ("\"targets\":[", "\"targets\":[3,"),
    ])
  func broken(_ found: String, _ replaced: String) throws {
    let example = try #require(cases.first { $0.name == "nginx-listener" })
    var text = JSONReport.render(example.report, users: users)
    let range = try #require(text.firstRange(of: found))
    text.replaceSubrange(range, with: replaced)
    #expect(!SchemaValidator(schema: try schema()).violations(try JSONDocument(parsing: text)).isEmpty)
  }

  @Test("has its keys in the order of the schema, and no other")
  func keyOrder() throws {
    let schema = try schema()
    let document = try json(queuedChild)
    let target = try #require(document["targets"]?.elements.first)
    let socket = try #require(target["sockets"]?.elements.first)
    let attempt = try #require(target["attempts"]?.elements.first)
    let places: [(String, JSONDocument?)] = [
      ("host", document["host"]), ("visibility", document["visibility"]), ("target", target), ("socket", socket),
      ("plan", target["plan"]), ("attempt", attempt), ("outcome", attempt["outcomes"]?.elements.first),
    ]
    for (name, value) in places {
      let order = schema["$defs"]?[name]?["properties"]?.keys
      #expect(value?.keys == order, "\(name)")
      #expect(schema["$defs"]?[name]?["required"]?.elements.compactMap(\.text) == order, "\(name)")
    }
  }

  @Test("carries every fact of the host")
  func host() throws {
    var report = report([])
    report.host.networkNamespace = .max
    report.host.sudoUID = 1000
    report.host.readerMayBindPrivileged = false
    report.host.unprivilegedPortStart = 1024
    report.host.localReservedPorts = [80...90, 8080...8080]
    report.host.ipv4NonlocalBind = false
    report.host.ipv6NonlocalBind = true
    report.host.bindv6only = false
    report.host.tcpL3mdevAccept = false
    report.host.mayHaveVRFs = false
    report.host.ipv6Available = true
    report.host.ipv6Addresses = [
      InterfaceAddress(address: ip("fe80::1"), interface: InterfaceIndex(rawValue: 2), flags: 0x80)
    ]
    report.host.ipv4LocalRoutes = [LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local)]
    report.host.securityModules = ["apparmor"]
    report.host.ipv6Disabled = ["lo"]
    report.host.enforcingModules = ["selinux"]
    report.host.appArmorProfiles = [AppArmorProfile(name: "nginx", file: nil, isEnforced: true)]
    report.host.filteredCalls = FilteredCalls(areKnown: true, bind: .notPermitted, listen: nil)
    report.host.dockerRuns = true
    report.host.rootMayBindPrivileged = true
    report.host.overflowUID = 65534
    report.host.ipv4AbsentTables = [1001]
    report.host.ipv4RulesAreDefault = true
    report.host.ipv4Lookups = [
      RouteLookup(destination: .loopback, type: .local), RouteLookup(destination: .any, type: nil),
    ]
    report.host.controlGroupBindPrograms = false
    report.host.namespaceMaker = 1000
    report.host.hostname = "web1"
    report.host.kernel.build = "#1 SMP Debian 5.10.262-1 (2026-07-31)"
    report.host.bindsByAddress = false
    report.host.freshSockets = [
      FreshSocket(.tcp, .ipv4, refusal: .addressFamilyNotSupported),
      FreshSocket(.udp, .ipv6, device: InterfaceIndex(rawValue: 2), v6only: true),
    ]
    let document = try json(report)
    #expect(SchemaValidator(schema: try schema()).violations(document) == [])
    let host = try #require(document["host"])
    #expect(host["netns"] == .number(Double(UInt64.max), text: "18446744073709551615"))
    #expect(host.keys.filter { host[$0] == .null } == [])
  }

  @Test(
    "comes back as it was, whatever the name of a process",
    arguments: [
      "plain", "a/b", "\"\\", "\u{0}\u{1f}\u{7f}\u{9f}", "\u{2028}\u{202e}", "é漢😀", "\u{fffd}", "\u{e0001}",
    ])
  func hostileText(_ name: String) throws {
    let process = ProcessRecord(pid: 1, command: name, descriptors: [0])
    let text = JSONReport.render(report([listenerTarget(processes: [process])]))
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || !TerminalText.isHarmful($0) })
    #expect(!text.contains("\\/"))
    let command = try JSONDocument(parsing: text)["targets"]?.elements.first?["sockets"]?.elements.first?[
      "processes"]?
      .elements.first?["command"]
    #expect(command == .string(name))
  }

  @Test("says of a guessed flag that it is inferred, and why it is not known")
  func inferred() throws {
    let socket = try json(queuedChild)["targets"]?.elements.first?["sockets"]?.elements.first
    #expect(socket?["reuseaddr"] == .bool(true))
    #expect(socket?["sources"]?["reuseaddr"] == .string("inferred"))
    #expect(socket?["unknown_because"] == .string("no-owner"))
  }

  @Test("names what is missing, with the socket whose fact it is")
  func missing() throws {
    let outcomes = try json(undetermined)["targets"]?.elements.first?["attempts"]?.elements.first?["outcomes"]?
      .elements
    #expect(outcomes?[1]["missing"] == .array([.string("reuseaddr:0")]))
    #expect(outcomes?[3]["missing"] == .array([.string("reuseaddr:0"), .string("bind-order")]))
    #expect(outcomes?[1]["listen"] == .string("undetermined"))
    let free = try json(nothingVisible)["targets"]?.elements.first?["attempts"]?.elements.first?["outcomes"]?
      .elements[0]
    #expect(free?["missing"] == .array([.string("bound-sockets-of-other-users")]))
  }
}

@Suite("A command in a report")
struct JSONCommandTests {
  @Test("stands there quoted for a shell and as words, and null where there is none")
  func words() throws {
    let suggestions = try json(undetermined)["targets"]?.elements.first?["attempts"]?.elements.first?["suggestions"]?
      .elements
    #expect(suggestions?.first?["command"] == .string("sudo portwhy --reuseaddr --uid 1000 8080"))
    #expect(
      suggestions?.first?["argv"]?.elements.map(\.text) == [
        "sudo", "portwhy", "--reuseaddr", "--uid", "1000", "8080",
      ])
    #expect(suggestions?.last?["command"] == .null && suggestions?.last?["argv"] == .null)
  }

  @Test("of version 0.1, which has no words, is kept as it stands")
  func saved() throws {
    let text = JSONReport.render(undetermined, users: users)
    let old = text.replacing(/,"argv":(null|\[[^\]]*\])/, with: "")
    #expect(old != text)
    let read = try JSONReport.read(Array(old.utf8)).report
    let suggestion = try #require(read.targets.first?.attempts.first?.explanation.suggestions.first)
    #expect(suggestion.command?.text == "sudo portwhy --reuseaddr --uid 1000 8080" && suggestion.command?.argv == nil)
  }

  @Test("may have kinds, causes, conditions and reasons that another version added: they are kept")
  func unknownWords() throws {
    let text = JSONReport.render(undetermined, users: users)
    let newer = text.replacing("\"kind\":\"look-as-root\"", with: "\"kind\":\"look-twice\"")
      .replacing("\"cause\":\"hidden\"", with: "\"cause\":\"eclipsed\"")
      .replacing("\"condition\":\"you may use sudo\"", with: "\"condition\":\"the moon is full\"")
      .replacing("\"reasons\":[\"not-root\"]", with: "\"reasons\":[\"not-root\",\"not-awake\"]")
    let saved = try JSONReport.read(Array(newer.utf8)).report
    #expect(JSONReport.render(saved, users: users) == newer)
    #expect(saved.targets.first?.attempts.first?.explanation.cause == nil)
    #expect(Screen.render(saved, style: ScreenStyle()).contains("if the moon is full,"))
    #expect(try Portwhy.answer(from: saved).targets.first?.attempts.first?.explanation.cause == .hidden)
  }
}

@Suite("The time in a report")
struct TimestampTests {
  @Test(
    "is RFC 3339 in UTC",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1_769_860_800, "2026-01-31T12:00:00.000Z"),
      (951_782_400.5, "2000-02-29T00:00:00.500Z"), (1_709_251_199.9996, "2024-02-29T23:59:59.999Z"),
      (-1, "1969-12-31T23:59:59.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
      (Double.infinity, "9999-12-31T23:59:59.999Z"), (-Double.infinity, "0001-01-01T00:00:00.000Z"),
      (Double.nan, "1970-01-01T00:00:00.000Z"), (-62_135_596_800, "0001-01-01T00:00:00.000Z"),
      (-62_135_596_801, "0001-01-01T00:00:00.000Z"), (253_402_300_799.999, "9999-12-31T23:59:59.999Z"),
      (253_402_300_800, "9999-12-31T23:59:59.999Z"), (-0.001, "1969-12-31T23:59:59.999Z"),
      (86_399.25, "1970-01-01T23:59:59.250Z"), (86_400, "1970-01-02T00:00:00.000Z"),
      (5_097_599, "1970-02-28T23:59:59.000Z"), (5_097_600, "1970-03-01T00:00:00.000Z"),
      (31_535_999, "1970-12-31T23:59:59.000Z"), (31_536_000, "1971-01-01T00:00:00.000Z"),
      (68_169_600, "1972-02-29T00:00:00.000Z"), (68_256_000, "1972-03-01T00:00:00.000Z"),
      (-2_203_891_200, "1900-03-01T00:00:00.000Z"), (-2_203_891_201, "1900-02-28T23:59:59.000Z"),
      (946_684_799, "1999-12-31T23:59:59.000Z"), (13_574_563_200, "2400-02-29T00:00:00.000Z"),
      (1_769_904_061.5, "2026-02-01T00:01:01.500Z"),
    ])
  func text(_ seconds: Double, _ expected: String) {
    #expect(Timestamp.text(secondsSinceEpoch: seconds) == expected)
    let read = Timestamp.secondsSinceEpoch(expected)
    #expect(read.map(Timestamp.text(secondsSinceEpoch:)) == expected)
  }

  @Test(
    "is read in that form alone",
    arguments: [
      "", "x", "1970", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000", "1970-01-01 00:00:00.000Z",
      "1970-01-01T00:00:00.000z", "1970-01-01T00:00:00.0000Z", "1970-01-01T00:00:00.00Z", "01970-01-01T00:00:00.000Z",
      "1970-1-01T00:00:00.000Z", "1970-00-01T00:00:00.000Z", "1970-13-01T00:00:00.000Z", "1970-01-00T00:00:00.000Z",
      "1970-01-32T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "1970-01-01T24:00:00.000Z", "1970-01-01T00:60:00.000Z",
      "1970-01-01T00:00:60.000Z", "0000-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z ", "1970-01-01T00:00:00,000Z",
      "99999-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z1",
    ])
  func refused(_ text: String) { #expect(Timestamp.secondsSinceEpoch(text) == nil) }
}
