internal import BindRules
internal import Answers

/// What is wrong with what was typed: one line, lower case, the bad part in double quotes.
struct UsageError: Error, Hashable {
  var message: String

  init(_ message: String) { self.message = message }
}

/// The exit status of the program, a promise to scripts; from 64 on as sysexits.h(3) numbers them.
enum ExitStatus: Int32 {
  /// Every attempt works or meets one's own server alone (`--ours`), or there was nothing to judge.
  case ok = 0
  /// At least one attempt fails.
  case fails = 1
  /// None fails, but one is undetermined.
  case undetermined = 2
  /// EX_USAGE.
  case usage = 64
  /// EX_UNAVAILABLE: the kernel interface is missing.
  case unavailable = 69
  /// EX_SOFTWARE: an internal error, or the answer could not be written.
  case software = 70
  /// EX_NOPERM.
  case notPermitted = 77

  init(_ report: Report) {
    let verdicts = report.targets.filter { !$0.isOurs }.compactMap(\.verdict)
    if report.targets.contains(where: { $0.attempts.contains { !$0.contradictions.isEmpty } }) {
      // A real bind showed that a sure answer was wrong.
      self = .software
    } else if verdicts.contains(where: { if case .fails = $0 { true } else { false } }) {
      self = .fails
    } else {
      self = verdicts.contains(.undetermined) ? .undetermined : .ok
    }
  }

  init(_ error: PortwhyError) {
    switch error {
    case .kernelInterfaceMissing: self = .unavailable
    case .notPermitted: self = .notPermitted
    case .invalidQuestion: self = .usage
    case .internalError: self = .software
    }
  }
}
