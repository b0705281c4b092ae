package import SocketModel

/// Who a process is and since when, in one line: `python3 (pid 1363, alice, since 3 hours, in ~/shop)`.
///
/// Its service or its container, where it has one, says more than its working directory. What comes from other
/// processes is not escaped here.
///
/// - Parameters:
///   - now: when the report was made, in seconds since the epoch.
///   - users: the names of uids; a uid without one is written as a number.
///   - others: how many more processes hold the same socket.
package func story(of process: ProcessRecord, at now: Double, users: [UInt32: String], others: Int = 0) -> String {
  let more = others > 0 ? " and \(others) more" : ""
  var parts = ["pid \(process.pid)\(more)"]
  if let uid = process.uid { parts.append(users[uid] ?? "uid \(uid)") }
  if let started = process.startedAt { parts.append("since \(duration(now - started))") }
  if let place = process.place(users) { parts.append(place) }
  return "\(process.command) (\(parts.joined(separator: ", ")))"
}

/// A time in its largest whole unit: `1 second`, `3 hours`, `12 days`; a time of the future is none.
package func duration(_ seconds: Double) -> String {
  let whole = Int(max(0, min(seconds, 1e12)))
  let (number, unit) =
    switch whole {
    case ..<120: (whole, "second")
    case ..<7200: (whole / 60, "minute")
    case ..<172_800: (whole / 3600, "hour")
    default: (whole / 86_400, "day")
    }
  return counted(number, unit)
}

extension ProcessRecord {
  /// Where it belongs, in the words that lead there.
  fileprivate func place(_ users: [UInt32: String]) -> String? {
    if let container { return "in container \(containerName ?? shortContainer(container))" }
    if let target = forwardsTo { return "for \(target.text)" }
    if servesLogin { return "for an ssh login" }
    if let unit, unit.hasSuffix(".service") { return "in \(unit)" }
    guard let workingDirectory, workingDirectory != "/" else { return nil }
    let user = uid.flatMap { users[$0] }
    let home = user.map { $0 == "root" ? "/root" : "/home/\($0)" }
    guard let home, workingDirectory == home || workingDirectory.hasPrefix(home + "/") else {
      return "in \(workingDirectory)"
    }
    return "in ~\(workingDirectory.dropFirst(home.count))"
  }
}
