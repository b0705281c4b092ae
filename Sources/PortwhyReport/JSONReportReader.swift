public import PortwhyKit
internal import SocketModel

/// A report that was read back, with the user names that were written into it.
public struct SavedReport: Sendable, Hashable {
  /// What was read.
  public var report: Report
  /// The names that the writing host had for uids.
  public var users: [UInt32: String]

  /// One with these parts, each as its property says.
  public init(report: Report, users: [UInt32: String] = [:]) {
    self.report = report
    self.users = users
  }
}

extension JSONReport {
  /// The longest text that `read` takes, in bytes.
  public static let maximumSize = JSONText.maximumSize

  /// Reads what `render` wrote, on whatever host: one document, blanks and newlines around it allowed.
  ///
  /// Rendering the result gives the same text again. Keys that are not known are passed over, and one that may be
  /// null may be missing, so that reports of older and newer versions can be read. Everything else must be as the
  /// schema says, and every number that refers to a socket must have one: the report may come from anywhere.
  public static func read(_ bytes: [UInt8]) throws(ReportReadError) -> SavedReport {
    let root = try JSONText(parsing: bytes).root
    let schema = try root.required("schema")
    guard try schema.string() == Report.schema else { throw schema.error("expected \"\(Report.schema)\"") }
    let host = try root.required("host")
    var users: [UInt32: String] = [:]
    var targets: [TargetReport] = []
    for target in try root.elements("targets") {
      targets.append(try TargetReport(reading: target))
      try collectUsers(of: target, into: &users)
    }
    let report = Report(
      version: try root.string("version"), capturedAt: try capturedAt(host), host: try HostFacts(reading: host),
      visibility: try Visibility(reading: try root.required("visibility")), targets: targets)
    return SavedReport(report: report, users: users)
  }

  private static func capturedAt(_ host: JSONValue) throws(ReportReadError) -> Double {
    let value = try host.required("captured_at")
    guard let seconds = Timestamp.secondsSinceEpoch(try value.string()) else {
      throw value.error("expected a time such as 2026-01-31T12:00:00.000Z")
    }
    return seconds
  }

  private static func collectUsers(
    of target: JSONValue, into users: inout [UInt32: String]
  ) throws(ReportReadError) {
    for value in try target.elements("sockets") + target.elements("attempts") {
      guard let name = try value.optionalString("user"), let uid: UInt32 = try value.optionalInteger("uid") else {
        continue
      }
      users[uid] = name
    }
  }
}

extension Visibility {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      unreadableProcesses: try value.integer("unreadable_processes", 0...Int(Int32.max)),
      boundSocketsComplete: try value.bool("bound_sockets_complete"))
    reasonWords = try value.elements("reasons").map { (reason) throws(ReportReadError) in
      OpenWord(rawValue: try reason.string())
    }
    bpf = try value.optional("bpf").map { (use) throws(ReportReadError) in
      BPFUse(
        iterators: try use.elements("iterators").map { (name) throws(ReportReadError) in try name.string() },
        microseconds: try use.integer("microseconds"), problem: try use.optionalString("problem"))
    }
  }
}
