/// The running kernel's version, as uname(2) has it.
package struct KernelVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// 6 of 6.12.
  package var major: Int
  /// 12 of 6.12.
  package var minor: Int
  /// The stable release within the series, 117 of 6.12.117; nil where it is not told, as by distributions that stay at
  /// the series' first release (Debian's 6.1.0-56, Ubuntu's 6.8.0-31).
  package var stable: Int?
  /// The whole release text.
  package var release: String

  /// Reads the leading numbers of a release such as `6.1.0-21-amd64`; nil where there are not two.
  ///
  /// - Parameter version: `uname -v`, which on Debian ends with the version of the package, whose third number is the
  ///   stable release: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)`.
  package init?(release: String, version: String = "") {
    guard let numbers = Self.numbers(release[...]) else { return nil }
    self.init(major: numbers.major, minor: numbers.minor, stable: numbers.stable, release: release)
    guard stable == nil, let name = version[...].place(of: " Debian "),
      let numbers = Self.numbers(version[name.upperBound...]), (numbers.major, numbers.minor) == (major, minor)
    else { return }
    stable = numbers.stable
  }

  package init(major: Int, minor: Int, stable: Int? = nil, release: String? = nil) {
    self.major = major
    self.minor = minor
    self.stable = stable
    self.release = release ?? "\(major).\(minor)"
  }

  /// The third number is nil where there is none, or 0.
  private static func numbers(_ text: Substring) -> (major: Int, minor: Int, stable: Int?)? {
    let parts = text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
      return nil
    }
    let stable = parts.count > 2 ? Int(parts[2].prefix { $0.isNumber }) : nil
    return (major, minor, stable == 0 ? nil : stable)
  }

  /// By major, then by minor.
  package static func < (left: KernelVersion, right: KernelVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  /// The release as uname(2) gives it.
  package var description: String { release }
}
