import Linux

extension Portwhy {
  /// Waits until every planned bind of the question works, and gives the last report; where the time is up first, the
  /// verdicts in it say what still fails.
  ///
  /// It looks again when a socket on one of the ports goes, when the last TIME_WAIT in the way is over, and about once a
  /// second for what no kernel announces. The looks are made on a thread of their own: no event loop and no thread of the
  /// task pool is blocked. A task that is cancelled ends the wait at once.
  /// - Parameters:
  ///   - question: the binds to wait for; what is undetermined is waited for as well.
  ///   - timeout: how long; nil for as long as it takes. There is always a look at the end.
  /// - Throws: `CancellationError`, or a `PortwhyError` of a look.
  public static func wait(for question: Question, timeout: Duration? = nil) async throws -> Report {
    let stop: StopSwitch
    do throws(SystemError) { stop = try StopSwitch() } catch {
      throw PortwhyError.internalError(ErrorWords.failed("eventfd", error))
    }
    let milliseconds = timeout.map(\.wholeMilliseconds)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<Ending, PortwhyError>, Never>) in
        let isStarted = startThread {
          continuation.resume(
            returning: Result { () throws(PortwhyError) in
              let (report, end) = try Portwhy.wait(for: question, timeout: milliseconds, stop: stop)
              return Ending(report: report, isCancelled: end == .cancelled)
            })
        }
        if !isStarted {
          continuation.resume(returning: .failure(.internalError(ErrorWords.failed("pthread_create", .tryAgain))))
        }
      }
    } onCancel: {
      stop.turn()
    }
    let ending = try result.get()
    if ending.isCancelled { throw CancellationError() }
    return ending.report
  }
}

extension Duration {
  /// None for what is negative, `UInt64.max` for what is longer than can be counted.
  var wholeMilliseconds: UInt64 {
    let (whole, isTooLong) = UInt64(clamping: components.seconds).multipliedReportingOverflow(by: 1000)
    return isTooLong ? .max : whole &+ UInt64(clamping: components.attoseconds / 1_000_000_000_000_000)
  }
}

private struct Ending: Sendable {
  var report: Report
  var isCancelled: Bool
}
