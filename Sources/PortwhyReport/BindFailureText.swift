public import PortwhyKit

extension BindFailure {
  /// The explanation as a person reads it: what `portwhy` prints, at most a screen, without colour.
  public var text: String { text(style: ScreenStyle()) }

  /// The same in another style: wider, with user names, or with everything that is known.
  public func text(style: ScreenStyle) -> String { Screen.render(report, style: style) }
}
