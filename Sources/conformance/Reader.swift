import BindRules
import KernelLab
import PortwhyKit
import SocketModel

/// As whom portwhy looks.
enum Reader: String, Sendable, CaseIterable {
  case root
  /// uid 65534 without capabilities, on a thread of its own that is in the same network namespace.
  case nobody

  func judge(_ attempt: BindAttempt) throws(PortwhyError) -> (outcomes: [BindOutcome], snapshot: Snapshot) {
    switch self {
    case .root: return try Portwhy.judge(attempt)
    case .nobody:
      var result: Result<(outcomes: [BindOutcome], snapshot: Snapshot), PortwhyError> = .failure(
        .internalError("the thread without privileges did not run"))
      do throws(SystemError) {
        try asNobody {
          result = Result { () throws(PortwhyError) in try Portwhy.judge(attempt) }
        }
      } catch {
        throw .internalError("a thread without privileges: \(error)")
      }
      return try result.get()
    }
  }
}
