internal import Explanation
internal import PortwhyKit

/// Stands before how the bind ends, escaped; empty where the port is not one's own.
func oursWords(_ target: TargetReport) -> String {
  guard let ours = target.ours, ours.decides else { return "" }
  return TerminalText.escaped(oursText(ours.matched))
}
