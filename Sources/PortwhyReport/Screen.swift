public import PortwhyKit
internal import SocketModel

/// The report for people.
public enum Screen {
  /// More targets than this get one line each.
  static let screensShown = 16

  /// The answer to a question: a screen a port, or a line a port where there are more than 16.
  public static func render(_ report: Report, style: ScreenStyle) -> String {
    if report.targets.count > screensShown {
      return text(SummaryLines(report: report, style: style).lines())
    }
    let screens = report.targets.map { target in
      TargetScreen(target: target, host: report.host, visibility: report.visibility, style: style).lines()
    }
    return text(Array(screens.joined(separator: [""])))
  }

  /// The overview: a line for each protocol and port in use.
  public static func renderOverview(_ report: Report, style: ScreenStyle) -> String {
    text(OverviewTable(report: report, style: style).lines())
  }

  private static func text(_ lines: [String]) -> String {
    lines.joined(separator: "\n") + "\n"
  }
}
