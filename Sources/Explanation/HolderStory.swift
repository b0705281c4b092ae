package import SocketModel

/// Who a process is and since when, in one line: `python3 (pid 1363, alice, since 3 hours, in ~/shop)`.
///
/// Its socket unit, its container or its service, where it has one, says more than its working directory. What comes
/// from other processes is not escaped here.
///
/// - Parameters:
///   - now: when it was looked at, in seconds since the epoch; nil where no time is to be said.
///   - user: how a user is written.
///   - others: how many more processes hold the same socket.
package func story(
  of process: ProcessRecord, at now: Double?, user: (UInt32) -> String, others: Int = 0,
  activation: SocketActivation? = nil
) -> String {
  let more = others > 0 ? " and \(others) more" : ""
  var parts = ["pid \(process.pid)\(more)"]
  if let uid = process.uid { parts.append(user(uid)) }
  if let now, let started = process.startedAt { parts.append("since \(duration(now - started))") }
  if let activation {
    parts.append("for \(activation.unit)")
  } else if let place = process.place(user) {
    parts.append(place)
  }
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
  fileprivate func place(_ user: (UInt32) -> String) -> String? {
    if let container { return "in container \(containerName ?? shortContainer(container))" }
    if let target = forwardsTo { return "for \(target.text)" }
    if servesLogin { return "for an ssh login" }
    if let unit, unit.hasSuffix(".service") { return "in \(unit)" }
    guard let workingDirectory, workingDirectory != "/" else { return nil }
    let name = uid.map(user)
    let home = name.map { $0 == "root" ? "/root" : "/home/\($0)" }
    guard let home, workingDirectory == home || workingDirectory.hasPrefix(home + "/") else {
      return "in \(workingDirectory)"
    }
    return "in ~\(workingDirectory.dropFirst(home.count))"
  }
}
