internal import Linux
internal import Answers
internal import PortwhyReport

/// Writes what is said about a command, on the explainer's thread.
final class CommandPrinter {
  private let settings: CommandSettings
  private let explainer: Explainer
  /// Standard error, or the file of `-o`.
  let descriptor: Int32

  init(_ settings: CommandSettings, _ explainer: Explainer, descriptor: Int32) {
    self.settings = settings
    self.explainer = explainer
    self.descriptor = descriptor
  }

  func line(_ text: String) { write { _ in "portwhy: \(text)\n" } }

  func screen(_ headline: String, _ failure: BindFailure) {
    write { style in
      var style = style
      style.users = style.numeric ? [:] : CommandLineProgram.userNames(failure.report)
      return "portwhy: \(headline)\n" + failure.text(style: style)
    }
  }

  func report(_ report: Report) {
    write { style in JSONReport.render(report, users: style.numeric ? [:] : CommandLineProgram.userNames(report)) }
  }

  private func write(_ text: @escaping @Sendable (ScreenStyle) -> String) {
    let (settings, descriptor) = (settings, descriptor)
    explainer.add(
      .write {
        let style = ScreenStyle(
          width: SystemCalls.terminalColumns(descriptor) ?? 80,
          color: CommandLineProgram.wantsColor(settings.color, descriptor), verbose: settings.verbose,
          numeric: settings.numeric)
        _ = SystemCalls.write(text(style), to: descriptor)
      })
  }
}
